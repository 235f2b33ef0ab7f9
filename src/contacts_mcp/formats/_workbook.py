"""A separate program: reads a workbook from standard input, writes the first sheet that is not empty as CSV.

The library allocates every cell up to the farthest one, and aborts its process if memory runs out. A workbook of a few
kilobytes can cause that, and it must not end the server. The file is run by path and imports nothing of the package.
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
"""Exit status if memory, time or the given limits do not suffice."""
DAMAGED = 4

_MEMORY_LIMIT_BYTES = 1024**3
_CPU_LIMIT_SECONDS = 60


def main() -> int:
    """Write the rows, each with its number in the first column; the arguments are the limits of rows and characters."""
    max_rows, max_characters = map(int, sys.argv[1:])
    for resource_, limit in ((resource.RLIMIT_AS, _MEMORY_LIMIT_BYTES), (resource.RLIMIT_CPU, _CPU_LIMIT_SECONDS)):
        with suppress(ValueError, OSError):  # a lower limit is set already, or the system has none
            resource.setrlimit(resource_, (limit, limit))
    output = TextIOWrapper(sys.stdout.buffer, "utf-8", errors="replace", newline="")
    writer = csv.writer(output)
    size = 0
    for count, (number, cells) in enumerate(_first_filled_sheet(sys.stdin.buffer.read())):
        size += sum(map(len, cells))
        if size > max_characters:
            return TOO_LARGE
        if count > max_rows:  # one row too many: the reader of the output reports it
            break
        writer.writerow((number, *cells))
    output.flush()
    return 0


def _first_filled_sheet(data: bytes) -> Iterator[tuple[int, list[str]]]:
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
    """Write a cell as text; a whole number without decimals, as phone numbers may be stored as floats."""
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
