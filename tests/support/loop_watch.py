"""Measures how long the event loop of this process keeps other callers waiting."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MAX_TURN_SECONDS = 0.1
"""How long a turn of the event loop may take, on a machine with nothing else to do."""
_INTERVAL_SECONDS = 0.002


class LoopWatch:
    """Measures the longest turn of the event loop.

    A turn is the time between two moments at which the loop is free to serve anyone. A thread that keeps the
    interpreter's lock for one long step also prolongs it. Only processor time of this process counts, of all its
    threads, so that other processes on the machine do not disturb the measurement.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            processor, clock = time.process_time(), time.perf_counter()
            await asyncio.sleep(_INTERVAL_SECONDS)
            turn = min(time.process_time() - processor, time.perf_counter() - clock)
            self.longest = max(self.longest, turn)


@asynccontextmanager
async def watch_loop() -> AsyncIterator[LoopWatch]:
    """Watch the event loop while the block runs."""
    watch = LoopWatch()
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    try:
        yield watch
        await asyncio.sleep(2 * _INTERVAL_SECONDS)  # the last turn counts, too
    finally:
        task.cancel()
