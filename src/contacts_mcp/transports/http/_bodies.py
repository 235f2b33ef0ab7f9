"""Bodies are read whole, once, within a limit and a time, before anything runs."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.server import CALLER_SCOPE_KEY
from contacts_mcp.transports.http._refusals import Refusal

BODY = "contacts_mcp.body"
"""Where the ASGI scope keeps the whole body of a request, in bytes."""

_LARGEST = 1024 * 1024
_MOST_HELD = 64 * 1024 * 1024
"""Bytes of all bodies that are being read or worked on."""
_PATIENCE = 10.0
_DIGITS = 18
"""As many of a length as are looked at; one with more is too large by these."""
_LINGER = 2.0
"""Seconds in which a client that is turned down may still send, so that it comes to reading the answer."""
_LINGER_TIMES = 16
"""How many times the limit is read, and forgotten, meanwhile."""


class Bodies:
    """Read every body into `scope[BODY]`, and let the app read it again.

    More than `limit` bytes are answered by 413, more than `seconds` by 408, a Content-Encoding by 415, all of which
    close the connection. Where the client leaves before its body is complete, nothing runs.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int = _LARGEST, seconds: float = _PATIENCE, most_held: int = _MOST_HELD
    ) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds
        self._held = Held(most_held)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._held.by(scope) as held:
            try:
                self._look_at(scope)
                async with asyncio.timeout(self._seconds):
                    body = await self._read(scope, receive, held)
            except Refusal as refusal:
                await self._turn_down(refusal, scope, receive, send)
            except TimeoutError:
                await self._turn_down(self._too_slow(scope), scope, receive, send)
            else:
                if body is not None:
                    scope[BODY] = body
                    await self._app(scope, _replayed(body, receive), send)

    def _look_at(self, scope: Scope) -> None:
        """Refuse what the headers alone tell of."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value[:_DIGITS]) > self._limit:
                raise self._too_large(scope)
            if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
                line = "unsupported_encoding: the body is compressed; send it without Content-Encoding"
                raise _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, line, scope, {"Accept-Encoding": "identity"})

    async def _read(self, scope: Scope, receive: Receive, held: Callable[[int], bool]) -> bytes | None:
        """The body, or None where the client left before it was complete."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            piece = message.get("body", b"")
            body += piece
            if len(body) > self._limit:
                raise self._too_large(scope)
            if not held(len(piece)):
                line = "busy: too much is being sent at once; wait 1 second, and send less at a time"
                raise _refusal(HTTPStatus.SERVICE_UNAVAILABLE, line, scope, {"Retry-After": "1"})
            if not message.get("more_body", False):
                return _in_utf8(bytes(body), scope)

    def _too_large(self, scope: Scope) -> Refusal:
        line = f"too_large: the body has more than {self._limit:,} bytes; send less at once"
        return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, line, scope)

    def _too_slow(self, scope: Scope) -> Refusal:
        line = f"too_slow: the body did not arrive within {self._seconds:g} seconds; send it again"
        return _refusal(HTTPStatus.REQUEST_TIMEOUT, line, scope)

    async def _turn_down(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then read on for a moment before the connection is closed.

        A connection that is closed with bytes unread is reset, and the reset overtakes the answer.
        """

        async def held_open(message: Message) -> None:
            await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

        await refusal(scope, receive, held_open)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                await _forget(receive, self._limit * _LINGER_TIMES)
        await send({"type": "http.response.body", "body": b""})


class Held:
    """Bytes of bodies in memory: one caller may have a quarter of `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: Counter[str] = Counter()

    @contextmanager
    def by(self, scope: Scope) -> Iterator[Callable[[int], bool]]:
        """A function that notes bytes more, and says whether they can be held; all are let go at the end."""
        caller = scope.get(CALLER_SCOPE_KEY)
        whose, taken = caller.principal if caller else "", 0

        def hold(size: int) -> bool:
            nonlocal taken
            taken += size
            self._of[whose] += size
            return self._of[whose] <= self._most // 4 and self._of.total() <= self._most

        try:
            yield hold
        finally:
            self._of[whose] -= taken
            if not self._of[whose]:
                del self._of[whose]


def _in_utf8(body: bytes, scope: Scope) -> bytes:
    """Refuse JSON in another encoding, which not everybody who looks at it would read alike."""
    if b"\0" in body[:4] or body[:2] in (b"\xfe\xff", b"\xff\xfe"):
        line = "unsupported_encoding: JSON over HTTP is UTF-8; send it so"
        raise _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, line, scope)
    return body


async def _forget(receive: Receive, most: int) -> None:
    """Read until the body or the connection ends, or `most` bytes have come."""
    while most > 0:
        message = await receive()
        if not message.get("more_body", False):
            return
        most -= len(message.get("body", b""))


def _refusal(status: HTTPStatus, line: str, scope: Scope, headers: Mapping[str, str] | None = None) -> Refusal:
    """Turn a request down and end its connection, where the version of HTTP has a header for that."""
    ending = {"Connection": "close"} if scope["http_version"].startswith("1") else {}
    return Refusal(status, line, {**(headers or {}), **ending})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then what the connection says: that the client left."""
    whole: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def replay() -> Message:
        nonlocal whole
        if whole is None:
            return await receive()
        message, whole = whole, None
        return message

    return replay
