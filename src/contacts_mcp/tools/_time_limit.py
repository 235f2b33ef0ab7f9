"""The time limit of one call of an endpoint tool, with all its requests to the service."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from contacts_mcp.contract import TIME_LIMIT_SECONDS, AnswerT, Call, OutcomeUnknown, ProgressCallback, Risk, Unreachable

if TYPE_CHECKING:
    from contacts_mcp.tools._tool import Sender


class TimeLimit:
    """Sends the requests of one call of a tool, which may take TIME_LIMIT_SECONDS together.

    Only the time in which a request waits counts, and once if several wait: not what a person needs to answer.
    The client ends a request a moment before its deadline, with an error that says what is known.
    """

    def __init__(self, client: "Sender", clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._left = TIME_LIMIT_SECONDS
        self._waiting = 0  # requests under way
        self._counted_at = 0.0  # up to when their time was taken from what is left

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send a call; see Sender."""
        with self._limit():
            return await self._client.send(call, report)
        raise Unreachable(_late()) if call.risk is Risk.READ else OutcomeUnknown(_late())

    async def extensions(self) -> frozenset[str]:
        """Return the service's extensions; see Sender. The first call asks the service, so this takes time as well."""
        with self._limit():
            return await self._client.extensions()
        raise Unreachable(_late())

    async def scopes(self) -> frozenset[str] | None:
        """Return the scopes of the key; see Sender."""
        return await self._client.scopes()

    @contextmanager
    def _limit(self) -> Iterator[None]:
        """Cancel the block when no time is left."""
        self._count_time()
        self._waiting += 1
        try:
            with anyio.move_on_after(self._left):
                yield
        finally:
            self._count_time()
            self._waiting -= 1

    def _count_time(self) -> None:
        """Take the time since the last count from what is left, if a request was under way."""
        now = self._clock()
        if self._waiting:
            self._left = max(0.0, self._left - (now - self._counted_at))
        self._counted_at = now


def _late() -> str:
    return f"the call was not done within {TIME_LIMIT_SECONDS:g} seconds"
