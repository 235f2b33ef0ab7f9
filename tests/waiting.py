"""Waiting for what nothing tells of, in an event loop and outside of one, and never for ever."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator

BOUND = 30.0
"""Seconds in which whatever is waited for has to happen, also on a busy machine."""
_PAUSE = 0.01
_TRIES = 3


async def until(happened: Callable[[], object], what: str = "it did not happen") -> None:
    """Wait while others in this event loop go on; AssertionError with `what` where it does not happen in time."""
    for _ in _looks(happened, what):
        await asyncio.sleep(_PAUSE)


def block_until(happened: Callable[[], object], what: str | Callable[[], str] = "it did not happen") -> None:
    """The same where nobody else has to go on; `what` may be a function, for what is known only then."""
    for _ in _looks(happened, what):
        time.sleep(_PAUSE)


def shortest(measure: Callable[[], float], limit: float) -> float:
    """The first of three measurements that is below `limit`, or else the shortest: a busy machine only adds to them."""
    seconds = math.inf
    for _ in range(_TRIES):
        seconds = min(seconds, measure())
        if seconds < limit:
            break
    return seconds


def _looks(happened: Callable[[], object], what: str | Callable[[], str]) -> Iterator[None]:
    limit = time.monotonic() + BOUND
    while not happened():
        assert time.monotonic() < limit, what if isinstance(what, str) else what()
        yield
