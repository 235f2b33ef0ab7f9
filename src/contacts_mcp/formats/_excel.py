"""Workbooks (xlsx, xls, ods): the first sheet that holds something, read in a process of its own."""

import csv
import subprocess
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO, TextIOWrapper

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.formats import _rows as bounds
from contacts_mcp.formats import _workbook
from contacts_mcp.formats._rows import ParsedFile, checked
from contacts_mcp.formats._table import read_table

_MOST_CHARACTERS = 64 * 1024 * 1024
_SECONDS = 120


def read_excel(data: bytes, wanted: Mapping[str, str]) -> ParsedFile:
    """Read a workbook's first sheet that is not empty.

    Raises:
        ValidationFailed: it is damaged, locked, empty or too large, or its header cannot be understood.
    """
    rows = _rows(_sheet(data))
    header = next(rows, None)
    if header is None:
        raise ValidationFailed("the workbook is empty", advice="choose another file")
    table = read_table(header[1], rows, wanted)
    return ParsedFile("excel", table.dialect, checked(table.rows), table.mapping, table.unmapped)


def _sheet(data: bytes) -> bytes:
    """The rows as CSV."""
    program = [sys.executable, "-I", _workbook.__file__, str(bounds.MAX_ROWS + 1), str(_MOST_CHARACTERS)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program, whose arguments are numbers
            program, input=data, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _too_large() from None
    if done.returncode == _workbook.TOO_LARGE or done.returncode < 0:  # the library or the system ended it
        raise _too_large()
    if done.returncode:
        raise ValidationFailed(
            "the workbook cannot be opened: it is damaged, or locked with a password",
            advice="save it again without one, or as CSV",
        )
    return done.stdout


def _rows(written: bytes) -> Iterator[tuple[int, list[str]]]:
    for number, *cells in csv.reader(TextIOWrapper(BytesIO(written), "utf-8", newline="")):
        yield int(number), cells


def _too_large() -> ValidationFailed:
    return ValidationFailed(
        "the workbook is too large: its cells reach too far, or hold too much",
        advice="delete what is beside the table, or save the sheet as CSV",
    )
