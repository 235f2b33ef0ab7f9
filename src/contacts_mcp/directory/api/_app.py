"""The FastAPI app: its routes, and its errors, which all have FastAPI's form `{"detail": …}`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match
from starlette.types import Scope

from contacts_mcp.directory._errors import DirectoryError
from contacts_mcp.directory.api._extensions import extensions_router
from contacts_mcp.directory.api._persons import persons_router
from contacts_mcp.directory.api._receipts import receipts_router
from contacts_mcp.directory.api._requests import Tenant
from contacts_mcp.directory.api._routes import contacts_router, groups_router
from contacts_mcp.directory.api._undo import undo_router
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.store import UndoOffer
from contacts_mcp.middleware import ErrorMiddleware, Refusal

ROUTERS = (contacts_router, groups_router, extensions_router, persons_router, receipts_router, undo_router)

_METHODS = ("GET", "POST", "PATCH", "DELETE")


def build_app(
    database: Database, tenant: Tenant | None, *middleware: Middleware, undo: UndoOffer | None = None
) -> FastAPI:
    """Build the app with the documented routes and the extensions. The database is closed when the app shuts down.

    Every request is about `tenant`; if that is None, a middleware has to put a Tenant into the scope. `middleware` is
    ordered from the innermost to the outermost. Without `undo`, no update can be undone.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await database.aclose()

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # a search term is a person's name
    )
    app.state.tenant, app.state.undo = tenant, undo
    # Not `include_router`, which analyses every route again for each app: 40 ms at the first request.
    app.router.routes += [route for router in ROUTERS for route in router.routes]
    for each in middleware:
        app.add_middleware(each.cls, *each.args, **each.kwargs)
    app.add_middleware(ErrorMiddleware, render_refusal)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(DirectoryError, _handle_directory_error)
    return app


def render_refusal(refusal: Refusal, _scope: Scope) -> JSONResponse:
    """Return the response to a request that a middleware refuses."""
    detail = "Internal error" if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR else refusal.message
    return JSONResponse({"detail": detail}, refusal.status, refusal.headers)


def render_directory_error(error: DirectoryError) -> JSONResponse:
    """Return the response to a request that the directory refuses."""
    return JSONResponse({"detail": error.detail}, error.status, error.headers)


async def _handle_invalid_request(_: Request, error: Exception) -> JSONResponse:
    """Answer 422 without the input, which may be personal data."""
    assert isinstance(error, RequestValidationError)
    faults = [{key: fault[key] for key in ("loc", "msg", "type")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, 422)


async def _handle_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # FastAPI's `Allow` has only one of them
        return JSONResponse({"detail": error.detail}, 405, headers={"Allow": ", ".join(_allowed_methods(request))})
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI could not decode the body
        fault = {"loc": ["body"], "msg": "must be JSON in UTF-8", "type": "json_invalid"}
        return JSONResponse({"detail": [fault]}, 422)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


def _allowed_methods(request: Request) -> list[str]:
    """List the methods that have a route at this path."""
    routes = request.app.routes
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [method for method in _METHODS if any(route.matches(scopes[method])[0] is Match.FULL for route in routes)]


async def _handle_directory_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DirectoryError)
    return render_directory_error(error)
