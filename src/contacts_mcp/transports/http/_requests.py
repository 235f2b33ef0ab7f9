"""The outermost layer: an id for every request, and an answer where everything else has failed."""

import asyncio
import logging
import re
import secrets
import traceback
from collections.abc import Iterator
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.server import CURRENT_REQUEST_ID, REQUEST_ID_SCOPE_KEY
from contacts_mcp.transports.http._refusals import Refusal

_HEADER = b"x-request-id"
_USABLE = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_FRAMES = 4
"""Places in the program, innermost first, by which the log says where something failed."""

_log = logging.getLogger(__name__)


class RequestIds:
    """Give every request an id, in `scope[REQUEST_ID_SCOPE_KEY]` and as X-Request-ID; let no exception out.

    The caller's own id is kept where it has 8 to 64 letters, digits, dots, hyphens or underscores. An exception is
    logged by its type and place: its text may hold somebody's data, and the ASGI server would print all of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[REQUEST_ID_SCOPE_KEY] = name = _id_of(scope)
        served = CURRENT_REQUEST_ID.set(name)
        started = False

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message.get("headers", ()), (_HEADER, name.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, marked)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
            # Being cancelled ends here as well: the server only does it at its own end, and would print a traceback.
            refusal = _refusal(error, name)
            if not started:
                await refusal(scope, receive, marked)
            # Else the answer stays incomplete, at which the server closes the connection.
        finally:
            CURRENT_REQUEST_ID.reset(served)


def _id_of(scope: Scope) -> str:
    given = [value for header, value in scope["headers"] if header == _HEADER]
    if len(given) == 1 and _USABLE.fullmatch(given[0]):
        return str(given[0], "ascii")
    return secrets.token_hex(8)


def _refusal(error: BaseException, name: str) -> Refusal:
    """What the caller is told of an exception. One that nobody foresaw is logged."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, asyncio.CancelledError):
        line = "stopping: the server is stopping; what was called may have happened, so look before you call again"
        return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, line, {"Retry-After": "5"})
    for cause in _causes(error):
        _log.error("request %s: %s at %s", name, type(cause).__name__, _place(cause))
    line = f"internal: the server failed in a way nobody foresaw; give its operator the request id {name}"
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, line)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, or the one that there is."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    else:
        yield error


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[: -_FRAMES - 1 : -1]
    return " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
