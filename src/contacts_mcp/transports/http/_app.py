"""One ASGI app: Streamable HTTP and SSE, behind whoever may call, within limits."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import HTTPConnection
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.server import CALLER, Caller, Calls
from contacts_mcp.transports.http._access import Access
from contacts_mcp.transports.http._access_log import AccessLog
from contacts_mcp.transports.http._bodies import BODY, Bodies
from contacts_mcp.transports.http._hangups import Hangups
from contacts_mcp.transports.http._health import HEALTH, READINESS, Health, Reach
from contacts_mcp.transports.http._names import Names, cors
from contacts_mcp.transports.http._rates import Rates
from contacts_mcp.transports.http._refusals import Refusal
from contacts_mcp.transports.http._requests import RequestIds
from contacts_mcp.transports.http._sessions import Sessions
from contacts_mcp.transports.http._sse import EVENTS, MESSAGES, Sse
from contacts_mcp.transports.http._stopping import Stopping

MCP = "/mcp"
_METHODS = {MCP: ("POST", "GET", "DELETE"), EVENTS: ("GET",), MESSAGES: ("POST",)}
MOST_BYTES = 1024 * 1024
"""Bytes of a request's body."""
_IDLE_SESSION = 15 * 60.0
"""Seconds after which a legacy session is closed that nobody uses."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may do: calls at once, calls a minute (0: any number)."""

    at_once: int = 32
    per_minute: int = 1_200


def http_app(
    server: Server[Any],
    access: Access,
    *,
    reach: Reach,
    calls: Calls,
    farewell: Callable[[], None] = lambda: None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
    limits: Limits | None = None,
    around: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> ASGIApp:
    """Serve `server`, whose lifespan becomes the app's, on `/mcp`, `/sse` and `/messages/`, and health pages beside.

    `reach` raises a ContactsError where the backend cannot be worked with; `calls` are those of the server;
    `farewell` ends its subscriptions. `hosts` are the names it is called by (none: loopback), `origins` the web pages
    that may call it; `around` is entered before everything else, and left after.
    """
    stopping = Stopping(calls, farewell)
    sessions = StreamableHTTPSessionManager(
        server, max_request_body_size=MOST_BYTES, session_idle_timeout=_IDLE_SESSION
    )
    sse = Sse(server, MOST_BYTES)
    limits = limits or Limits()

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with around(), sessions.run(), stopping.watch():
            yield

    health, told = Health(reach, stopping).routes(), access.routes()
    protocol = _Protocol({MCP: Sessions(sessions.asgi_app), EVENTS: sse.events, MESSAGES: sse.messages})
    limited = Rates(Hangups(protocol), at_once=limits.at_once, per_minute=limits.per_minute)
    inside: ASGIApp = _Admission(Bodies(_Permission(limited, access), limit=MOST_BYTES), access)
    if origins:
        inside = cors(inside, origins)
    pages = Router(
        [Route(path, inside) for path in (MCP, EVENTS, MESSAGES)],
        redirect_slashes=False,
        default=Bodies(Router([*health, *told], redirect_slashes=False, default=_nowhere), limit=MOST_BYTES),
        lifespan=lifespan,
    )
    public = [route.path for route in told if isinstance(route, Route)]
    named = Names(pages, hosts=hosts, origins=origins, exempt=(HEALTH, READINESS), public=public)
    known = [MCP, EVENTS, MESSAGES, HEALTH, READINESS, *public]
    return AccessLog(RequestIds(named), pages=known, probed=(HEALTH, READINESS))


class _Protocol:
    """The protocol's apps by path. What reaches them was let in, was read whole, and is within its caller's limits."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[_path(scope)](scope, receive, send)


class _Admission:
    """Lets callers in, by their headers alone, and tells the rest of the way who they are."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _require_method(scope)
            caller = await self._access.admit(HTTPConnection(scope))
        except Refusal as refusal:
            await refusal(scope, receive, send)
            return
        scope[CALLER] = caller
        scope["user"] = _user(caller)
        await self._app(scope, receive, send)


class _Permission:
    """Turns down what a caller may not ask; the protocol's own faults are left to the protocol."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._access.permit(scope[CALLER], scope[BODY])
        except Refusal as refusal:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _user(caller: Caller) -> AuthenticatedUser:
    """The caller as the SDK knows one: it lets a session be used by the principal alone that opened it."""
    return AuthenticatedUser(AccessToken(token="", client_id=caller.principal, scopes=[], subject=caller.principal))


def _path(scope: Scope) -> str:
    """The path as this app knows it, wherever it is mounted."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _require_method(scope: Scope) -> None:
    allowed = _METHODS[_path(scope)]
    if scope["method"] not in allowed:
        line = f"method_not_allowed: this address takes {', '.join(allowed)}"
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, line, {"Allow": ", ".join(allowed)})


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    line = f"not_found: there is nothing here; the server answers on {MCP}, and on {EVENTS} for the older transport"
    await Refusal(HTTPStatus.NOT_FOUND, line)(scope, receive, send)
