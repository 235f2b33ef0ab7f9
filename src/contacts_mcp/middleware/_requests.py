"""What every request has: an ID, a path, and the credentials in its headers."""

import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_SCOPE_KEY = "contacts_mcp.request_id"
"""Key of the request ID in the ASGI scope."""
CURRENT_REQUEST_ID: ContextVar[str | None] = ContextVar("contacts_mcp.request", default=None)
"""ID of the HTTP request that the current task serves; None outside of one."""

_HEADER = b"x-request-id"


class RequestIdMiddleware:
    """Give every request an ID: in the ASGI scope, in `CURRENT_REQUEST_ID` and as X-Request-ID of the response.

    The caller's own ID is kept if there is one and `accepted` matches all of it. Web sockets are closed.
    """

    def __init__(self, app: ASGIApp, accepted: re.Pattern[bytes]) -> None:
        self._app = app
        self._accepted = accepted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._id_of(scope)
        header = (_HEADER, request_id.encode())
        scope[REQUEST_ID_SCOPE_KEY] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        previous = CURRENT_REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            CURRENT_REQUEST_ID.reset(previous)

    def _id_of(self, scope: Scope) -> str:
        given = [value for name, value in scope["headers"] if name == _HEADER]
        if len(given) == 1 and self._accepted.fullmatch(given[0]):
            return str(given[0], "ascii")
        return secrets.token_hex(8)


def route_path(scope: Scope) -> str:
    """The path of a request without the prefix (`root_path`) under which the app is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def presented_keys(scope: Scope) -> Iterator[tuple[bytes, str]]:
    """The header and the value of every API key: `X-API-Key: …` and `Authorization: Bearer …`.

    The value is empty for an empty header and for another authorization scheme.
    """
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            yield name, value.decode("latin-1").strip()
        elif name == b"authorization":
            yield name, bearer_token(value.decode("latin-1"))


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header; empty for another scheme."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
