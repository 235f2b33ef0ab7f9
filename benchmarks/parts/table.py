"""The figures of a run as a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `ratio` is what the target is about, as far as there is something to compare with."""

    what: str
    ours: str
    baseline: str
    ratio: str
    target: str
    met: bool


def at_most(what: str, ours: float, baseline: float, limit: float, unit: str) -> Row:
    """A figure that should not exceed `limit` times its baseline."""
    ratio = ours / baseline
    return Row(what, f"{ours:.4g} {unit}", f"{baseline:.4g} {unit}", f"{ratio:.2f}", f"≤ {limit:.2f} x", ratio <= limit)


def at_least(what: str, ours: float, baseline: float, limit: float, unit: str, ratio: float | None = None) -> Row:
    """A figure that should reach `limit` times its baseline; `ratio` where it was found in a better way."""
    ratio = ours / baseline if ratio is None else ratio
    return Row(what, f"{ours:.4g} {unit}", f"{baseline:.4g} {unit}", f"{ratio:.2f}", f"≥ {limit:g} x", ratio >= limit)


def below(what: str, ours: int, limit: int) -> Row:
    """A count with a bound of its own."""
    return Row(what, f"{ours:,}", "", "", f"< {limit:,}", ours < limit)


def within(what: str, seconds: float, limit: float) -> Row:
    """A time with a bound of its own."""
    return Row(what, f"{seconds:.3g} s", "", "", f"< {limit:g} s", met=seconds < limit)


def reaches(what: str, ours: float, target: float, unit: str) -> Row:
    """A rate with a bound of its own."""
    return Row(what, f"{ours:,.0f} {unit}", "", "", f"≥ {target:,.0f} {unit}", met=ours >= target)


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    lines = ["| what | ours | baseline | ratio | target | ok |", "|---|---:|---:|---:|---:|---|"]
    for row in rows:
        cells = (row.what, row.ours, row.baseline, row.ratio, row.target, "yes" if row.met else "**no**")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
