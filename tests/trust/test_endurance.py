"""After a long run a server uses no more memory, is no slower, and has lost no data.

Several callers do their everyday work at the same time, with faults for a fifth of it. A model in plain Python predicts
every answer.
"""

from collections.abc import Sequence
from random import Random

import pytest

from contacts_mcp.directory import Directory
from contacts_mcp.directory.maintenance import check
from contacts_mcp.tools import TOOLS
from network.servers import quick_folder
from trust.endurance.run import Sample, find_slow_tools, slow_tools, start_run
from trust.endurance.servers import OpenBackend, StartServer, embedded, http, stdio, upstream

_SAMPLES = 10
_WARM_UP_CALLS = 600
"""Calls before the first sample; from then on the number of contacts and groups stays level."""
_KEPT_SECONDS = 900.0
"""How long a server keeps what it answered for a later call, such as a download: until then its memory may grow."""
_MAX_MEMORY_GROWTH = 0.10
"""How much more memory any sample may show than the first, as a share; besides, the directory's file may grow."""
_DESCRIPTOR_TOLERANCE = 16
"""How many more descriptors or threads any sample may show: so many connections may be kept for a next call."""


_RUNS = [(stdio, embedded), (http, upstream), (stdio, upstream), (http, embedded)]
_SHORT_RUNS = _RUNS[:2]
"""Each transport and each backend once."""


@pytest.mark.parametrize(
    ("start_server", "open_backend", "calls"),
    [
        *((*parts, 3_000) for parts in _SHORT_RUNS),
        *(pytest.param(*parts, 200_000, marks=[pytest.mark.endurance, pytest.mark.timeout(0)]) for parts in _RUNS),
    ],
)
async def test_server_stays_flat_and_quick_over_many_calls(
    tried, start_server: StartServer, open_backend: OpenBackend, calls: int
):
    """Memory, descriptors and threads stay flat, calls stay quick, and the directory matches the model."""
    with quick_folder() as folder, quick_folder() as another:
        async with start_run(folder, start_server, open_backend) as run:
            await run.work(_WARM_UP_CALLS)
            await run.check()
            for _ in range(_SAMPLES):
                await run.stretch(calls // _SAMPLES)
            used = {tool for caller in run.callers for tool in caller.calls_by_tool}
            assert {tool.name for tool in TOOLS} <= used
            require_flat(run.samples)
            assert await find_slow_tools(run, another, start_server, open_backend) == {}
        async with Directory(run.backend.file) as directory:
            assert await directory._database.read(check) == []
    tried("calls endured", sum(caller.host.calls for caller in run.callers))


def require_flat(samples: Sequence[Sample]) -> None:
    """Compare each sample with the first; in a long run with the first of which nothing is kept from the warm-up on."""
    settled = [sample for sample in samples if sample.seconds > _KEPT_SECONDS]
    first, *later = settled if len(settled) > _SAMPLES // 2 else samples
    for sample in later:
        for name, before in first.resources.items():
            more = before.memory * _MAX_MEMORY_GROWTH + max(0, sample.file - first.file)
            course = [each.resources[name].memory for each in samples]  # whether it grows on or has settled
            assert before.grown(sample.resources[name], more, _DESCRIPTOR_TOLERANCE) == [], (name, course)


_TOOLS = [f"tool_{number}" for number in range(20)]


def random_seconds(seed: int, calls: int = 150, **factors: float) -> dict[str, list[float]]:
    """Seconds of each tool's calls on a busy machine: most are short, some are long."""
    chance = Random(seed)
    return {
        tool: [0.02 * factors.get(tool, 1.0) * chance.lognormvariate(0, 0.5) for _ in range(calls)] for tool in _TOOLS
    }


@pytest.mark.parametrize("seed", range(20))
def test_equally_fast_server_is_not_reported_as_slow(seed: int):
    """Chance reports no tool, even if calls of one tool differ by half."""
    assert slow_tools(random_seconds(seed, calls=40), random_seconds(seed + 1, calls=40)) == {}


@pytest.mark.parametrize("seed", range(20))
def test_single_slow_tool_is_named(seed: int):
    """A tool that takes 1.6 times as long is found among the others."""
    aged = random_seconds(seed, calls=600, tool_7=1.6)
    assert slow_tools(aged, random_seconds(seed + 1, calls=600)).keys() == {"tool_7"}


@pytest.mark.parametrize("seed", range(20))
def test_general_slowdown_is_reported_although_no_tool_proves_it(seed: int):
    """All tools take 1.22 times as long."""
    aged = random_seconds(seed, **dict.fromkeys(_TOOLS, 1.22))
    assert "half of the tools" in slow_tools(aged, random_seconds(seed + 1))


def test_comparison_fails_if_hardly_any_tool_was_called_often_enough():
    with pytest.raises(AssertionError):
        slow_tools(random_seconds(1, calls=20), random_seconds(2, calls=20))
