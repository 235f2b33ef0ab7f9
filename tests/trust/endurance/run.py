"""A long run of several callers against one server: what the server holds over time, and whether it gets slower.

Minutes of one machine differ by more than the slowdown that is looked for, so moments are not compared with each other.
Instead a fresh server gets a copy of the directory, and copies of the callers make the same calls there, in turns.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from statistics import median

from support.processes import ProcessResources
from trust.endurance.caller import Caller
from trust.endurance.servers import Backend, OpenBackend, RunningServer, StartServer
from trust.endurance.workload import Workload
from trust.faults import copy_database

CALLERS = 4
_PARTS_OF_A_STRETCH = 5
"""The proxy is faulty in one of this many phases."""
_MAX_STRETCH_CALLS = 2_500
"""Calls between two checks: the possible results of abandoned calls double with each."""
_WARM_UP_CALLS = 600
_TURNS, _CALLS_PER_TURN = 12, 100
_MAX_COMPARISONS = 6
"""How often so many turns are repeated while a tool seems slow: chance evens out, and a slow server stays slow."""
_MAX_TOOL_RATIO, _MAX_MEDIAN_RATIO = 1.20, 1.15
"""How much longer one tool may take, within the confidence interval of its median, and the median of all tools."""
_MEDIAN_OF_TOOLS = "half of the tools"
_IGNORED_SECONDS = 0.001
_MIN_CALLS, _MIN_TOOLS = 30, 10
"""How many calls a median needs, and how many tools have to have one."""


@dataclass(frozen=True)
class Sample:
    """What processes and the directory's file held at one check, so many seconds after the run began.

    `file` is in KiB: each erasure leaves a receipt.
    """

    seconds: float
    resources: Mapping[str, ProcessResources]
    file: int


@dataclass
class Run:
    """A server, its callers' workloads, and the samples taken so far."""

    backend: Backend
    server: RunningServer
    workloads: Sequence[Workload]
    samples: list[Sample] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def callers(self) -> list[Caller]:
        return [workload.caller for workload in self.workloads]

    async def stretch(self, calls: int) -> None:
        """Make so many calls, then check everything and take a sample."""
        stretches = -(-calls // _MAX_STRETCH_CALLS)
        for _ in range(stretches):
            for part in range(_PARTS_OF_A_STRETCH):
                self._set_faulty(part == _PARTS_OF_A_STRETCH // 2)
                await self.work(calls // stretches // _PARTS_OF_A_STRETCH)
            self._set_faulty(False)
            await self.check()
        processes = {"the server": self.server.pid, **self.backend.processes}
        resources = {name: ProcessResources.of(pid) for name, pid in processes.items()}
        file = self.backend.file.stat().st_size // 1024
        self.samples.append(Sample(time.monotonic() - self.began, resources, file))

    async def work(self, calls: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for workload in self.workloads:
                tasks.create_task(workload.run(calls // CALLERS))

    async def check(self) -> None:
        """Compare the directory with every model, and forget how long calls have taken."""
        contacts = [await workload.settle() for workload in self.workloads]
        listing = await self.callers[0].read("list_contacts", per_page=1)
        assert listing["total"] == sum(contacts)
        for caller in self.callers:
            caller.seconds.clear()

    def _set_faulty(self, is_faulty: bool) -> None:
        if self.backend.proxy:
            self.backend.proxy.is_faulty = is_faulty

    def seconds_by_tool(self) -> Mapping[str, Sequence[float]]:
        seconds: defaultdict[str, list[float]] = defaultdict(list)
        for caller in self.callers:
            for tool, measured in caller.seconds.items():
                seconds[tool] += measured
        return seconds


@asynccontextmanager
async def start_run(
    folder: Path, start_server: StartServer, open_backend: OpenBackend, aged: Run | None = None
) -> AsyncIterator[Run]:
    """A server that has just started. Its directory and its callers' models are empty, or copies of those of `aged`."""
    if aged:
        copy_database(aged.backend.file, folder / aged.backend.file.name)
    async with open_backend(folder) as backend, start_server(folder, backend) as server:
        workloads = [Workload(Caller(number, server.host(number), backend.proxy)) for number in range(CALLERS)]
        for number, old in enumerate(aged.workloads if aged else ()):
            caller = workloads[number].caller
            workloads[number] = deepcopy(old, {id(old.caller.host): caller.host, id(old.caller.proxy): backend.proxy})
        yield Run(backend, server, workloads)


async def find_slow_tools(
    aged: Run, folder: Path, start_server: StartServer, open_backend: OpenBackend
) -> Mapping[str, tuple[float, float]]:
    """The tools that are slower than on a fresh server, with their shortest and the fresh server's longest median."""
    async with start_run(folder, start_server, open_backend, aged) as fresh:
        runs = (aged, fresh)
        for run in runs:
            await run.work(_WARM_UP_CALLS)
            await run.check()
        slow: dict[str, tuple[float, float]] = {}
        for _ in range(_MAX_COMPARISONS):
            for turn in range(_TURNS):
                for run in runs if turn % 2 else reversed(runs):
                    await run.work(_CALLS_PER_TURN)
            slow = slow_tools(aged.seconds_by_tool(), fresh.seconds_by_tool())
            if not slow:
                break
        for run in runs:
            await run.check()
    return slow


def slow_tools(
    aged: Mapping[str, Sequence[float]], fresh: Mapping[str, Sequence[float]]
) -> dict[str, tuple[float, float]]:
    """Compare the seconds of each call of each tool.

    One tool among twenty looks slow by chance, so a tool counts as slow only if chance does not explain it. The median
    of all tools is less noisy and has a lower limit.
    """
    compared = [tool for tool in aged if min(len(aged[tool]), len(fresh.get(tool, ()))) >= _MIN_CALLS]
    assert len(compared) > _MIN_TOOLS
    pairs = {tool: (_median_interval(aged[tool])[0], _median_interval(fresh[tool])[1]) for tool in compared}
    slow = {tool: pair for tool, pair in pairs.items() if pair[0] > pair[1] * _MAX_TOOL_RATIO + _IGNORED_SECONDS}
    ratio = median(median(aged[tool]) / median(fresh[tool]) for tool in compared)
    return slow | ({_MEDIAN_OF_TOOLS: (ratio, 1.0)} if ratio > _MAX_MEDIAN_RATIO else {})


def _median_interval(seconds: Sequence[float]) -> tuple[float, float]:
    """The interval in which the median of all such calls lies: two standard deviations of its rank on either side."""
    ranked, middle, deviation = sorted(seconds), len(seconds) / 2, isqrt(len(seconds))
    return ranked[int(middle - deviation)], ranked[int(middle + deviation)]
