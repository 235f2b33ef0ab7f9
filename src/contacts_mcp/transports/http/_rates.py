"""How much one caller may do: calls at once, calls a minute, and event streams at once."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from itertools import islice

from pydantic_core import from_json
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.server import CALLER_SCOPE_KEY
from contacts_mcp.token_bucket import TokenBucket
from contacts_mcp.transports.http._bodies import BODY
from contacts_mcp.transports.http._refusals import Refusal

_MOST_CALLERS = 10_000
_STREAM_WAIT = 5
"""Seconds after which it makes sense to try for another stream."""
_MESSAGES_PER_CALL = 2
"""What a call brings with it at most: the answer to its question, and that it is given up."""


class Kind(Enum):
    """What a request asks of the server."""

    CALL = auto()  # a JSON-RPC request, and whatever cannot be read
    STREAM = auto()  # stays open for as long as the client likes
    MESSAGE = auto()  # an answer or a notification, which a call may be waiting for, or the end of a session


@dataclass(slots=True)
class _Use:
    """What one caller is doing."""

    calls: TokenBucket
    messages: TokenBucket
    open: Counter[Kind] = field(default_factory=Counter)

    def is_none(self, now: float) -> bool:
        return self.open.total() == 0 and self.calls.is_full(now) and self.messages.is_full(now)


class Rates:
    """Answer 429 to a caller who has `at_once` calls running, or `streams` open, or made too many calls in a minute.

    `per_minute` calls (0: as many as they like) are refilled continuously, as in TokenBucket. Answers and notifications
    never wait for a place, because a call may be waiting for them; they are only kept from being a flood. Each process
    counts for itself.

    Wants `scope[CALLER_SCOPE_KEY]` and `scope[BODY]`: a request without them was let in by nobody, which is a KeyError.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        at_once: int,
        per_minute: int,
        streams: int = 32,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._places = {Kind.CALL: at_once, Kind.STREAM: streams, Kind.MESSAGE: math.inf}
        self._per_minute = per_minute
        self._clock = clock
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        use = self._use_of(scope[CALLER_SCOPE_KEY].principal)
        kind = kind_of(scope["method"], scope[BODY])
        refusal = self._refusal(use, kind)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        use.open[kind] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            use.open[kind] -= 1

    def _refusal(self, use: _Use, kind: Kind) -> Refusal | None:
        if use.open[kind] >= self._places[kind]:
            if kind is Kind.STREAM:
                return _refused(f"this caller has {use.open[kind]} event streams open", _STREAM_WAIT)
            return _refused(f"this caller has {use.open[kind]} calls running", 1)
        bucket = use.calls if kind is Kind.CALL else use.messages
        wait = bucket.wait(self._clock())
        return _refused(f"this caller may make {self._per_minute} calls a minute", wait) if wait else None

    def _use_of(self, principal: str) -> _Use:
        use = self._uses.get(principal)
        if use is None:
            self._forget()
            use = self._uses[principal] = _Use(self._bucket(1), self._bucket(_MESSAGES_PER_CALL))
        self._uses.move_to_end(principal)
        return use

    def _bucket(self, times: int) -> TokenBucket:
        return TokenBucket(self._per_minute, self._clock(), times=times)

    def _forget(self) -> None:
        """Drop up to two of the callers who were quiet the longest, for one that is new.

        Those who use nothing are as good as new, those with something open are kept, and others go where there are
        too many.
        """
        now = self._clock()
        for principal in list(islice(self._uses, 2)):
            use = self._uses[principal]
            if use.open.total():
                self._uses.move_to_end(principal)
            elif len(self._uses) >= _MOST_CALLERS or use.is_none(now):
                del self._uses[principal]


def kind_of(method: str, body: bytes) -> Kind:
    """What a request asks. What cannot be read counts as a call: nobody gets round a limit by being unclear."""
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


def _refused(what: str, wait: float) -> Refusal:
    seconds = max(1, math.ceil(wait))
    line = f"rate_limited: {what}; wait {seconds} second{'s' if seconds > 1 else ''}"
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, line, {"Retry-After": str(seconds)})
