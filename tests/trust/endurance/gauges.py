"""What a process holds, as the system sees it from outside, and how fast the machine is at the moment."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

_WORK = """
import hashlib, sys, time
for line in sys.stdin:
    began = time.process_time()
    hashlib.sha256(bytes(10_000_000)).digest()
    print(time.process_time() - began, flush=True)
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


@dataclass(frozen=True)
class Turns:
    """Nanoseconds for which processes were at work on a processor, and for which they waited for one."""

    worked: int
    waited: int

    @classmethod
    def of(cls, pids: Iterable[int]) -> Self:
        times = [Path(f"/proc/{pid}/schedstat").read_text().split() for pid in pids]
        return cls(sum(int(each[0]) for each in times), sum(int(each[1]) for each in times))

    def stretch_since(self, before: Self) -> float:
        """How many times as long their work took as if nobody else had been there."""
        worked = self.worked - before.worked
        return (worked + self.waited - before.waited) / worked


class Yardstick:
    """A process that does the same for each line: how much of a processor that takes is the machine's doing."""

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
            self._process.stdin.write(b"\n")
            self._times.append(float(await self._process.stdout.readline()))
            with suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), _PAUSE)

    def taken(self) -> float:
        """The median since this was asked last, in seconds."""
        times, self._times = self._times, []
        return median(times)
