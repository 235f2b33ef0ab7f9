"""Draw the figures of docs/benchmarks.md as SVG, in docs/images.

    uv run --group charts python benchmarks/charts.py

The tables of that page are the only source, so a chart shows what was measured last.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
IMAGES = DOCS / "images"

_GOOD, _MISSED, _NEUTRAL = "#2f7d5b", "#c2571a", "#6b7280"
_BAR_HEIGHT_INCHES = 0.36
_MAX_LABEL_LENGTH = 74
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text, in the reader's font
    "svg.hashsalt": "contacts-mcp",  # the same figures give the same file
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A row with a target. `share` is how much of what is allowed was used: more than 1 misses the target."""

    what: str
    share: float
    ratio: str


def read_table(name: str) -> list[list[str]]:
    """Return the cells of the table after `<!-- NAME -->`, without its head; none if the page has no such table."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", PAGE.read_text("utf-8"), re.DOTALL)
    lines = [line for line in (found[1] if found else "").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def read_targets(name: str) -> Iterator[Target]:
    """Yield the rows of a table whose target is a ratio."""
    for what, _ours, _baseline, ratio, target, _ok in read_table(name):
        if limit := re.fullmatch(r"([≤≥]) ([\d.]+) x", target):
            allowed, measured = float(limit[2]), float(ratio)
            share = measured / allowed if limit[1] == "≤" else allowed / measured
            yield Target(what, share, f"{ratio} of {limit[1]} {limit[2]}")


def draw_targets(name: str, file: str, title: str) -> None:
    """Draw how much of its target each row of a table uses."""
    targets = list(read_targets(name))
    figure, axes = plt.subplots(figsize=(9, 1 + _BAR_HEIGHT_INCHES * len(targets)))
    labels = [shorten(each.what, _MAX_LABEL_LENGTH, placeholder="…") for each in targets]
    colours = [_GOOD if each.share <= 1 else _MISSED for each in targets]
    bars = axes.barh(range(len(targets)), [each.share for each in targets], color=colours, height=0.6)
    axes.bar_label(bars, [each.ratio for each in targets], padding=4, color=_NEUTRAL)
    axes.axvline(1, color=_NEUTRAL, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(targets)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(1, *(each.share for each in targets)))
    axes.set_xlabel("share of the target that is used; left of the line, the target is met")
    axes.set_title(title, loc="left")
    _save(figure, file)


def draw_scale() -> None:
    """Draw the time of each job for a contact, by the number of contacts: a level line is linear growth."""
    rows = read_table("benchmark scale")
    if not rows:
        return
    figure, axes = plt.subplots(figsize=(9, 4))
    sizes = [int(row[0].replace(",", "")) for row in rows]
    for column, job in enumerate(_head("benchmark scale")[1:], 1):
        axes.plot(sizes, [float(row[column]) for row in rows], marker="o", label=job)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("contacts in the directory")
    axes.set_ylabel("µs for a contact")
    axes.set_title("Jobs by the size of the directory: a level line is linear growth", loc="left")
    axes.legend(frameon=False)
    _format_numbers(axes)
    _save(figure, "benchmark-scale")


def _head(name: str) -> Sequence[str]:
    found = re.search(rf"<!-- {name} -->\n+\|(.*)\|\n", PAGE.read_text("utf-8"))
    return [cell.strip() for cell in found[1].split("|")] if found else []


def _format_numbers(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _save(figure: Figure, name: str) -> None:
    path = IMAGES / f"{name}.svg"
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    path.write_text(re.sub(r"[ \t]+$", "", path.read_text("utf-8"), flags=re.MULTILINE), "utf-8")


def main() -> int:
    """Draw all charts."""
    with mpl.rc_context(_STYLE):
        draw_targets("benchmark", "benchmark-stdio", "Over stdio, against a bare SDK server")
        draw_targets("benchmark http", "benchmark-http", "Over HTTP, against a bare SDK server")
        draw_targets("benchmark workflows", "benchmark-workflows", "Workflow tools")
        draw_scale()
    return 0


if __name__ == "__main__":
    sys.exit(main())
