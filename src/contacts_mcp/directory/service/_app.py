"""The Contacts API as an app for a network."""

import re
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.api import build_app
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.service._api_keys import ApiKeyMiddleware, unavailable
from contacts_mcp.directory.service._pages import pages_router
from contacts_mcp.middleware import RequestIdMiddleware

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


def build_service(database: Database, per_minute: int, clock: Callable[[], float]) -> FastAPI:
    """Build the API for callers with keys, each of which may make `per_minute` requests a minute (0: no limit).

    A request gets an ID, is authenticated, counted and authorized, and is then answered by a route.
    """
    authentication = Middleware(ApiKeyMiddleware, database, per_minute, clock)
    app = build_app(database, None, authentication)
    app.state.database = database
    app.include_router(pages_router)
    app.add_middleware(RequestIdMiddleware, _REQUEST_ID)
    app.add_exception_handler(DirectoryUnavailable, _handle_unavailable)
    return app


async def _handle_unavailable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DirectoryUnavailable)
    return unavailable(error)
