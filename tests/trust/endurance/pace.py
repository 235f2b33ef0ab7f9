"""Whether a server that has worked for long is slower than one that has just begun.

Minutes of one machine differ by more than what is looked for, so no moment is compared with an earlier one: a fresh
server gets a copy of the directory, and copies of those who work with it make the same calls there, by turns with them.
"""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from copy import deepcopy
from pathlib import Path
from statistics import median

from trust.endurance.mix import Work
from trust.endurance.run import Run
from trust.endurance.worlds import Served, Standing

_WARM_UP = 600
"""Calls that both make before any is measured."""
_TURNS = 12
_CALLS_A_TURN = 100
_LOOKS = 6
"""How often so many turns are taken while one seems slow: chance evens out, and a worn-out server stays slow."""
_SLOWER = 1.20
_NOISE = 0.001
"""Seconds below which nobody notices."""
_ENOUGH = 30
"""Calls of a tool from which on their median says something."""
_TOOLS = 10
"""Tools, at the least, that are called so often."""


async def slower_than_a_fresh_one(
    aged: Run, folder: Path, served: Served, standing: Standing
) -> Mapping[str, tuple[float, float]]:
    """The tools that take longer than is allowed, with what they take and what they take where all is fresh."""
    async with _fresh(aged, folder, served, standing) as fresh:
        runs = (aged, fresh)
        for run in runs:
            await run.work(_WARM_UP)
            await run.rest()
        slower: dict[str, tuple[float, float]] = {}
        for _ in range(_LOOKS):
            for turn in range(_TURNS):
                for run in runs if turn % 2 else reversed(runs):
                    await run.work(_CALLS_A_TURN)
            slower = _slower(_medians(aged), _medians(fresh))
            if not slower:
                break
        for run in runs:
            await run.rest()
    return slower


@asynccontextmanager
async def _fresh(aged: Run, folder: Path, served: Served, standing: Standing) -> AsyncIterator[Run]:
    with (
        closing(sqlite3.connect(aged.ground.file)) as there,
        closing(sqlite3.connect(folder / aged.ground.file.name)) as copy,
    ):
        there.backup(copy)
    async with standing(folder) as ground, served(folder, ground) as serving:
        works: list[Work] = []
        for number, work in enumerate(aged.works):
            instead = {id(work.lane.host): serving.host(number), id(work.lane.weather): ground.weather}
            works.append(deepcopy(work, instead))
        yield Run(ground, serving, works)


def _medians(run: Run) -> dict[str, float]:
    """Seconds that a call takes, of each tool that was called often enough."""
    all_: defaultdict[str, list[float]] = defaultdict(list)
    for lane in run.lanes:
        for tool, seconds in lane.seconds.items():
            all_[tool] += seconds
    return {tool: median(seconds) for tool, seconds in all_.items() if len(seconds) >= _ENOUGH}


def _slower(aged: Mapping[str, float], fresh: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    compared = {tool: (aged[tool], fresh[tool]) for tool in aged.keys() & fresh.keys()}
    assert len(compared) > _TOOLS
    return {tool: pair for tool, pair in compared.items() if pair[0] > pair[1] * _SLOWER + _NOISE}
