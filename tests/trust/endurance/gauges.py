"""What a process holds, as the system sees it from outside, and how fast the machine is at the moment."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

_WORK = """
import hashlib, sys
for line in sys.stdin:
    hashlib.sha256(bytes(10_000_000)).digest()
    print(flush=True)
"""
_PAUSE = 0.1
"""Seconds between two looks at the machine: often enough for a median, seldom enough to be no load."""


@dataclass(frozen=True)
class Held:
    """What a process holds: memory that is no file's in KiB, open descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> Self:
        process = Path(f"/proc/{pid}")
        sizes = dict(line.split(":") for line in (process / "smaps_rollup").read_text().splitlines()[1:])
        return cls(
            int(sizes["Anonymous"].split()[0]), len(os.listdir(process / "fd")), len(os.listdir(process / "task"))
        )


class Yardstick:
    """A process that does the same for each line, for some milliseconds: how long that takes is the machine's doing."""

    def __init__(self) -> None:
        self._times: list[float] = []

    async def __aenter__(self) -> Self:
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WORK, **pipes)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self._process.kill()
        await self._process.wait()

    @asynccontextmanager
    async def laid_on(self) -> AsyncIterator[None]:
        """Look at the machine now and then meanwhile."""
        enough = asyncio.Event()
        looking = asyncio.create_task(self._look_until(enough))
        try:
            yield
        finally:
            enough.set()
            await looking

    async def _look_until(self, enough: asyncio.Event) -> None:
        assert self._process.stdin
        assert self._process.stdout
        while not enough.is_set():
            began = time.perf_counter()
            self._process.stdin.write(b"\n")
            await self._process.stdout.readline()
            self._times.append(time.perf_counter() - began)
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), _PAUSE)

    def taken(self) -> float:
        """The median since this was asked last, in seconds."""
        times, self._times = self._times, []
        return median(times)
