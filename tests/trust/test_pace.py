"""The yardstick of endurance tells a worn-out server from an unlucky one."""

from random import Random

import pytest

from trust.endurance.pace import slower_of

_TOOLS = [f"tool_{number}" for number in range(20)]


def seconds(seed: int, calls: int = 150, **factors: float) -> dict[str, list[float]]:
    """How long calls of each tool take on a busy machine: most are short, some are not."""
    chance = Random(seed)
    return {
        tool: [0.02 * factors.get(tool, 1.0) * chance.lognormvariate(0, 0.5) for _ in range(calls)] for tool in _TOOLS
    }


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_is_as_quick_as_a_fresh_one_is_not_called_slower(seed: int):
    """Chance alone condemns nobody, even where calls of the same tool differ by half."""
    assert slower_of(seconds(seed, calls=40), seconds(seed + 1, calls=40)) == {}


@pytest.mark.parametrize("seed", range(20))
def test_a_tool_that_became_slow_is_named(seed: int):
    """One tool that takes half as long again and a little more is found among the others."""
    assert slower_of(seconds(seed, calls=600, tool_7=1.6), seconds(seed + 1, calls=600)).keys() == {"tool_7"}


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_became_a_little_slower_in_everything_is_found_out(seed: int):
    """A fifth more of everything is told, where hardly a tool proves it by itself."""
    assert "half of the tools" in slower_of(seconds(seed, **dict.fromkeys(_TOOLS, 1.22)), seconds(seed + 1))


def test_nothing_is_proven_by_a_handful_of_calls():
    """Where hardly any tool was called often enough, the comparison fails instead of finding nothing."""
    with pytest.raises(AssertionError):
        slower_of(seconds(1, calls=20), seconds(2, calls=20))
