"""A server that has worked for long holds no more, is no slower, and knows no less than a fresh one.

Several callers do their everyday work at the same time, with faults switched on for a fifth of it; a model in plain
Python foretells every answer.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from contacts_mcp.directory import Directory
from contacts_mcp.directory.upkeep.check import check
from contacts_mcp.tools import TOOLS
from network.servers import quick_folder
from trust.endurance.gauges import Held, Turns, Yardstick
from trust.endurance.lane import Lane
from trust.endurance.mix import Work
from trust.endurance.worlds import Ground, Served, Serving, Standing, embedded, http, stdio, upstream

LANES = 4
TENTHS = 10
_WARM_UP = 600
"""Calls before the first that are measured."""
_SPELLS = 5
"""Parts of a tenth, in one of which the weather is bad."""
_MORE = 1.10
"""How much more may be held at the end of any tenth than at the end of the first."""
_FEW = 16
"""Descriptors and threads by which two moments of rest may differ: so many connections may be kept for a next call."""
_SLOWER = 1.20
_NOISE = 0.003
"""Seconds by which medians differ from one minute to the next on a machine that does other things."""
_ENOUGH = 10
"""Calls of a tool in a tenth from which on their median says something."""
_TOOLS = 2
"""Tools of which there are more than so many medians in every tenth."""
_SECOND_LOOKS = 3
"""Tenths more that are looked at where the last was slow: a machine may be so for a moment, a worn-out server stays."""


@dataclass
class Tenth:
    """What was seen in a tenth of the calls, and at rest after it."""

    seconds: Mapping[str, float]
    machine: float
    """Seconds that the machine took for a piece of work that is always the same."""
    held: Mapping[str, Held]
    file: int
    """KiB of the directory: it keeps a receipt of each erasure, and the process that writes it keeps pages of it."""


@dataclass
class Run:
    """A server, those who work with it, and what was seen of it."""

    ground: Ground
    serving: Serving
    works: Sequence[Work]
    yardstick: Yardstick
    tenths: list[Tenth] = field(default_factory=list)

    @property
    def processes(self) -> dict[str, int]:
        return {"the server": self.serving.pid, **self.ground.processes}

    @property
    def everybody(self) -> list[int]:
        """The processes whose work a call consists of, this one among them."""
        return [os.getpid(), *self.processes.values()]

    @property
    def lanes(self) -> list[Lane]:
        return [work.lane for work in self.works]

    async def warm_up(self, calls: int) -> None:
        """Have as many contacts and groups there as there will be: an erasure takes longer the more there is."""
        await self._work(calls // LANES)
        await self._rest()

    async def tenth(self, calls: int) -> None:
        """So many calls, and then a rest in which everything is compared and measured."""
        before = Turns.of(self.everybody)
        for spell in range(_SPELLS):
            self._turn(bad=spell == _SPELLS // 2)
            await self._work(calls // _SPELLS // LANES)
        self._turn(bad=False)
        seconds = self._seconds()
        machine = self.yardstick.taken() * Turns.of(self.everybody).stretch_since(before)
        await self._rest()
        held = {name: Held.by(pid) for name, pid in self.processes.items()}
        self.tenths.append(Tenth(seconds, machine, held, self.ground.file.stat().st_size // 1024))

    def _turn(self, *, bad: bool) -> None:
        if self.ground.weather:
            self.ground.weather.bad = bad

    async def _work(self, calls: int) -> None:
        async with self.yardstick.laid_on(), asyncio.TaskGroup() as working:
            for work in self.works:
                working.create_task(work.go_on(calls))

    def _seconds(self) -> dict[str, float]:
        """The median of each tool that was called often enough."""
        all_: defaultdict[str, list[float]] = defaultdict(list)
        for lane in self.lanes:
            for tool, seconds in lane.seconds.items():
                all_[tool] += seconds
            lane.seconds.clear()
        return {tool: median(seconds) for tool, seconds in all_.items() if len(seconds) >= _ENOUGH}

    async def _rest(self) -> None:
        there = [await work.come_to_rest() for work in self.works]
        listing = await self.lanes[0].look("list_contacts", per_page=1)
        assert listing["total"] == sum(there)
        for lane in self.lanes:
            lane.seconds.clear()


@pytest.mark.parametrize(
    "calls", [6_000, pytest.param(200_000, marks=pytest.mark.endurance)], ids=["a_cut", "all_of_it"]
)
@pytest.mark.parametrize("standing", [embedded, upstream])
@pytest.mark.parametrize("served", [stdio, http])
async def test_a_server_is_after_long_work_as_it_was_at_first(tried, served: Served, standing: Standing, calls: int):
    """Memory, descriptors and threads stay flat, calls stay quick, and the directory is what the model says."""
    with quick_folder() as folder:
        run = await endure(folder, served, standing, calls)

    require_flat(run.tenths)
    assert slower(run.tenths[0], run.tenths[-1]) == {}
    tried("calls endured", sum(lane.host.calls for lane in run.lanes))


async def endure(folder: Path, served: Served, standing: Standing, calls: int) -> Run:
    """Work with every tool for so many calls; whatever is not as the model says fails."""
    async with standing(folder) as ground, served(folder, ground) as serving, Yardstick() as yardstick:
        works = [Work(Lane(number, serving.host(number), ground.weather)) for number in range(LANES)]
        run = Run(ground, serving, works, yardstick)
        await run.warm_up(_WARM_UP)
        for _ in range(TENTHS):
            await run.tenth(calls // TENTHS)
        while slower(run.tenths[0], run.tenths[-1]) and len(run.tenths) < TENTHS + _SECOND_LOOKS:
            await run.tenth(calls // TENTHS)
    assert {tool.name for tool in TOOLS} <= {tool for lane in run.lanes for tool in lane.done}
    async with Directory(ground.file) as directory:
        assert await directory._database.read(check) == []
    return run


def require_flat(tenths: Sequence[Tenth]) -> None:
    first, *later = tenths
    for tenth in later:
        for name, before in first.held.items():
            held, grown = tenth.held[name], max(0, tenth.file - first.file)
            assert held.memory <= before.memory * _MORE + grown, (name, before, held, grown)
            assert held.descriptors <= before.descriptors + _FEW, (name, before, held)
            assert held.threads <= before.threads + _FEW, (name, before, held)


def slower(first: Tenth, last: Tenth) -> dict[str, tuple[float, float]]:
    """The tools that took longer than is allowed, with what they took before and now.

    A machine that took longer for the same work, since others shared it, is allowed for.
    """
    allowance = _SLOWER * max(1.0, last.machine / first.machine)
    compared = {tool: (first.seconds[tool], last.seconds[tool]) for tool in first.seconds.keys() & last.seconds.keys()}
    assert len(compared) > _TOOLS
    return {tool: pair for tool, pair in compared.items() if pair[1] > pair[0] * allowance + _NOISE}
