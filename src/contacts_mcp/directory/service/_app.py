"""The Contacts API as an app for a network, and its pages that need no API key."""

import re
from collections.abc import Callable

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic_core import to_json
from sqlalchemy import Connection, select
from starlette.middleware import Middleware
from starlette.types import Scope

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.api import TENANT_SCOPE_KEY, Tenant, build_app, render_refusal
from contacts_mcp.directory.database import Database, tenants
from contacts_mcp.directory.service._api_keys import ApiKeyMiddleware, KeyCache, unavailable
from contacts_mcp.directory.store import UndoOffer
from contacts_mcp.middleware import BodyLimitMiddleware, BodyQuota, ConcurrencyLimitMiddleware, RequestIdMiddleware
from contacts_mcp.readiness import PART_WORKS, render_readiness

pages_router = APIRouter()

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_BATCH_PATH = "/v1/directory/contacts"
_MAX_BATCH_BYTES = 16 * 1024 * 1024
"""A batch holds what many single requests would."""
_BATCH_TIMEOUT_SECONDS = 60.0
_MAX_HELD_BYTES = 256 * 1024 * 1024
"""Limit for the bodies of all requests in progress together."""
_MAX_REQUESTS = 100
"""Requests of one key without a whole answer."""


def build_service(
    database: Database, per_minute: int, clock: Callable[[], float], undo: UndoOffer | None = None
) -> FastAPI:
    """Build the API for callers with keys, each of which may make `per_minute` requests a minute (0: no limit).

    A request gets an ID, is authenticated, counted and authorized; then its body is read, and a route answers it.
    """
    body_limit = Middleware(
        BodyLimitMiddleware,
        render_refusal,
        path_limits={_BATCH_PATH: _MAX_BATCH_BYTES},
        path_timeouts={_BATCH_PATH: _BATCH_TIMEOUT_SECONDS},
        quota=BodyQuota(_MAX_HELD_BYTES, _owner_of),
    )
    concurrency_limit = Middleware(ConcurrencyLimitMiddleware, _owner_of, _MAX_REQUESTS)
    keys = KeyCache(database, clock)
    authentication = Middleware(ApiKeyMiddleware, database, keys, per_minute, clock)
    app = build_app(database, None, body_limit, concurrency_limit, authentication, undo=undo)
    app.state.database, app.state.keys = database, keys
    app.include_router(pages_router)
    app.add_middleware(RequestIdMiddleware, _REQUEST_ID)
    app.add_exception_handler(DirectoryUnavailable, _handle_unavailable)
    return app


def _owner_of(scope: Scope) -> str:
    """Return the key of a request, or the address of a client that reads a page without a key."""
    tenant: Tenant | None = scope.get(TENANT_SCOPE_KEY)
    return tenant.actor if tenant else str((scope.get("client") or ("",))[0])


async def _handle_unavailable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DirectoryUnavailable)
    return unavailable(error)


@pages_router.get("/openapi.json")
async def openapi() -> Response:
    from contacts_mcp.directory.service._openapi import openapi_document  # takes a while, so on first use

    return Response(to_json(openapi_document()), media_type="application/json")


@pages_router.get("/docs")
async def docs() -> HTMLResponse:
    from contacts_mcp.directory.service._docs_page import CONTENT_SECURITY_POLICY, docs_page

    policy = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    headers = {**policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(docs_page(), headers=headers)


@pages_router.get("/healthz")
async def healthz(request: Request) -> JSONResponse:
    database: Database = request.app.state.database
    try:
        await database.look_up(_probe)
    except DirectoryUnavailable:
        return JSONResponse({"status": "unavailable"}, 503)
    return JSONResponse({"status": "ok"})


@pages_router.get("/readyz")
async def readyz(request: Request) -> Response:
    database: Database = request.app.state.database
    try:
        await database.look_up(_probe)
    except DirectoryUnavailable:
        return render_readiness({"directory": "directory_unavailable"}, request)
    return render_readiness({"directory": PART_WORKS}, request)


def _probe(connection: Connection) -> None:
    connection.execute(select(tenants.c.seq).limit(1)).all()
