"""A program of its own: a workbook on standard input, the rows of its first sheet that is not empty as CSV on output.

The library makes room for everything up to the farthest cell, and where there is not enough it ends its process. A
workbook of a few kilobytes can have it do so; it must not be the server that ends. Run by path, this file imports
nothing of the package.
"""

import csv
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from io import BytesIO, TextIOWrapper

Cell = int | float | str | bool | time | date | datetime | timedelta | None

TOO_LARGE = 3
"""How it ends where memory, time or the bounds that it was given do not suffice."""
DAMAGED = 4

_MEMORY = 1024**3
_SECONDS = 60


def main() -> int:
    """Write rows, each after its number; the arguments say how many rows and characters there may be."""
    most_rows, most_characters = map(int, sys.argv[1:])
    for limit, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _SECONDS)):
        with suppress(ValueError, OSError):  # a lower one is there already, or the system has none
            resource.setrlimit(limit, (most, most))
    output = TextIOWrapper(sys.stdout.buffer, "utf-8", errors="replace", newline="")
    writer = csv.writer(output)
    size = 0
    for count, (number, cells) in enumerate(_first_filled(sys.stdin.buffer.read())):
        size += sum(map(len, cells))
        if size > most_characters:
            return TOO_LARGE
        if count > most_rows:  # one more than the header and them: whoever reads on says that there are too many
            break
        writer.writerow((number, *cells))
    output.flush()
    return 0


def _first_filled(data: bytes) -> Iterator[tuple[int, list[str]]]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum, load_workbook

    workbook = load_workbook(BytesIO(data))
    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    sheets.sort(key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible)
    for sheet in sheets:
        found = workbook.get_sheet_by_name(sheet.name)
        is_filled = False
        for number, row in enumerate(found.iter_rows(), 1):
            cells = [_text(cell) for cell in row]
            if any(cell.strip() for cell in cells):
                is_filled = True
                yield number, cells
        if is_filled:
            return


def _text(cell: Cell) -> str:
    """A cell as text; a number that is whole is one, since nobody has half a phone."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


if __name__ == "__main__":
    from python_calamine import CalamineError

    try:
        sys.exit(main())
    except MemoryError:
        sys.exit(TOO_LARGE)
    except CalamineError:
        sys.exit(DAMAGED)
