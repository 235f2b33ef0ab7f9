"""Limits for each caller: calls a minute, messages a minute, and open event streams."""

import math
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus

from cachetools import LRUCache
from pydantic_core import from_json
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.middleware import BODY_SCOPE_KEY, Refusal, counted
from contacts_mcp.server import CALLER_SCOPE_KEY
from contacts_mcp.token_bucket import TokenBucket

MAX_STREAMS = 32
"""Open event streams of one caller."""
_MAX_CALLERS = 10_000
_STREAM_RETRY_SECONDS = 5
_MESSAGES_PER_CALL = 2
"""A call brings at most two messages: the answer to its question, and its cancellation."""


class Kind(Enum):
    """What a request asks of the server."""

    CALL = auto()  # a JSON-RPC request, and everything that cannot be parsed
    STREAM = auto()  # stays open for as long as the client likes
    MESSAGE = auto()  # an answer or a notification, which a call may be waiting for, or the end of a session


class RateLimitMiddleware:
    """Refuse (429) a caller who made too many calls in a minute, or has `max_streams` event streams open.

    `calls_per_minute` (0: no limit) are refilled continuously, see TokenBucket. Answers and notifications have a more
    generous limit of their own, because a call may be waiting for them. The number of concurrent calls is limited in
    the server, for all transports. Each process counts for itself.

    The scope needs the caller and the body: a request without them did not pass authentication, and is a KeyError.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        calls_per_minute: int,
        max_streams: int = MAX_STREAMS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._calls_per_minute = calls_per_minute
        self._max_streams = max_streams
        self._clock = clock
        # A forgotten caller starts with full buckets, so the callers forgotten are those idle for longest.
        self._buckets: LRUCache[tuple[str, Kind], TokenBucket] = LRUCache(2 * _MAX_CALLERS)
        self._streams: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = scope[CALLER_SCOPE_KEY].principal
        kind = kind_of(scope["method"], scope[BODY_SCOPE_KEY])
        if kind is not Kind.STREAM:
            self._take_token(principal, kind)
            await self._app(scope, receive, send)
            return
        if self._streams[principal] >= self._max_streams:
            raise _limited(f"this caller has {self._max_streams} event streams open", _STREAM_RETRY_SECONDS)
        self._take_token(principal, Kind.MESSAGE)
        with counted(self._streams, principal):
            await self._app(scope, receive, send)

    def _take_token(self, principal: str, kind: Kind) -> None:
        now = self._clock()
        bucket = self._buckets.get((principal, kind))
        if bucket is None:
            times = 1 if kind is Kind.CALL else _MESSAGES_PER_CALL
            bucket = self._buckets[principal, kind] = TokenBucket(self._calls_per_minute, now, times=times)
        if wait := bucket.wait(now):
            raise _limited(f"this caller may make {self._calls_per_minute} calls a minute", wait)


def kind_of(method: str, body: bytes) -> Kind:
    """What a request asks for. What cannot be parsed counts as a call, so that unclear requests bypass no limit."""
    if method != "POST":
        return Kind.STREAM if method == "GET" else Kind.MESSAGE
    try:
        message = from_json(body)
    except ValueError:
        return Kind.CALL
    if not isinstance(message, dict):
        return Kind.CALL
    if "method" not in message:
        return Kind.MESSAGE if "result" in message or "error" in message else Kind.CALL
    if "id" not in message:
        return Kind.MESSAGE
    return Kind.STREAM if message["method"] == "subscriptions/listen" else Kind.CALL


def _limited(what: str, wait_seconds: float) -> Refusal:
    seconds = max(1, math.ceil(wait_seconds))
    message = f"{what}; wait {seconds} second{'s' if seconds > 1 else ''}"
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", message, {"Retry-After": str(seconds)})
