"""A name for every request, by which caller and operator speak of the same one."""

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.directory.api.middleware import REQUEST_ID_SCOPE_KEY

_HEADER = b"x-request-id"
_USABLE = re.compile(rb"[\x21-\x7e]{1,128}")


class RequestIds:
    """Gives every request an id, in `scope[REQUEST_ID_SCOPE_KEY]` and as `X-Request-ID` of its answer.

    The caller's own is kept where it has 1 to 128 visible ASCII characters.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = _id_of(scope)
        scope[REQUEST_ID_SCOPE_KEY] = name.decode()

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (_HEADER, name)]}
            await send(message)

        await self._app(scope, receive, marked)


def _id_of(scope: Scope) -> bytes:
    given = [value for header, value in scope["headers"] if header == _HEADER]
    if len(given) == 1 and _USABLE.fullmatch(given[0]):
        return bytes(given[0])
    return secrets.token_hex(8).encode()
