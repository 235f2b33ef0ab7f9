"""Workbooks (xlsx, xls, ods): the first sheet that holds something."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.formats._rows import MOST_ROWS, Reading, checked
from contacts_mcp.formats._table import read_table


def read_excel(data: bytes, wanted: Mapping[str, str]) -> Reading:
    """Read a workbook's first sheet that is not empty.

    Raises:
        ValidationFailed: it is damaged, locked or empty, or its header cannot be understood.
    """
    rows = _rows(_sheet(data))
    header = next(rows, None)
    if header is None:
        raise ValidationFailed("the workbook is empty", advice="choose another file")
    table = read_table(header[1], rows, wanted)
    return Reading("excel", table.dialect, checked(table.rows), table.mapping, table.unmapped)


def _sheet(data: bytes) -> list[list[Any]]:
    from python_calamine import CalamineError, load_workbook

    try:
        workbook = load_workbook(BytesIO(data))
        for name in workbook.sheet_names:
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=MOST_ROWS + 2)
            if any(any(_text(cell).strip() for cell in row) for row in rows):
                return rows
    except CalamineError:
        raise ValidationFailed(
            "the workbook cannot be opened: it is damaged, or locked with a password",
            advice="save it again without one, or as CSV",
        ) from None
    return []


def _rows(sheet: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[str]]]:
    for number, row in enumerate(sheet, 1):
        cells = [_text(cell) for cell in row]
        if any(cell.strip() for cell in cells):
            yield number, cells


def _text(cell: Any) -> str:
    """A cell as text; a number that is whole is one, since nobody has half a phone."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)
