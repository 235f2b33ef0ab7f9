"""Converts the first sheet of a workbook that is not empty to CSV; the exit status tells why it cannot."""

import csv
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from typing import BinaryIO, TextIO
from xml.parsers.expat import ExpatError

from . import DAMAGED, TOO_LARGE
from ._ods import CONTENT, read_ods
from ._old import read_old_formats
from ._package import Damaged, NumberedRow, Package, TooLarge
from ._xlsx import find_workbook, read_xlsx

_ZIP_SIGNATURE = b"PK\x03\x04"
_DAMAGES = (Damaged, ExpatError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""`zipfile` raises the last one for a file that is protected with a password, or has an unknown compression."""


def convert(data: bytes, output: BinaryIO, max_rows: int, max_bytes: int) -> int:
    """Write the rows, each with its number in the first column, and return the exit status."""
    text = TextIOWrapper(output, "utf-8", errors="replace", newline="")
    try:
        _write(data, text, max_rows, max_bytes)
    except (MemoryError, TooLarge):
        return TOO_LARGE
    except _DAMAGES:
        return DAMAGED
    finally:
        text.detach()  # writes the rest; the caller's output stays open
    return 0


def _write(data: bytes, text: TextIO, max_rows: int, max_bytes: int) -> None:
    write = csv.writer(text).writerow
    size = 0
    for number, cells in islice(_first_filled(_read_sheets(data)), max_rows):
        size += len(cells) + sum(map(_utf_8_length, cells))
        if size > max_bytes:
            raise TooLarge
        write((number, *cells))


def _utf_8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _read_sheets(data: bytes) -> Iterator[Iterator[NumberedRow]]:
    """Return the sheets of a workbook, each as its rows; visible sheets come first."""
    if data.startswith(_ZIP_SIGNATURE):
        package = Package(data)
        if CONTENT in package:
            return read_ods(package)
        workbook = find_workbook(package)
        if not workbook.endswith(".bin"):
            return read_xlsx(package, workbook)
    return read_old_formats(data)


def _first_filled(sheets: Iterable[Iterator[NumberedRow]]) -> Iterator[NumberedRow]:
    """Yield the rows of the first sheet that is not blank, without the blank ones."""
    for sheet in sheets:
        is_filled = False
        for number, cells in sheet:
            if any(cell and not cell.isspace() for cell in cells):
                is_filled = True
                yield number, cells
        if is_filled:
            return
