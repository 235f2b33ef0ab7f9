"""A summary of the trust tests: each test counts what it tried, and the run ends with the sums."""

from collections import Counter
from collections.abc import Callable

import pytest

_TRIED = "trust"

Tried = Callable[[str, int], None]
"""Count what was tried, such as `("guard attacks refused", 12)`; equal labels are summed."""


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Tried:
    """Counts for the summary, which are added if the test passes."""

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
