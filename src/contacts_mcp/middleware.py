"""ASGI middleware that the MCP server over HTTP and the directory service share.

Each request gets an ID, refusals and unexpected exceptions get a response, and bodies are read whole within limits.
"""

import asyncio
import logging
import re
import secrets
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID_SCOPE_KEY = "contacts_mcp.request_id"
"""Key of the request ID in the ASGI scope."""
CURRENT_REQUEST_ID: ContextVar[str | None] = ContextVar("contacts_mcp.request", default=None)
"""ID of the HTTP request that the current task serves; None outside of one."""
BODY_SCOPE_KEY = "contacts_mcp.body"
"""Key of the whole body, in bytes, in the ASGI scope."""

_REQUEST_ID_HEADER = b"x-request-id"
_LOGGED_FRAMES = 4
"""How many of the innermost stack frames are logged for an unexpected exception."""
_MEBIBYTE = 1024 * 1024
_MAX_LENGTH_DIGITS = 18
"""How many digits of a Content-Length are read; a longer number is too large anyway."""
_LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and discarded, so that the client can read the answer."""
_LINGER_LIMIT_FACTOR = 16
"""The discarded part of a body is at most this many times the body limit."""
_QUOTA_DIVISOR = 4
"""One owner may hold a quarter of a quota."""

_log = logging.getLogger(__name__)


class RequestIdMiddleware:
    """Give every request an ID: in the ASGI scope, in `CURRENT_REQUEST_ID` and as X-Request-ID of the response.

    The caller's own ID is kept if there is one and `accepted` matches all of it. Web sockets are closed.
    """

    def __init__(self, app: ASGIApp, accepted: re.Pattern[bytes]) -> None:
        self._app = app
        self._accepted = accepted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._id_of(scope)
        header = (_REQUEST_ID_HEADER, request_id.encode())
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
        given = [value for name, value in scope["headers"] if name == _REQUEST_ID_HEADER]
        if len(given) == 1 and self._accepted.fullmatch(given[0]):
            return str(given[0], "ascii")
        return secrets.token_hex(8)


def route_path(scope: Scope) -> str:
    """Return the path of a request without the prefix (`root_path`) under which the app is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def presented_keys(scope: Scope) -> Iterator[tuple[bytes, str]]:
    """Return the header and the value of every API key: `X-API-Key: …` and `Authorization: Bearer …`.

    The value is empty for an empty header and for another authorization scheme.
    """
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            yield name, value.decode("latin-1").strip()
        elif name == b"authorization":
            yield name, bearer_token(value.decode("latin-1"))


def bearer_token(authorization: str) -> str:
    """Return the token of an Authorization header; empty for another scheme."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


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
OwnerOf = Callable[[Scope], str]
"""Returns whose request it is."""


class ErrorMiddleware:
    """Answer a Refusal that `app` raises, and any other exception with status 500.

    An unexpected exception is logged by type and location, because its text may hold personal data.
    With `answers_cancelled` a cancelled request is answered with status 503. Use it only for the outermost middleware:
    the server cancels a request only when it stops.
    """

    def __init__(self, app: ASGIApp, render: Render, *, answers_cancelled: bool = False) -> None:
        self._app = app
        self._render = render
        self._caught = (Exception, asyncio.CancelledError) if answers_cancelled else (Exception,)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
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
            refusal = refusal_for(error, scope.get(REQUEST_ID_SCOPE_KEY, "-"))
            if not has_started:
                await self._render(refusal, scope)(scope, receive, send)
            # Otherwise the response stays incomplete, and the server closes the connection.


def refusal_for(error: BaseException, request_id: str = "-") -> Refusal:
    """Return a Refusal itself; log any other exception, and return the refusal that tells of it without its text."""
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
    """Return the exceptions of a group, or the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    else:
        yield error


def _exception_site(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[: -_LOGGED_FRAMES - 1 : -1]
    return " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)


@contextmanager
def counted(counter: Counter[str], key: str) -> Iterator[None]:
    """Count one more of a key while the block runs; a key with none takes no memory."""
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]


class ConcurrencyLimitMiddleware:
    """Refuse (429) a request of an owner who has `max_requests` without a whole answer, so that others find room.

    It runs before the body is read: requests whose body is still to come count as well.
    """

    def __init__(self, app: ASGIApp, owner_of: OwnerOf, max_requests: int) -> None:
        self._app = app
        self._owner_of = owner_of
        self._max_requests = max_requests
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        owner = self._owner_of(scope)
        if self._running[owner] >= self._max_requests:
            message = f"{self._max_requests} of your requests have no answer yet; wait for them, then send it again"
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", message, {"Retry-After": "1"})
        with counted(self._running, owner):
            await self._app(scope, receive, send)


class BodyQuota:
    """Bytes of request bodies in memory, at most `max_bytes` in all and a quarter of that for one owner."""

    def __init__(self, max_bytes: int, owner_of: OwnerOf) -> None:
        self._max_bytes = max_bytes
        self._owner_of = owner_of
        self._held: Counter[str] = Counter()

    @contextmanager
    def hold(self, scope: Scope) -> Iterator[Callable[[int], bool]]:
        """Yield a function that reserves bytes and returns whether all are within the quota; leaving frees them."""
        owner, total = self._owner_of(scope), 0

        def reserve(size: int) -> bool:
            nonlocal total
            total += size
            self._held[owner] += size
            return self._held[owner] <= self._max_bytes // _QUOTA_DIVISOR and self._held.total() <= self._max_bytes

        try:
            yield reserve
        finally:
            self._held[owner] -= total
            if not self._held[owner]:
                del self._held[owner]


@dataclass(frozen=True, slots=True)
class BodyLimitMiddleware:
    """Read the body into `scope[BODY_SCOPE_KEY]`, then run the app, which can read it again.

    A body of more than `limit_bytes` is answered with 413, a slow one with 408, a compressed one with 415, one above
    the quota with 503; each closes the connection. The app does not run if the client leaves before its body is
    complete. `path_limits` are limits in bytes of single paths, and `path_timeouts` in seconds.

    The SDK's RequestBodyLimitMiddleware has no time limit and no quota, accepts compressed bodies, and answers at once,
    so that the connection is reset before a client that is still sending can read the answer.
    """

    app: ASGIApp
    render: Render
    _: KW_ONLY
    limit_bytes: int = _MEBIBYTE
    path_limits: Mapping[str, int] = field(default_factory=dict)
    timeout_seconds: float = 10.0
    path_timeouts: Mapping[str, float] = field(default_factory=dict)
    quota: BodyQuota | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.path_limits.get(route_path(scope), self.limit_bytes)
        timeout = self.path_timeouts.get(route_path(scope), self.timeout_seconds)
        with self.quota.hold(scope) if self.quota else nullcontext(lambda _: True) as reserve:
            try:
                check_body_headers(scope, limit)
                async with asyncio.timeout(timeout):
                    body = await _read_body(receive, limit, reserve)
            except Refusal as refusal:
                await refuse_body(refusal, self.render, limit, scope, receive, send)
            except TimeoutError:
                message = f"the body did not arrive within {timeout:g} seconds; send it again"
                too_slow = Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow", message)
                await refuse_body(too_slow, self.render, limit, scope, receive, send)
            else:
                if body is not None:
                    scope[BODY_SCOPE_KEY] = body
                    await self.app(scope, _replay(body, receive), send)


async def refuse_body(refusal: Refusal, render: Render, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, then discard the rest of a body of `limit` bytes for a moment before the connection is closed.

    A connection that is closed with unread bytes is reset, and the reset overtakes the answer.
    """

    async def send_unfinished(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    if scope.get("http_version", "1.1").startswith("1"):
        refusal.headers["Connection"] = "close"
    await render(refusal, scope)(scope, receive, send_unfinished)
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await _discard(receive, limit * _LINGER_LIMIT_FACTOR)
    await send({"type": "http.response.body", "body": b""})


def check_body_headers(scope: Scope, limit: int) -> None:
    """Raise Refusal if the headers announce a body of more than `limit` bytes, or a compressed one."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value[:_MAX_LENGTH_DIGITS]) > limit:
            raise too_large(limit)
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            message = "the body is compressed; send it without Content-Encoding"
            headers = {"Accept-Encoding": "identity"}
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message, headers)


async def _read_body(receive: Receive, limit: int, reserve: Callable[[int], bool]) -> bytes | None:
    """Return the whole body, or None if the client left before it was complete."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        body += chunk
        if len(body) > limit:
            raise too_large(limit)
        if not reserve(len(chunk)):
            text = "too much is being sent at once; wait 1 second, and send less at a time"
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", text, {"Retry-After": "1"})
        if not message.get("more_body", False):
            return bytes(body)


async def _discard(receive: Receive, max_bytes: int) -> None:
    """Read until the body or the connection ends, or `max_bytes` have arrived."""
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


def too_large(limit: int) -> Refusal:
    """Return the refusal of a body of more than `limit` bytes."""
    size = f"{limit:,} bytes" if limit % _MEBIBYTE else f"{limit // _MEBIBYTE} MiB"
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"the body has more than {size}; send less at once"
    )
