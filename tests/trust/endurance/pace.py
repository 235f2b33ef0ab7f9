"""Whether a server that has worked for long is slower than one that has just begun.

Minutes of one machine differ by more than what is looked for, so no moment is compared with an earlier one: a fresh
server gets a copy of the directory, and copies of those who work with it make the same calls there, by turns with them.
"""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from copy import deepcopy
from math import isqrt
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
"""How much longer a tool may take, as far as the calls that were made tell its median."""
_SLOWER_BY_AND_LARGE = 1.15
"""How much longer half of the tools may take."""
_BY_AND_LARGE = "half of the tools"
_NOISE = 0.001
"""Seconds below which nobody notices."""
_ENOUGH = 30
"""Calls of a tool from which on their median says something."""
_TOOLS = 10
"""Tools, at the least, that are called so often."""


async def slower_than_a_fresh_one(
    aged: Run, folder: Path, served: Served, standing: Standing
) -> Mapping[str, tuple[float, float]]:
    """What takes longer than is allowed, with what it takes at the least, and where all is fresh at the most."""
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
            slower = slower_of(_seconds(aged), _seconds(fresh))
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


def slower_of(
    aged: Mapping[str, Sequence[float]], fresh: Mapping[str, Sequence[float]]
) -> dict[str, tuple[float, float]]:
    """What is slower than is allowed, by the seconds that each call of each tool took.

    One tool among twenty looks slow by chance, so it counts as slow where chance does not account for it; all of them
    together do not, and are held to less.
    """
    compared = [tool for tool in aged if min(len(aged[tool]), len(fresh.get(tool, ()))) >= _ENOUGH]
    assert len(compared) > _TOOLS
    pairs = {tool: (_median_within(aged[tool])[0], _median_within(fresh[tool])[1]) for tool in compared}
    slower = {tool: pair for tool, pair in pairs.items() if pair[0] > pair[1] * _SLOWER + _NOISE}
    by_and_large = median(median(aged[tool]) / median(fresh[tool]) for tool in compared)
    return slower | ({_BY_AND_LARGE: (by_and_large, 1.0)} if by_and_large > _SLOWER_BY_AND_LARGE else {})


def _seconds(run: Run) -> Mapping[str, Sequence[float]]:
    """How long each call took, by tool."""
    all_: defaultdict[str, list[float]] = defaultdict(list)
    for lane in run.lanes:
        for tool, seconds in lane.seconds.items():
            all_[tool] += seconds
    return all_


def _median_within(seconds: Sequence[float]) -> tuple[float, float]:
    """Between which two the median of all such calls is: two standard deviations of its rank on either side."""
    ranked, middle, off = sorted(seconds), len(seconds) / 2, isqrt(len(seconds))
    return ranked[int(middle - off)], ranked[int(middle + off)]
