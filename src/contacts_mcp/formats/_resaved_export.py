"""Restores an export that a spreadsheet has opened at another separator, so that each line became one cell, and saved.

The saved file has quotes around lines that have quotes, and the spreadsheet's separator at the end of lines.
"""

import csv
from io import StringIO
from itertools import islice, permutations
from typing import NamedTuple

from contacts_mcp.formats._layouts import find_layout

LINES_RESTORED = (
    "a spreadsheet has opened the file at another separator and saved it; its lines were joined again, "
    "so compare a few rows, or export again with the dialect semicolon or as xlsx"
)
_SEPARATORS = (",", ";", "\t")
_SAMPLE_ROWS = 200


class Separators(NamedTuple):
    """The separator of the spreadsheet that saved a file, and the file's own."""

    outer: str
    inner: str


def find_separators(begin: str) -> Separators | None:
    """Return the separators of such a file; None for any other."""
    pairs = (Separators(*pair) for pair in permutations(_SEPARATORS, 2))
    return next((pair for pair in pairs if _is_resaved(begin, pair)), None)


def restore_lines(text: str, separators: Separators) -> str:
    """Return the text as it was before the spreadsheet opened it."""
    rows = csv.reader(StringIO(text, newline=""), delimiter=separators.outer)
    return "\n".join(_to_line(row, separators.outer) for row in rows)


def _is_resaved(begin: str, separators: Separators) -> bool:
    """Whether the header is that of an export in one cell, and is filled up, or a row is a line in quotes."""
    header, *fillers = next(iter(_parse(begin, separators.outer)), [""])
    names = next(iter(_parse(header, separators.inner)), [])
    if len(names) == 1 or any(fillers) or find_layout(names) is None:
        return False
    rows = _parse(begin, separators.inner)[1:]
    return bool(fillers) or any(len(row) == 1 and separators.inner in row[0] for row in rows)


def _to_line(row: list[str], separator: str) -> str:
    return separator.join(row).rstrip(separator)


def _parse(text: str, separator: str) -> list[list[str]]:
    try:
        return list(islice(filter(None, csv.reader(StringIO(text, newline=""), delimiter=separator)), _SAMPLE_ROWS))
    except csv.Error:
        return []
