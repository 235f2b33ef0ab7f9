"""One ASGI app: Streamable HTTP and SSE, behind whoever may call, within limits."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from contacts_mcp.server import ActiveCalls
from contacts_mcp.transports.http._access_log import AccessLog
from contacts_mcp.transports.http._bodies import Bodies
from contacts_mcp.transports.http._hangups import Hangups
from contacts_mcp.transports.http._health import HEALTH, READINESS, Health, ReadinessCheck
from contacts_mcp.transports.http._names import Names, cors
from contacts_mcp.transports.http._paths import path_of
from contacts_mcp.transports.http._rates import Rates
from contacts_mcp.transports.http._refusals import Answered, Refusal
from contacts_mcp.transports.http._requests import RequestIds
from contacts_mcp.transports.http._rewording import Reworded
from contacts_mcp.transports.http._sessions import SessionLimit
from contacts_mcp.transports.http._sse import EVENTS, MESSAGES, Sse
from contacts_mcp.transports.http._stopping import Stopping
from contacts_mcp.transports.http.access import Access, Admission, Permission

MCP = "/mcp"
_METHODS = {MCP: ("POST", "GET", "DELETE"), EVENTS: ("GET",), MESSAGES: ("POST",)}
MOST_BYTES = 1024 * 1024
"""Bytes of a request's body."""
_MOST_OF_STRANGERS = 8 * 1024
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
    check_ready: ReadinessCheck,
    calls: ActiveCalls,
    close_subscriptions: Callable[[], None] = lambda: None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
    limits: Limits | None = None,
    around: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> ASGIApp:
    """Serve `server`, whose lifespan becomes the app's, on `/mcp`, `/sse` and `/messages/`, and health pages beside.

    `check_ready` raises a ContactsError where the backend cannot be worked with; `calls` are those of the server;
    `close_subscriptions` ends its subscriptions. `hosts` are the names it is called by (none: loopback), `origins` the
    pages that may call it; `around` is entered before everything else, and left after.
    """
    limits = limits or Limits()
    stopping = Stopping(calls, close_subscriptions)
    manager = StreamableHTTPSessionManager(server, max_request_body_size=MOST_BYTES, session_idle_timeout=_IDLE_SESSION)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        async with around(), manager.run(), stopping.watch():
            yield

    told = access.routes()
    protocol = _behind_the_door(_endpoints(server, manager, limits), access, limits)
    if origins:
        protocol = cors(protocol, origins)
    others = _in_the_open([*Health(check_ready, stopping).routes(), *told], lifespan)

    async def pages(scope: Scope, receive: Receive, send: Send) -> None:
        is_protocol = scope["type"] == "http" and path_of(scope) in _METHODS
        await (protocol if is_protocol else others)(scope, receive, send)

    public = [route.path for route in told if isinstance(route, Route)]
    named = Names(pages, hosts=hosts, origins=origins, exempt=(HEALTH, READINESS), public=public)
    return AccessLog(RequestIds(named), pages=[*_METHODS, HEALTH, READINESS, *public], probed=(HEALTH, READINESS))


def _endpoints(server: Server[Any], manager: StreamableHTTPSessionManager, limits: Limits) -> ASGIApp:
    """The protocol's apps, by path."""
    sse = Sse(server, MOST_BYTES, limits.at_once)
    apps: dict[str, ASGIApp] = {MCP: SessionLimit(manager.asgi_app), EVENTS: sse.events, MESSAGES: sse.messages}

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[path_of(scope)](scope, receive, send)

    return Reworded(by_path)


def _behind_the_door(app: ASGIApp, access: Access, limits: Limits) -> ASGIApp:
    """What reaches `app` was let in, was read whole, and is within its caller's limits."""
    limited = Rates(Permission(Hangups(app), access), at_once=limits.at_once, per_minute=limits.per_minute)
    return Answered(Admission(Bodies(limited, limit=MOST_BYTES), access, _METHODS))


def _in_the_open(routes: Sequence[BaseRoute], lifespan: Lifespan[Any]) -> ASGIApp:
    """Pages for anybody, who has nothing to send there: what strangers make us hold is next to nothing."""
    return Bodies(Router(routes, redirect_slashes=False, default=_nowhere, lifespan=lifespan), limit=_MOST_OF_STRANGERS)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    line = f"not_found: there is nothing here; the server answers on {MCP}, and on {EVENTS} for the older transport"
    await Refusal(HTTPStatus.NOT_FOUND, line)(scope, receive, send)
