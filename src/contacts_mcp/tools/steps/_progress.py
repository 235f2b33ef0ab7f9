"""Telling how far a long job is, and letting others run meanwhile."""

import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

import anyio.lowlevel

from contacts_mcp.contract import ProgressCallback

T = TypeVar("T")

_BETWEEN = 0.3
"""Seconds between two reports: a person reads no faster, and each is a message."""
_TURN = 200
"""Items of pure work between two chances for others."""


class Progress:
    """Counts what is done, and tells it now and then; `what` says of what, such as `contacts read`."""

    def __init__(self, report: ProgressCallback | None, what: str, total: int | None = None) -> None:
        self.total = total
        self._report = report
        self._what = what
        self._done = 0
        self._told = time.monotonic()

    async def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self._done += count
        if self._report is not None and time.monotonic() - self._told >= _BETWEEN:
            await self.tell(self._what)

    async def tell(self, message: str) -> None:
        """Tell it now, in these words."""
        self._told = time.monotonic()
        if self._report is not None:
            await self._report(self._done, self.total, message)


async def in_turns(items: Iterable[T], progress: Progress | None = None) -> AsyncIterator[T]:
    """Go through items of pure work; others run between, and a cancellation takes effect there."""
    for number, item in enumerate(items, 1):
        yield item
        if number % _TURN == 0:
            if progress is not None:
                await progress.advance(_TURN)
            await anyio.lowlevel.checkpoint()
