"""A server that has worked for long holds no more, is no slower, and knows no less than a fresh one.

Several callers do their everyday work at the same time, with faults switched on for a fifth of it; a model in plain
Python foretells every answer.
"""

from collections.abc import Sequence

import pytest

from contacts_mcp.directory import Directory
from contacts_mcp.directory.maintenance import check
from contacts_mcp.tools import TOOLS
from network.servers import quick_folder
from trust.endurance.pace import slower_than_a_fresh_one
from trust.endurance.run import Run, Tenth, begun
from trust.endurance.worlds import Served, Standing, embedded, http, stdio, upstream

_TENTHS = 10
_WARM_UP = 600
"""Calls before the first that are measured: there are then as many contacts and groups as there will be."""
_MORE = 1.10
"""How much more may be held at the end of any tenth than at the end of the first."""
_FEW = 16
"""Descriptors and threads by which two moments of rest may differ: so many connections may be kept for a next call."""


@pytest.mark.parametrize(
    "calls", [6_000, pytest.param(200_000, marks=pytest.mark.endurance)], ids=["a_cut", "all_of_it"]
)
@pytest.mark.parametrize("standing", [embedded, upstream])
@pytest.mark.parametrize("served", [stdio, http])
async def test_a_server_is_after_long_work_as_it_was_at_first(tried, served: Served, standing: Standing, calls: int):
    """Memory, descriptors and threads stay flat, calls stay quick, and the directory is what the model says."""
    with quick_folder() as folder, quick_folder() as another:
        async with begun(folder, served, standing) as run:
            await endure(run, calls)
            require_flat(run.tenths)
            assert await slower_than_a_fresh_one(run, another, served, standing) == {}
        async with Directory(run.ground.file) as directory:
            assert await directory._database.read(check) == []
    tried("calls endured", sum(lane.host.calls for lane in run.lanes))


async def endure(run: Run, calls: int) -> None:
    """Work with every tool for so many calls; whatever is not as the model says fails."""
    await run.work(_WARM_UP)
    await run.rest()
    for _ in range(_TENTHS):
        await run.tenth(calls // _TENTHS)
    assert {tool.name for tool in TOOLS} <= {tool for lane in run.lanes for tool in lane.done}


def require_flat(tenths: Sequence[Tenth]) -> None:
    first, *later = tenths
    for tenth in later:
        for name, before in first.held.items():
            held, grown = tenth.held[name], max(0, tenth.file - first.file)
            assert held.memory <= before.memory * _MORE + grown, (name, before, held, grown)
            assert held.descriptors <= before.descriptors + _FEW, (name, before, held)
            assert held.threads <= before.threads + _FEW, (name, before, held)
