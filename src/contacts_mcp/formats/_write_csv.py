"""Writes contacts as CSV: this program's own with commas or semicolons, and that of Google Contacts and Outlook."""

import csv
from collections.abc import Callable, Iterable
from io import StringIO
from typing import IO, NamedTuple

from contacts_mcp.contract import Contact
from contacts_mcp.formats import _cells
from contacts_mcp.formats._layouts import GOOGLE, OUTLOOK, OWN, TIMES, Layout
from contacts_mcp.phones import is_e164

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # spreadsheets recognize UTF-8 by it


class CsvDialect(NamedTuple):
    """How a program expects CSV.

    Attributes:
        escape: escapes a value; its own programs would show what `_cells.escape` adds for spreadsheets.
        escape_number: the same for a phone number.
        mark: the byte order mark; Google would take it for a part of the first column's name.
    """

    layout: Layout = OWN
    delimiter: str = ","
    escape: Callable[[str], str] = _cells.escape
    escape_number: Callable[[str], str] = _cells.escape_number
    mark: bytes = _BYTE_ORDER_MARK


def _escape_plain_number(number: str) -> str:
    return number if is_e164(number) else _cells.escape_formulas(number)


CSV_DIALECTS = {
    "": CsvDialect(),
    "semicolon": CsvDialect(delimiter=";"),
    "google": CsvDialect(GOOGLE, ",", _cells.escape_formulas, _escape_plain_number, b""),
    "outlook": CsvDialect(OUTLOOK, ",", _cells.escape_formulas, _escape_plain_number),
}
_NUMBER_COLUMNS = frozenset({"phone_number", "Phone 1 - Value", "Mobile Phone"})


class CsvWriter:
    """Writes a CSV file."""

    def __init__(self, sink: IO[bytes], dialect: str) -> None:
        self._sink = sink
        self._dialect = CSV_DIALECTS[dialect]
        self._columns = [(name, self._escape_of(name)) for name in self._dialect.layout.columns]

    def begin(self) -> None:
        """Write the header."""
        header = write_csv_rows([self._dialect.layout.columns], self._dialect.delimiter)
        self._sink.write(self._dialect.mark + header)

    def write(self, contacts: Iterable[Contact]) -> None:
        """Write the rows of contacts."""
        self._sink.write(write_csv_rows(map(self._to_cells, contacts), self._dialect.delimiter))

    def end(self) -> None:
        """Do nothing: the last row ends the file."""

    def _escape_of(self, column: str) -> Callable[[str], str]:
        if column in TIMES:
            return str  # as this program writes them, no spreadsheet changes them
        return self._dialect.escape_number if column in _NUMBER_COLUMNS else self._dialect.escape

    def _to_cells(self, contact: Contact) -> list[str]:
        values = self._dialect.layout.to_values(contact)
        return [escape(value) if (value := values.get(name)) else "" for name, escape in self._columns]


def write_csv_rows(rows: Iterable[Iterable[str]], delimiter: str = ",") -> bytes:
    """Return rows of cells, which are escaped, as CSV."""
    text = StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
