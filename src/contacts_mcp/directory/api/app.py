"""The app: the routes, and one shape for everything that goes wrong (`{"detail": …}`, as FastAPI writes it)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match

from contacts_mcp.directory._errors import Conflict, DirectoryNotFound, DirectoryUnavailable
from contacts_mcp.directory.api import contacts, extensions, groups
from contacts_mcp.directory.api.middleware import BodyLimit, LastResort
from contacts_mcp.directory.api.routes import TenantDatabase, TenantOf
from contacts_mcp.directory.database import Database

_METHODS = ("GET", "POST", "PATCH", "DELETE")


def build_app(database: Database, tenant_of: TenantOf | None = None, *doors: Middleware) -> FastAPI:
    """The 14 routes and the extensions over a database, which is closed where a server shuts the app down.

    `tenant_of` tells whose contacts a request is about: the owner's where there is none. `doors` are what a request
    has to pass before its body is read, the innermost first.
    """

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
    app.state.tenant_of = tenant_of or (lambda _: TenantDatabase(database))
    app.include_router(groups.router)  # before the contacts: `groups` would be read as a contact's id
    app.include_router(contacts.router)
    app.include_router(extensions.router)
    app.add_middleware(BodyLimit)
    for door in doors:
        app.add_middleware(door.cls, *door.args, **door.kwargs)
    app.add_middleware(LastResort)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(DirectoryNotFound, _missing)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(DirectoryUnavailable, _unavailable)
    return app


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """422, without what was sent: it may be somebody's data."""
    assert isinstance(error, RequestValidationError)
    faults = [{key: fault[key] for key in ("loc", "msg", "type")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, 422)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # each route would name its own method alone
        return JSONResponse({"detail": error.detail}, 405, headers={"Allow": ", ".join(_allowed(request))})
    if error.status_code == HTTPStatus.BAD_REQUEST:  # what FastAPI answers to a body that no decoder takes
        fault = {"loc": ["body"], "msg": "must be JSON in UTF-8", "type": "json_invalid"}
        return JSONResponse({"detail": [fault]}, 422)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def _allowed(request: Request) -> list[str]:
    """The methods that there are routes for at this path."""
    routes = request.app.routes
    asked = {method: {**request.scope, "method": method} for method in _METHODS}
    return [method for method in _METHODS if any(route.matches(asked[method])[0] is Match.FULL for route in routes)]


async def _missing(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


async def _conflict(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 409)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DirectoryUnavailable)
    return JSONResponse({"detail": str(error)}, error.status)
