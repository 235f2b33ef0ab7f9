"""Refusals and unexpected exceptions: one middleware answers both, in the format of the server that uses it."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.middleware._requests import REQUEST_ID_SCOPE_KEY

_LOGGED_FRAMES = 4
"""Innermost stack frames that are logged of an unexpected exception."""

_log = logging.getLogger(__name__)


class Refusal(Exception):
    """A request that is not served.

    Attributes:
        status: the HTTP status of the response.
        code: the error for programs, such as `too_large`.
        message: what happened, and what to do next.
        headers: further headers of the response.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = HTTPStatus(status)
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


Render = Callable[[Refusal, Scope], ASGIApp]
"""Makes the response to a refused request."""


class ErrorMiddleware:
    """Answer a Refusal that `app` raises, and any other exception with status 500.

    An unexpected exception is logged by its type and its place in the program, because its text may hold personal data.
    With `answers_cancelled` a cancelled request is answered with status 503; use it only in the outermost middleware
    of a server, which cancels requests only when it ends.
    """

    def __init__(self, app: ASGIApp, render: Render, *, answers_cancelled: bool = False) -> None:
        self._app = app
        self._render = render
        self._caught = (Exception, asyncio.CancelledError) if answers_cancelled else (Exception,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def note_start(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except self._caught as error:
            refusal = _refusal_for(error, scope.get(REQUEST_ID_SCOPE_KEY, "-"))
            if not has_started:
                await self._render(refusal, scope)(scope, receive, send)
            # Otherwise the response stays incomplete, and the server closes the connection.


def _refusal_for(error: BaseException, request_id: str) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, asyncio.CancelledError):
        message = "the server is stopping; the call may have been carried out, so check before you repeat it"
        return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", message, {"Retry-After": "5"})
    for cause in _causes(error):
        _log.error("request %s: %s at %s", request_id, type(cause).__name__, _exception_site(cause))
    message = f"an unexpected error occurred; give the server's operator the request ID {request_id}"
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", message)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, or the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    else:
        yield error


def _exception_site(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[: -_LOGGED_FRAMES - 1 : -1]
    return " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
