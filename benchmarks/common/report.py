"""A benchmark's figures as a Markdown table, its options, and its exit code."""

import argparse
import compileall
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import contacts_mcp


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is ours to the baseline, or empty if there is no baseline."""

    what: str
    ours: str
    baseline: str
    ratio: str
    target: str
    met: bool


def at_most_ratio(what: str, ours: float, baseline: float, limit: float, unit: str) -> Row:
    """A figure that must not exceed `limit` times its baseline."""
    ratio = ours / baseline
    return Row(what, f"{ours:.4g} {unit}", f"{baseline:.4g} {unit}", f"{ratio:.2f}", f"≤ {limit:.2f} x", ratio <= limit)


def at_least_ratio(what: str, ours: float, baseline: float, limit: float, unit: str, ratio: float | None = None) -> Row:
    """A figure that must reach `limit` times its baseline; `ratio` replaces the quotient if it was measured itself."""
    ratio = ours / baseline if ratio is None else ratio
    return Row(what, f"{ours:.4g} {unit}", f"{baseline:.4g} {unit}", f"{ratio:.2f}", f"≥ {limit:g} x", ratio >= limit)


def below_count(what: str, ours: int, limit: int) -> Row:
    """A count that must be less than `limit`."""
    return Row(what, f"{ours:,}", "", "", f"< {limit:,}", ours < limit)


def below_seconds(what: str, seconds: float, limit: float) -> Row:
    """A time that must be less than `limit`."""
    return Row(what, f"{seconds:.3g} s", "", "", f"< {limit:g} s", met=seconds < limit)


def at_least_rate(what: str, ours: float, target: float, unit: str) -> Row:
    """A rate that must reach `target`."""
    return Row(what, f"{ours:,.0f} {unit}", "", "", f"≥ {target:,.0f} {unit}", met=ours >= target)


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table."""
    lines = ["| what | ours | baseline | ratio | target | ok |", "|---|---:|---:|---:|---:|---|"]
    for row in rows:
        cells = (row.what, row.ours, row.baseline, row.ratio, row.target, "yes" if row.met else "**no**")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def build_parser(description: str, quick: str) -> argparse.ArgumentParser:
    """Return a parser with the options --quick, which `quick` explains, and --check."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    return parser


def compile_modules() -> None:
    """Compile the package and the benchmarks, so that no start is measured that has to compile them."""
    for folder in (Path(contacts_mcp.__file__).parent, Path(__file__).parent):
        compileall.compile_dir(folder, quiet=1)


def describe_machine() -> str:
    """Return a line about the machine. Call it before the measurements, which raise the load average."""
    version, load = platform.python_version(), os.getloadavg()[0]
    return f"On {os.cpu_count()} cores, Python {version}; load average {load:.1f} before the run."


def exit_code(rows: Sequence[Row], *, check: bool) -> int:
    """Return 1 if `check` and a row misses its target."""
    return int(check and not all(row.met for row in rows))
