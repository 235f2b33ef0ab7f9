"""Tables, whatever they came from: rows of cells under a header, read by dialect."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from contacts_mcp.contract import ContactType, ValidationFailed
from contacts_mcp.formats import _own
from contacts_mcp.formats._cells import GOOGLE_SEPARATOR, emails_in, first_of, phones_in, tags_in
from contacts_mcp.formats._columns import Column, kind_rank, map_columns, plain
from contacts_mcp.formats._rows import Row

Cells = Sequence[str]
LONGEST_CELL = 20_000
"""Characters of a cell; with more, the row is no contact."""

_PARTS = ("first_name", "middle_name", "last_name")
_COMPANY = re.compile(
    r"compan|firma|bedrift|business|organi[sz]ation|unternehmen|entreprise|empresa|foretag", re.IGNORECASE
)
_DATA = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s()./-]{6,}")


@dataclass(slots=True)
class Table:
    """A header that was understood, and the rows under it."""

    dialect: str
    columns: list[Column]
    unmapped: list[str]
    rows: Iterator[Row]

    @property
    def mapping(self) -> list[tuple[str, str]]:
        """Columns with the fields that they fill."""
        return [(column.header, column.field) for column in self.columns]


def read_table(header: Cells, rows: Iterable[tuple[int, Cells]], wanted: Mapping[str, str]) -> Table:
    """Read numbered rows under a header.

    Raises:
        ValidationFailed: there is no header, or it cannot be understood.
    """
    headers = [cell.strip().lstrip("\ufeff") for cell in header]
    if not wanted and any(_DATA.fullmatch(cell) for cell in headers):
        raise ValidationFailed(
            "the first row looks like data, and no header",
            advice="put names of columns on top, such as name, phone, email",
        )
    if _own.is_own(headers) and not wanted:
        columns = [Column(place, name, name) for place, name in enumerate(headers) if name not in _own.TIMES]
        return Table("this program's own", columns, [], (_own.row_of(number, headers, cells) for number, cells in rows))
    columns = map_columns(headers, wanted)
    used = {column.place for column in columns} | {column.label for column in columns}
    unmapped = [name for place, name in enumerate(headers) if place not in used and name]
    reader = _Reader(columns)
    return Table(_dialect(headers), columns, unmapped, (reader.row_of(number, cells) for number, cells in rows))


def _dialect(headers: Sequence[str]) -> str:
    names = {plain(header) for header in headers}
    if names & {"e mail 1 value", "phone 1 value"}:
        return "Google Contacts" if "first name" in names else "Google Contacts (old)"
    if names >= {"first name", "last name", "e mail address"}:
        return "Outlook"
    return "by column name"


class _Reader:
    """Makes rows of cells, by columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._of: dict[str, list[Column]] = {}
        for column in columns:
            self._of.setdefault(column.field, []).append(column)
        self._ranks = {column.place: kind_rank(column.header) for column in columns}

    def row_of(self, number: int, cells: Cells) -> Row:
        """A row; one with a cell beyond all measure is a problem, and not read."""
        if max(map(len, cells), default=0) > LONGEST_CELL:
            return Row(number, problem=f"has a cell of more than {LONGEST_CELL:,} characters")
        phones = self._labelled("phone_number", cells)
        phones.sort(key=itemgetter(0))
        return Row(
            number,
            type=self._type(cells),
            name=self._name(cells),
            company_name=first_of(self._first("company_name", cells)),
            phones=phones_in(value for _, value in phones),
            emails=emails_in(value for _, value in self._labelled("email", cells)),
            tags=tags_in(self._all("tags", cells)),
            notes="\n".join(value for value in self._all("notes", cells) if value.strip()),
        )

    def _all(self, field: str, cells: Cells) -> list[str]:
        columns = self._of.get(field)
        return [cells[column.place] for column in columns if column.place < len(cells)] if columns else []

    def _first(self, field: str, cells: Cells) -> str:
        for value in self._all(field, cells):
            if value and not value.isspace():
                return value
        return ""

    def _labelled(self, field: str, cells: Cells) -> list[tuple[int, str]]:
        """Values with the rank of their kind: by the label beside them, else by the name of their column."""
        found: list[tuple[int, str]] = []
        for column in self._of.get(field, ()):
            if column.place < len(cells) and (value := cells[column.place].replace(GOOGLE_SEPARATOR, "\n").strip()):
                rank = self._ranks[column.place] if column.label is None else kind_rank(cells[column.label])
                found.append((rank, value))
        return found

    def _name(self, cells: Cells) -> str:
        full = self._first("name", cells).strip()
        if full and "last_name" not in self._of:
            return full
        first, middle, last = (self._first(field, cells).strip() for field in _PARTS)
        if full and (first or last.casefold() in full.casefold()):
            return full
        return " ".join(filter(None, (full or first, middle, last)))  # `Name` beside `Surname` is not all of it

    def _type(self, cells: Cells) -> ContactType | None:
        said = self._first("type", cells).strip()
        if not said:
            return None
        return "company" if _COMPANY.search(said) else "person"
