"""Who comes in: callers are told by their headers before a body is read, and then what they ask is looked at."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from http import HTTPStatus

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.server import CALLER_SCOPE_KEY
from contacts_mcp.transports.http._bodies import BODY
from contacts_mcp.transports.http._paths import path_of
from contacts_mcp.transports.http._refusals import Refusal
from contacts_mcp.transports.http.access._access import Access


class Admission:
    """Lets callers in, by their headers alone, and tells the rest of the way who they are.

    `methods` are those of each path. Raises Refusal, as Permission does.
    """

    def __init__(self, app: ASGIApp, access: Access, methods: Mapping[str, Collection[str]]) -> None:
        self._app = app
        self._access = access
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _require_method(scope, self._methods)
        caller = await self._access.admit(HTTPConnection(scope))
        scope[CALLER_SCOPE_KEY] = caller
        scope["user"] = _user(caller.principal)
        await self._app(scope, receive, send)


class Permission:
    """Turns down what a caller may not ask; the protocol's own faults are left to the protocol."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._access.permit(scope[CALLER_SCOPE_KEY], scope[BODY])
        await self._app(scope, receive, send)


@lru_cache(maxsize=1_024)
def _user(principal: str) -> AuthenticatedUser:
    """The caller as the SDK knows one: it lets a session be used by the principal alone that opened it."""
    return AuthenticatedUser(AccessToken(token="", client_id=principal, scopes=[], subject=principal))


def _require_method(scope: Scope, methods: Mapping[str, Collection[str]]) -> None:
    allowed = methods[path_of(scope)]
    if scope["method"] not in allowed:
        line = f"method_not_allowed: the method is not for this address; use {' or '.join(allowed)}"
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, line, {"Allow": ", ".join(allowed)})
