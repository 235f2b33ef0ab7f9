"""The pages that need no key: what the API is, for programs and for people, and whether it works."""

from functools import cache

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic_core import to_json
from sqlalchemy import Connection, select

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database import Database, tenants
from contacts_mcp.directory.service.docs import POLICY, write_page
from contacts_mcp.directory.service.openapi import document

router = APIRouter()

OPEN = ("/openapi.json", "/docs", "/healthz")


@router.get("/openapi.json")
async def openapi() -> Response:
    """The OpenAPI document."""
    return Response(_document(), media_type="application/json")


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The same to read, on one page without scripts."""
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(_page(), headers=headers)


@router.get("/healthz")
async def healthz(request: Request) -> JSONResponse:
    """200 where the database can be used, else 503."""
    database: Database = request.app.state.database
    try:
        await database.look_up(_look)
    except DirectoryUnavailable:
        return JSONResponse({"status": "unavailable"}, 503)
    return JSONResponse({"status": "ok"})


def _look(connection: Connection) -> None:
    connection.execute(select(tenants.c.seq).limit(1)).all()


@cache
def _document() -> bytes:
    return to_json(document())


@cache
def _page() -> str:
    return write_page(document())
