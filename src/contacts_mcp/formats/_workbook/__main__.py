"""Reads standard input within limits of memory and time; the exit status tells why it cannot be read."""

import csv
import resource
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import TextIOWrapper
from itertools import islice
from xml.parsers.expat import ExpatError

from . import DAMAGED, TOO_LARGE
from ._ods import CONTENT, read_ods
from ._old import read_old_formats
from ._package import Damaged, NumberedRow, Package, TooLarge
from ._xlsx import find_workbook, read_xlsx

_MEMORY_LIMIT_BYTES = 384 * 1024**2
"""The library needs most of it for an xls file of 65,536 rows; xlsx and ods take far less."""
_CPU_LIMIT_SECONDS = 60
_ZIP_SIGNATURE = b"PK\x03\x04"
_DAMAGES = (Damaged, ExpatError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def _main() -> None:
    """Write the rows, each with its number in the first column; the last arguments limit rows and bytes."""
    max_rows, max_bytes = map(int, sys.argv[2:])
    for kind, limit in ((resource.RLIMIT_AS, _MEMORY_LIMIT_BYTES), (resource.RLIMIT_CPU, _CPU_LIMIT_SECONDS)):
        with suppress(ValueError, OSError):  # a lower limit is set already, or the system has none
            resource.setrlimit(kind, (limit, limit))
    output = TextIOWrapper(sys.stdout.buffer, "utf-8", errors="replace", newline="")
    write = csv.writer(output).writerow
    size = 0
    for number, cells in islice(_first_filled(_read_sheets(sys.stdin.buffer.read())), max_rows):
        size += len(cells) + sum(map(_utf_8_length, cells))
        if size > max_bytes:
            raise TooLarge
        write((number, *cells))
    output.flush()


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


def _exit_status() -> int:
    try:
        _main()
    except (MemoryError, TooLarge):
        return TOO_LARGE
    except _DAMAGES:
        return DAMAGED
    return 0


sys.exit(_exit_status())
