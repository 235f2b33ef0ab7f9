"""Request bodies are read whole, within limits of size and time, before the app runs."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.middleware._errors import Refusal, Render
from contacts_mcp.middleware._requests import route_path

BODY_SCOPE_KEY = "contacts_mcp.body"
"""Key of the whole body, in bytes, in the ASGI scope."""

_MEBIBYTE = 1024 * 1024
_MAX_LENGTH_DIGITS = 18
"""Digits of a Content-Length that are read; a longer number is too large anyway."""
_LINGER_SECONDS = 2.0
"""How long a refused client may go on sending, so that it gets to reading the answer."""
_LINGER_LIMIT_FACTOR = 16
"""How many times the limit is read and discarded meanwhile."""
_MAX_OWNER_SHARE = 4
"""One caller may hold a quarter of a quota."""

_NO_QUOTA: Callable[[int], bool] = lambda _: True  # noqa: E731


class BodyQuota:
    """Bytes of request bodies in memory, at most `max_bytes` in all and a quarter of that for one owner."""

    def __init__(self, max_bytes: int, owner_of: Callable[[Scope], str]) -> None:
        self._max_bytes = max_bytes
        self._owner_of = owner_of
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, scope: Scope) -> Iterator[Callable[[int], bool]]:
        """A function that adds bytes and returns whether they are within the quota; the block's end frees all."""
        owner, total = self._owner_of(scope), 0

        def add(size: int) -> bool:
            nonlocal total
            total += size
            self._held[owner] += size
            return self._held[owner] <= self._max_bytes // _MAX_OWNER_SHARE and self._held.total() <= self._max_bytes

        try:
            yield add
        finally:
            self._held[owner] -= total
            if not self._held[owner]:
                del self._held[owner]


class BodyLimitMiddleware:
    """Read the body into `scope[BODY_SCOPE_KEY]`, then run the app, which can read it again.

    A body of more than `limit_bytes` is answered with 413, a slow one with 408, a compressed one with 415, one above
    the quota with 503; each closes the connection. The app does not run if the client leaves before its body is
    complete. `path_limits` are limits in bytes of single paths.

    The SDK's RequestBodyLimitMiddleware has no time limit and no quota, accepts compressed bodies, and answers at once,
    so that the connection is reset before a client that is still sending can read the answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        render: Render,
        *,
        limit_bytes: int = _MEBIBYTE,
        path_limits: Mapping[str, int] | None = None,
        timeout_seconds: float = 10.0,
        quota: BodyQuota | None = None,
    ) -> None:
        self._app = app
        self._render = render
        self._limit = limit_bytes
        self._path_limits = path_limits or {}
        self._timeout = timeout_seconds
        self._quota = quota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._path_limits.get(route_path(scope), self._limit) if self._path_limits else self._limit
        with self._quota.hold(scope) if self._quota else nullcontext(_NO_QUOTA) as hold:
            try:
                _check_headers(scope, limit)
                async with asyncio.timeout(self._timeout):
                    body = await _read_body(receive, limit, hold)
            except Refusal as refusal:
                await self._refuse(refusal, limit, scope, receive, send)
            except TimeoutError:
                await self._refuse(_too_slow(self._timeout), limit, scope, receive, send)
            else:
                if body is not None:
                    scope[BODY_SCOPE_KEY] = body
                    await self._app(scope, _replay(body, receive), send)

    async def _refuse(self, refusal: Refusal, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then read on for a moment before the connection is closed.

        A connection that is closed with unread bytes is reset, and the reset overtakes the answer.
        """

        async def send_unfinished(message: Message) -> None:
            await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

        if scope.get("http_version", "1.1").startswith("1"):
            refusal.headers["Connection"] = "close"
        await self._render(refusal, scope)(scope, receive, send_unfinished)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await _discard(receive, limit * _LINGER_LIMIT_FACTOR)
        await send({"type": "http.response.body", "body": b""})


def _check_headers(scope: Scope, limit: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:_MAX_LENGTH_DIGITS]) > limit:
            raise _too_large(limit)
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            message = "the body is compressed; send it without Content-Encoding"
            headers = {"Accept-Encoding": "identity"}
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message, headers)


async def _read_body(receive: Receive, limit: int, hold: Callable[[int], bool]) -> bytes | None:
    """The whole body, or None if the client left before it was complete."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
        if not hold(len(chunk)):
            text = "too much is being sent at once; wait 1 second, and send less at a time"
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", text, {"Retry-After": "1"})
        if not message.get("more_body", False):
            return bytes(body)


async def _discard(receive: Receive, max_bytes: int) -> None:
    """Read until the body or the connection ends, or `max_bytes` have come."""
    while max_bytes > 0:
        message = await receive()
        if not message.get("more_body", False):
            return
        max_bytes -= len(message.get("body", b""))


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then what the connection sends: that the client left."""
    first: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def replay() -> Message:
        nonlocal first
        if first is None:
            return await receive()
        message, first = first, None
        return message

    return replay


def _too_large(limit: int) -> Refusal:
    size = f"{limit:,} bytes" if limit % _MEBIBYTE else f"{limit // _MEBIBYTE} MiB"
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"the body has more than {size}; send less at once"
    )


def _too_slow(seconds: float) -> Refusal:
    message = f"the body did not arrive within {seconds:g} seconds; send it again"
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow", message)
