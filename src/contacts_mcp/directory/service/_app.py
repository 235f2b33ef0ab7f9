"""The app of the API, as others reach it over a network."""

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.api import build_app
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.service import pages
from contacts_mcp.directory.service.door import Door
from contacts_mcp.directory.service.faults import unavailable
from contacts_mcp.directory.service.keyring import KeyRing
from contacts_mcp.directory.service.requests import RequestIds


def build_service(database: Database, per_minute: int, clock: Callable[[], float]) -> FastAPI:
    """The API for callers with keys, each of whom may make `per_minute` requests a minute (0: any number).

    A request goes, from the outside in: is given an id, shows its key, is counted, and may do what its key may do.
    """
    door = Middleware(Door, database, KeyRing(database, clock), per_minute, clock)
    app = build_app(database, None, door)
    app.state.database = database
    app.include_router(pages.router)
    app.add_middleware(RequestIds)
    app.add_exception_handler(DirectoryUnavailable, _unavailable)
    return app


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DirectoryUnavailable)
    return unavailable(error)
