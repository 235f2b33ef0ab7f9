"""Divide long work into turns, so that the event loop serves other callers in between, and report its progress."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from heapq import merge
from typing import Any, TypeVar

import anyio.lowlevel
import anyio.to_thread

from contacts_mcp.contract import ProgressCallback

T = TypeVar("T")

REPORT_INTERVAL_SECONDS = 0.3  # between two progress reports; each one is a message to the host
_TURN_SECONDS = 0.02  # of CPU work before other tasks get a turn
_SORTED_AT_ONCE = 5_000


class ProgressReporter:
    """Counts items and reports the count at intervals; `what` names the unit, such as `contacts read`."""

    def __init__(self, report: ProgressCallback | None, what: str, total: int | None = None) -> None:
        self.total = total
        self._report = report
        self._what = what
        self._done = 0
        self._reported_at = time.monotonic()

    async def advance(self, count: int = 1) -> None:
        """Count more items as done."""
        self._done += count
        now = time.monotonic()
        if self._report is not None and now - self._reported_at >= REPORT_INTERVAL_SECONDS:
            self._reported_at = now
            await self._report(self._done, self.total, self._what)


async def iterate_cooperatively(items: Iterable[T], progress: ProgressReporter | None = None) -> AsyncIterator[T]:
    """Iterate over items of CPU work. After each turn of 20 ms other tasks run, and a cancellation takes effect."""
    count, turn_ends = 0, time.monotonic() + _TURN_SECONDS
    for item in items:
        yield item
        count += 1
        if time.monotonic() >= turn_ends:
            if progress is not None:
                await progress.advance(count)
            await anyio.lowlevel.checkpoint()
            count, turn_ends = 0, time.monotonic() + _TURN_SECONDS


async def iterate_in_thread(items: Iterable[T], progress: ProgressReporter | None = None) -> AsyncIterator[T]:
    """Iterate over work of which a single item may take long, such as a card of a megabyte, in a worker thread."""
    iterator = iter(items)
    while turn := await anyio.to_thread.run_sync(_take_turn, iterator):
        if progress is not None:
            await progress.advance(len(turn))
        for item in turn:
            yield item


def _take_turn(iterator: Iterator[T]) -> list[T]:
    turn: list[T] = []
    ends = time.monotonic() + _TURN_SECONDS
    for item in iterator:
        turn.append(item)
        if time.monotonic() >= ends:
            break
    return turn


def iter_sorted(items: Sequence[T], key: Callable[[T], Any]) -> Iterator[T]:
    """Iterate over items in their order. One sort of a million items would keep the interpreter's lock for a second."""
    starts = range(0, len(items), _SORTED_AT_ONCE)
    return merge(*(sorted(items[start : start + _SORTED_AT_ONCE], key=key) for start in starts), key=key)
