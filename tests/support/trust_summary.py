"""What the tests of trust did, in sums: each says how much it tried, and the run ends with what that makes together."""

from collections import Counter
from collections.abc import Callable

import pytest

_TRIED = "trust"

Tried = Callable[[str, int], None]
"""Say what was tried and how many, such as `("guard attacks refused", 12)`; the same words are summed."""


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Tried:
    """Counts that end up in the summary, where the test passes."""

    def record(what: str, number: int) -> None:
        record_property(_TRIED, (what, number))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sums; with xdist the workers' counts arrive with their reports."""
    sums: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == _TRIED:
                what, number = value
                sums[what] += number
    if sums:
        terminalreporter.section("trust")
        for what, number in sums.items():
            terminalreporter.write_line(f"{number:>9,}  {what}")
