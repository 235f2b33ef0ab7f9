"""A server, those who work with it, and what it holds from one rest to the next."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trust.endurance.gauges import Held
from trust.endurance.lane import Lane
from trust.endurance.mix import Work
from trust.endurance.worlds import Ground, Served, Serving, Standing

LANES = 4
_SPELLS = 5
"""Parts of a while, in one of which the weather is bad."""
_A_WHILE = 2_500
"""Calls, at most, between two rests: what may have become of the calls that were given up on doubles with each."""


@dataclass(frozen=True)
class Tenth:
    """What was seen at rest after a tenth of the calls."""

    held: Mapping[str, Held]
    file: int
    """KiB of the directory: it keeps a receipt of each erasure, and the process that writes it keeps pages of it."""


@dataclass
class Run:
    """A server, those who work with it, and what was seen of it."""

    ground: Ground
    serving: Serving
    works: Sequence[Work]
    tenths: list[Tenth] = field(default_factory=list)

    @property
    def lanes(self) -> list[Lane]:
        return [work.lane for work in self.works]

    async def tenth(self, calls: int) -> None:
        """So many calls, after which everything is measured at rest."""
        whiles = -(-calls // _A_WHILE)
        for _ in range(whiles):
            await self._work_a_while(calls // whiles)
        processes = {"the server": self.serving.pid, **self.ground.processes}
        held = {name: Held.by(pid) for name, pid in processes.items()}
        self.tenths.append(Tenth(held, self.ground.file.stat().st_size // 1024))

    async def _work_a_while(self, calls: int) -> None:
        for spell in range(_SPELLS):
            self._turn(bad=spell == _SPELLS // 2)
            await self.work(calls // _SPELLS)
        self._turn(bad=False)
        await self.rest()

    async def work(self, calls: int) -> None:
        """So many calls, by all lanes at once."""
        async with asyncio.TaskGroup() as working:
            for work in self.works:
                working.create_task(work.go_on(calls // LANES))

    async def rest(self) -> None:
        """See that everything is as the books say, and forget how long calls have taken."""
        there = [await work.come_to_rest() for work in self.works]
        listing = await self.lanes[0].look("list_contacts", per_page=1)
        assert listing["total"] == sum(there)
        for lane in self.lanes:
            lane.seconds.clear()

    def _turn(self, *, bad: bool) -> None:
        if self.ground.weather:
            self.ground.weather.bad = bad


@asynccontextmanager
async def begun(folder: Path, served: Served, standing: Standing) -> AsyncIterator[Run]:
    """A server that has just started, and lanes with nothing in their books."""
    async with standing(folder) as ground, served(folder, ground) as serving:
        yield Run(ground, serving, [Work(Lane(each, serving.host(each), ground.weather)) for each in range(LANES)])
