"""Reads workbooks of older and rarer formats: xls and xlsb."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO

from ._package import Damaged, NumberedRow, float_text


def read_old_formats(data: bytes) -> Iterator[Iterator[NumberedRow]]:
    """Yield the sheets of an xls or xlsb file, each as its rows; hidden ones last."""
    from python_calamine import CalamineError, SheetTypeEnum, SheetVisibleEnum, load_workbook

    try:
        workbook = load_workbook(BytesIO(data))
        sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        for sheet in sorted(sheets, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible):
            rows = workbook.get_sheet_by_name(sheet.name).iter_rows()
            yield ((number, [_text(cell) for cell in row]) for number, row in enumerate(rows, 1))
    except CalamineError:
        raise Damaged from None


def _text(cell: int | float | str | bool | time | date | datetime | timedelta | None) -> str:  # noqa: PYI041
    return float_text(cell) if isinstance(cell, float) else "" if cell is None else str(cell)
