"""Writes contacts as an Excel workbook whose cells are typed as text, so that no program changes or evaluates them.

The rows are compressed while they are written. Libraries keep them in memory or in temporary files, which would hold
personal data, until the workbook is complete.
"""

import re
from collections.abc import Iterable, Mapping
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from contacts_mcp.contract import Contact, ValidationFailed
from contacts_mcp.formats import _cells
from contacts_mcp.formats._layouts import OWN

MAX_SHEET_ROWS, MAX_CELL_LENGTH = 1_048_576, 32_767
"""Limits of Excel; a cell's length is in UTF-16 units."""
_MAX_SHEET_BYTES = 2**31 - 1
"""A larger part would need a form of zip files that not every program reads."""

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_WIDTH, _TEXT_STYLE, _HEADER_STYLE, _TEXT_FORMAT = 24, 1, 2, 49  # format 49 is `@`: what is typed stays text
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
    '<sheets><sheet name="Contacts" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="2">'
    '<font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    f'<xf numFmtId="{_TEXT_FORMAT}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    f'<xf numFmtId="{_TEXT_FORMAT}" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>'
    '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}
_SHEET_BEGIN = (
    f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    f'<cols><col min="1" max="{len(OWN.columns)}" width="{_WIDTH}" style="{_TEXT_STYLE}" customWidth="1"/></cols>'
    "<sheetData>"
)
_SHEET_END = "</sheetData></worksheet>"

_NOT_IN_XML = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")
"""Characters that XML cannot hold, or would change; a workbook writes them as `_x000D_`."""
_SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class XlsxWriter:
    """Writes a workbook with one sheet."""

    def __init__(self, sink: IO[bytes], _dialect: str) -> None:
        self._zip = ZipFile(sink, "w", ZIP_DEFLATED)
        self._sheet: IO[bytes] | None = None
        self._rows = 0
        self._size = 0

    def begin(self) -> None:
        """Write the parts before the sheet, and the header."""
        for name, text in _PARTS.items():
            self._zip.writestr(name, _HEAD + text)
        self._sheet = self._zip.open("xl/worksheets/sheet1.xml", "w")
        self._put(_HEAD + _SHEET_BEGIN + self._to_row(OWN.columns, _HEADER_STYLE))

    def write(self, contacts: Iterable[Contact]) -> None:
        """Write the rows of contacts. Raises ValidationFailed if a sheet or a cell cannot hold them."""
        for contact in contacts:
            values = OWN.to_values(contact)
            if self._rows >= MAX_SHEET_ROWS:
                raise _too_large(f"an Excel sheet holds {MAX_SHEET_ROWS - 1:,} contacts, and there are more")
            if any(_length(value) > MAX_CELL_LENGTH for value in values.values()):
                raise _too_large(f"contact {contact.id} has more text than an Excel cell holds")
            self._put(self._to_row(_to_cells(values), _TEXT_STYLE))

    def end(self) -> None:
        """Write the end of the sheet, and the list of the workbook's parts."""
        with self._zip:
            if self._sheet:
                with self._sheet:
                    self._put(_SHEET_END)

    def _put(self, text: str) -> None:
        data = text.encode()
        self._size += len(data)
        if self._size > _MAX_SHEET_BYTES:
            raise _too_large("the contacts have more text than an Excel sheet holds")
        assert self._sheet
        self._sheet.write(data)

    def _to_row(self, cells: Iterable[str], style: int) -> str:
        self._rows += 1
        cells_by_column = zip("ABCDEFGHIJ", cells, strict=True)
        written = (_to_cell(f"{column}{self._rows}", style, cell) for column, cell in cells_by_column if cell)
        return f'<row r="{self._rows}">{"".join(written)}</row>'


def _to_cell(reference: str, style: int, text: str) -> str:
    return f'<c r="{reference}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{_to_xml(text)}</t></is></c>'


def _to_cells(values: Mapping[str, str]) -> list[str]:
    escapes = {"phone_number": _cells.escape_typed_number}
    return [escapes.get(name, _cells.escape_typed)(values[name]) for name in OWN.columns]


def _to_xml(cell: str) -> str:
    if _NOT_IN_XML.search(cell):
        cell = _NOT_IN_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", cell)
    return cell.translate(_SPECIAL)


def _length(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-16-le")) // 2


def _too_large(problem: str) -> ValidationFailed:
    return ValidationFailed(problem, advice="export fewer contacts at a time, or another format such as csv")
