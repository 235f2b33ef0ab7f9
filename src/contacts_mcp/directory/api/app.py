"""The app: the routes, and one shape for everything that goes wrong (`{"detail": …}`, as FastAPI writes it)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from contacts_mcp.directory._errors import DirectoryUnavailable, Missing
from contacts_mcp.directory.api import additions, contacts, groups
from contacts_mcp.directory.api.middleware import BodyLimit, LastResort
from contacts_mcp.directory.database import Database


def build_app(database: Database) -> FastAPI:
    """The 14 routes and the additions over a database, which is closed where a server shuts the app down."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await database.aclose()

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # what is searched for is somebody's name
    )
    app.state.database = database
    app.include_router(groups.router)  # before the contacts: `groups` would be read as a contact's id
    app.include_router(contacts.router)
    app.include_router(additions.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(LastResort)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Missing, _missing)
    app.add_exception_handler(DirectoryUnavailable, _unavailable)
    return app


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """422, without what was sent: it may be somebody's data."""
    assert isinstance(error, RequestValidationError)
    faults = [{key: fault[key] for key in ("loc", "msg", "type")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, 422)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # what FastAPI answers to a body that no decoder takes
        fault = {"loc": ["body"], "msg": "must be JSON in UTF-8", "type": "json_invalid"}
        return JSONResponse({"detail": [fault]}, 422)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


async def _missing(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DirectoryUnavailable)
    return JSONResponse({"detail": str(error)}, error.status)
