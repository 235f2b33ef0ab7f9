"""Pages that need no API key: the OpenAPI document, its documentation for people, and the health of the service."""

from functools import cache

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic_core import to_json
from sqlalchemy import Connection, select

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database import Database, tenants

pages_router = APIRouter()

OPEN_PATHS = ("/openapi.json", "/docs", "/healthz")
"""Paths that need no API key."""


@pages_router.get("/openapi.json")
async def openapi() -> Response:
    """Show the OpenAPI document."""
    return Response(_render_openapi(), media_type="application/json")


@pages_router.get("/docs")
async def docs() -> HTMLResponse:
    """Show the document on one HTML page."""
    page, policy = _render_docs()
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(page, headers=headers)


@pages_router.get("/healthz")
async def healthz(request: Request) -> JSONResponse:
    """Report 200 if the database can be used, else 503."""
    database: Database = request.app.state.database
    try:
        await database.look_up(_probe)
    except DirectoryUnavailable:
        return JSONResponse({"status": "unavailable"}, 503)
    return JSONResponse({"status": "ok"})


def _probe(connection: Connection) -> None:
    connection.execute(select(tenants.c.seq).limit(1)).all()


@cache
def _render_openapi() -> bytes:
    from contacts_mcp.directory.service._openapi import openapi_document  # takes a while, so on first use

    return to_json(openapi_document())


@cache
def _render_docs() -> tuple[str, str]:
    from contacts_mcp.directory.service._docs_page import CONTENT_SECURITY_POLICY, render_docs
    from contacts_mcp.directory.service._openapi import openapi_document

    return render_docs(openapi_document()), CONTENT_SECURITY_POLICY
