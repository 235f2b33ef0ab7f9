"""The ASGI app: Streamable HTTP and SSE behind authentication and limits, and public pages."""

import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.file_links import FileLinks
from contacts_mcp.middleware import (
    BodyLimitMiddleware,
    BodyQuota,
    ConcurrencyLimitMiddleware,
    ErrorMiddleware,
    Refusal,
    Render,
    RequestIdMiddleware,
    route_path,
)
from contacts_mcp.server import APPROVALS_URL_SCOPE_KEY, CALLER_SCOPE_KEY, FILES_URL_SCOPE_KEY, ActiveCalls, Caller
from contacts_mcp.transports.http._access_log import AccessLogMiddleware
from contacts_mcp.transports.http._endpoints import (
    EVENTS_PATH,
    MESSAGES_PATH,
    DisconnectMiddleware,
    SessionLimitMiddleware,
    SseEndpoints,
)
from contacts_mcp.transports.http._errors import MalformedMessageMiddleware, SdkErrorMiddleware, json_rpc_error
from contacts_mcp.transports.http._files import FILES_PATH, files_app
from contacts_mcp.transports.http._hosts import HostOriginMiddleware, cors, public_address
from contacts_mcp.transports.http._lifecycle import HEALTH_PATH, READINESS_PATH, HealthPages, ReadinessCheck, Shutdown
from contacts_mcp.transports.http._oauth_paths import is_oauth_path, oauth_errors
from contacts_mcp.transports.http._rate_limits import RateLimitMiddleware
from contacts_mcp.transports.http.access import Access, AuthenticationMiddleware, AuthorizationMiddleware, set_caller

MCP_PATH, APPROVALS_PATH, CONSOLE_PATH = "/mcp", "/approvals", "/console"
MAX_BODY_BYTES = 1024 * 1024
_METHODS = {MCP_PATH: ("POST", "GET", "DELETE"), EVENTS_PATH: ("GET",), MESSAGES_PATH: ("POST",)}
_MAX_PUBLIC_BODY_BYTES = 8 * 1024
"""Limit for pages without authentication, which need no body."""
_MAX_HELD_BYTES = 64 * 1024 * 1024
"""Limit for the bodies of all requests in progress together."""
_MAX_REQUESTS = 256
"""Requests of one caller without a whole answer, event streams included."""
_SESSION_IDLE_TIMEOUT_SECONDS = 15 * 60.0
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may do: concurrent calls, and calls a minute (0: no limit)."""

    concurrent_calls: int = 32
    calls_per_minute: int = 1_200


def http_app(
    server: Server[Any],
    access: Access,
    *,
    checks: Mapping[str, ReadinessCheck],
    calls: ActiveCalls,
    close_subscriptions: Callable[[], None] = lambda: None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
    limits: Limits | None = None,
    links: FileLinks | None = None,
    approvals: ASGIApp | None = None,
    console: Callable[[ASGIApp], ASGIApp] | None = None,
    telemetry: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> ASGIApp:
    """Serve `server` on `/mcp`, `/sse` and `/messages/`, with health pages; the server's lifespan becomes the app's.

    `calls` are the running calls of `server`, which end with the app; `close_subscriptions` ends its subscriptions.
    `checks` are the parts that the readiness page names.
    `hosts` are the accepted host names (by default only loopback), and web pages of `origins` may call the server.
    `limits` apply to each caller. `links` are served on `/files`, and the pages of `approvals` below `/approvals`.
    `console` gets an app that serves MCP messages, within the same limits, to the caller whom the console has put into
    the scope; it returns the app that is served below `/console`.
    `telemetry` is entered before everything else, and left after everything else.
    """
    limits = limits or Limits()
    shutdown = Shutdown(calls, close_subscriptions)
    manager = StreamableHTTPSessionManager(
        server, max_request_body_size=MAX_BODY_BYTES, session_idle_timeout=_SESSION_IDLE_TIMEOUT_SECONDS
    )

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with telemetry(), links.running() if links else nullcontext(), manager.run(), shutdown.watch():
            yield

    auth_routes = access.routes()
    render = _with_link_advice if links else json_rpc_error
    limited = _limited(_endpoints(server, manager, limits), access, limits, render)
    protocol = _authenticated(limited, access, origins)
    routes = [*HealthPages(checks, shutdown).routes(), *auth_routes]
    others = _others(oauth_errors(access.oauth_advice))
    public: ASGIApp = Router(routes, redirect_slashes=False, default=others, lifespan=lifespan)
    public = BodyLimitMiddleware(public, json_rpc_error, limit_bytes=_MAX_PUBLIC_BODY_BYTES)

    files = files_app(links, origins) if links else public
    pages: ASGIApp = Mount(APPROVALS_PATH, approvals) if approvals else public
    console_app: ASGIApp = Mount(CONSOLE_PATH, console(_for_console(limited, hosts))) if console else public

    async def by_kind(scope: Scope, receive: Receive, send: Send) -> None:
        path = route_path(scope) if scope["type"] == "http" else ""
        if path in _METHODS:
            address = public_address(scope, hosts)
            scope[FILES_URL_SCOPE_KEY] = f"{address}{FILES_PATH}?link="
            scope[APPROVALS_URL_SCOPE_KEY] = f"{address}{APPROVALS_PATH}/" if approvals else None
            await protocol(scope, receive, send)
        elif path.startswith(f"{APPROVALS_PATH}/"):
            await pages(scope, receive, send)
        elif console and path == CONSOLE_PATH:  # the page's own addresses are relative to the slash
            await RedirectResponse(f"{scope.get('root_path', '')}{CONSOLE_PATH}/")(scope, receive, send)
        elif path.startswith(f"{CONSOLE_PATH}/"):
            await console_app(scope, receive, send)
        else:
            await (files if path == FILES_PATH else public)(scope, receive, send)

    probe_paths = (HEALTH_PATH, READINESS_PATH)
    auth_paths = [route.path for route in auth_routes if isinstance(route, Route)]
    paths = (*_METHODS, *([FILES_PATH] if links else []), *probe_paths, *auth_paths)
    app: ASGIApp = HostOriginMiddleware(
        by_kind,
        hosts=hosts,
        origins=origins,
        exempt=probe_paths,
        is_public=lambda path: path in auth_paths or is_oauth_path(path),
    )
    app = ErrorMiddleware(app, json_rpc_error, answers_cancelled=True)
    app = RequestIdMiddleware(app, _REQUEST_ID)
    folders = [*([APPROVALS_PATH] if approvals else []), *([CONSOLE_PATH] if console else [])]
    app = AccessLogMiddleware(app, paths=paths, folders=folders, probe_paths=probe_paths)
    return _with_canonical_paths(app, paths)


def _with_canonical_paths(app: ASGIApp, paths: Collection[str]) -> ASGIApp:
    """Serve each path with and without a slash at its end: a redirect would lose the body or the credential."""
    canonical = {path.rstrip("/"): path for path in paths}

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = route_path(scope)
            path = canonical.get(given.rstrip("/"), given)
            if path != given:
                scope = {**scope, "path": scope["path"].removesuffix(given) + path}
        await app(scope, receive, send)

    return serve


def _endpoints(server: Server[Any], manager: StreamableHTTPSessionManager, limits: Limits) -> ASGIApp:
    """The SDK's transports, by path."""
    sse = SseEndpoints(server, MAX_BODY_BYTES, limits.concurrent_calls)
    apps: dict[str, ASGIApp] = {
        MCP_PATH: SessionLimitMiddleware(manager.asgi_app),
        EVENTS_PATH: sse.events,
        MESSAGES_PATH: sse.messages,
    }

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[route_path(scope)](scope, receive, send)

    return MalformedMessageMiddleware(SdkErrorMiddleware(by_path))


def _limited(app: ASGIApp, access: Access, limits: Limits, render: Render) -> ASGIApp:
    """`app` behind body and rate limits, and authorization by the called tool; the scope has the caller."""
    app = AuthorizationMiddleware(DisconnectMiddleware(app), access)
    app = RateLimitMiddleware(app, calls_per_minute=limits.calls_per_minute)
    app = BodyLimitMiddleware(app, render, limit_bytes=MAX_BODY_BYTES, quota=BodyQuota(_MAX_HELD_BYTES, _principal_of))
    return ConcurrencyLimitMiddleware(app, _principal_of, max(_MAX_REQUESTS, 2 * limits.concurrent_calls))


def _authenticated(app: ASGIApp, access: Access, origins: Collection[str]) -> ASGIApp:
    """`app` behind authentication by headers."""
    app = AuthenticationMiddleware(app, access, _METHODS)
    app = ErrorMiddleware(app, json_rpc_error)
    return cors(app, origins) if origins else app


def _for_console(app: ASGIApp, hosts: Collection[str]) -> ASGIApp:
    """`app` for messages that the console has let in: at its path, with the caller as the SDK's user."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        root = str(scope.get("root_path", "")).removesuffix(CONSOLE_PATH)
        scope = {**scope, "path": f"{root}{MCP_PATH}", "root_path": root}
        set_caller(scope, scope[CALLER_SCOPE_KEY])
        scope[FILES_URL_SCOPE_KEY] = f"{public_address(scope, hosts)}{FILES_PATH}?link="
        await app(scope, receive, send)

    return serve


def _with_link_advice(refusal: Refusal, scope: Scope) -> ASGIApp:
    """Return a refusal as a JSON-RPC error; that of a large body says how to import a file."""
    if refusal.code == "too_large":
        advice = "to import a large file, call import_contacts without one, which answers with a link"
        refusal = Refusal(refusal.status, refusal.code, f"{refusal.message}; {advice}", refusal.headers)
    return json_rpc_error(refusal, scope)


def _principal_of(scope: Scope) -> str:
    caller: Caller = scope[CALLER_SCOPE_KEY]
    return caller.principal


def _others(oauth: ASGIApp) -> ASGIApp:
    """Answer requests for paths that do not exist here."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        message = (
            f"there is nothing at this path; the server answers on {MCP_PATH}, and on {EVENTS_PATH} for older clients"
        )
        not_found = json_rpc_error(Refusal(HTTPStatus.NOT_FOUND, "not_found", message), scope)
        await (oauth if is_oauth_path(route_path(scope)) else not_found)(scope, receive, send)

    return refuse
