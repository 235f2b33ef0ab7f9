"""Files of contacts made for a test, and what comes of reading them."""

from io import BytesIO
from typing import Any

import openpyxl
import pytest

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.formats import Row, read_contacts


def rows_of(data: str | bytes, **more: Any) -> list[Row]:
    """All rows that are read."""
    return list(read_contacts(data.encode() if isinstance(data, str) else data, **more).rows)


def refusal(data: str | bytes, **more: Any) -> str:
    """The one line with which it is refused."""
    with pytest.raises(ValidationFailed) as refused:
        rows_of(data, **more)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def card(*lines: str, version: str = "3.0") -> str:
    """A vCard with these lines."""
    return "\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def workbook(**sheets: list[tuple[Any, ...]]) -> bytes:
    """A workbook with these sheets, in this order."""
    book = openpyxl.Workbook()
    for sheet in book.worksheets:
        book.remove(sheet)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    written = BytesIO()
    book.save(written)
    return written.getvalue()
