"""Sending a job's calls: few at once, slower where the service asks for it, and never cut off half-way."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

import anyio
import anyio.lowlevel

from contacts_mcp.contract import (
    AnswerT,
    Call,
    ContactsError,
    OutcomeUnknown,
    RateLimited,
    Risk,
    ServerFault,
    Unreachable,
    UnreadableAnswer,
)
from contacts_mcp.tools._backend import Backend

T = TypeVar("T")

AT_ONCE = 8
"""Calls of one job under way at once: half of what the client allows, so that others get through."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_PATIENCE = 600.0
"""Seconds that a job waits in all where the service asks it to."""
_SETBACKS = (0.05, 0.2, 0.5, 1.0)
"""Seconds to wait after one failure and the next of a call that can be repeated: among thousands, some fail."""
_PASSING = (ServerFault, Unreachable, UnreadableAnswer)
_LAST_MOMENTS = 2.0
"""Seconds that a change under way gets to be finished after the job was cancelled."""


class JobClient:
    """One job's way to the service. Where the service asks to wait, all of the job's calls wait."""

    def __init__(self, backend: Backend) -> None:
        self._backend = replace(backend, report=None)  # the job itself tells how far it is
        self._resume_at = 0.0
        self._next_wait = _FIRST_WAIT
        self._waited = 0.0
        self._under_way: set[anyio.CancelScope] = set()

    async def send(self, call: Call[AnswerT]) -> AnswerT:
        """Send a call, once the service takes more. A change that was begun is finished even where it is cancelled.

        Raises:
            RateLimited: the service asked for more patience than a job has.
            ContactsError: see ContactsClient.send.
        """
        setbacks = iter(_SETBACKS if call.idempotent else ())
        while True:
            if (wait := self._resume_at - time.monotonic()) > 0:
                await anyio.sleep(wait)
            try:
                answer = await (self._backend.send(call) if call.risk is Risk.READ else self._carry_out(call))
            except RateLimited as exc:
                self._hold(exc)
            except _PASSING:
                if (wait := next(setbacks, 0.0)) == 0.0:
                    raise
                await anyio.sleep(wait)
            else:
                self._next_wait = _FIRST_WAIT
                return answer

    async def map_concurrently(self, items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
        """Do the work of each item, AT_ONCE of them at a time. The first ContactsError stops it, and is raised."""
        source = iter(items)
        faults: list[ContactsError] = []

        async def worker() -> None:
            for item in source:
                try:
                    await work(item)
                except ContactsError as exc:
                    faults.append(exc)
                if faults:
                    return
                await anyio.lowlevel.checkpoint()

        async with self._finishing(), anyio.create_task_group() as workers:
            for _ in range(AT_ONCE):
                workers.start_soon(worker)
        if faults:
            raise faults[0]

    async def _carry_out(self, call: Call[AnswerT]) -> AnswerT:
        with anyio.CancelScope(shield=True) as scope:
            self._under_way.add(scope)
            try:
                return await self._backend.send(call)
            finally:
                self._under_way.discard(scope)
        raise OutcomeUnknown("the job was stopped before the service answered")

    @asynccontextmanager
    async def _finishing(self) -> AsyncIterator[None]:
        """Give what is under way its last moments, once the job around is cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._await_cancellation)
            yield
            tasks.cancel_scope.cancel()

    async def _await_cancellation(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            for scope in self._under_way:
                scope.deadline = anyio.current_time() + _LAST_MOMENTS

    def _hold(self, refusal: RateLimited) -> None:
        wait = self._next_wait if refusal.retry_after is None else max(refusal.retry_after, 0.1)
        until = time.monotonic() + wait
        if until <= self._resume_at:
            return
        self._waited += until - max(self._resume_at, time.monotonic())
        if self._waited > _PATIENCE:
            raise refusal
        self._next_wait = min(2 * self._next_wait, _LONGEST_WAIT)
        self._resume_at = until
