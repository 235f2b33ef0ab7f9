"""The columns of tables that this program writes: its own, Google's and Outlook's. Each reads back exactly.

A table is recognized by its header. Other tables, also those that Google and Outlook write themselves, are read by what
their columns mean (see `_table`).
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import NamedTuple

from contacts_mcp.contract import Contact
from contacts_mcp.formats import _cells
from contacts_mcp.formats._rows import EXTRA_CELLS, Row, parse_id, parse_type

COLUMNS = (
    "id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at",
)  # fmt: skip
TIMES = ("created_at", "updated_at")
_TEXT_COLUMNS = tuple(name for name in COLUMNS if name not in ("tags", *TIMES))
OWN_DIALECT = "this program's own"

_TAG_SEPARATOR = ";"
_GOOGLE_TAG_SEPARATOR = " ::: "
_GOOGLE_COLUMNS = (
    "First Name", "Last Name", "File As", "Organization Name", "Notes", "Labels",
    "E-mail 1 - Label", "E-mail 1 - Value", "Phone 1 - Label", "Phone 1 - Value",
)  # fmt: skip
_OUTLOOK_COLUMNS = (
    "First Name", "Last Name", "Company", "Mobile Phone", "E-mail Address", "E-mail Type", "E-mail Display Name",
    "Categories", "Notes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """A table's columns, what each has of a contact, and the contact that a row describes.

    Attributes:
        dialect: the name by which a plan calls the table.
        read: returns the row of values by column, which are still escaped; it has no number yet.
    """

    dialect: str
    columns: Sequence[str]
    to_values: Callable[[Contact], Mapping[str, str]]
    read: Callable[[Mapping[str, str]], Row]

    def read_row(self, number: int, headers: Sequence[str], cells: Sequence[str]) -> Row:
        """Read a contact from its cells."""
        row = self.read(dict(zip(headers, cells, strict=False)))
        row.number = number
        if any(cell.strip() for cell in cells[len(headers) :]):
            row.notices = (EXTRA_CELLS,)
        return row


def find_layout(headers: Sequence[str]) -> Layout | None:
    """Return the layout that a header belongs to; this program's own may have columns moved or removed."""
    if {"id", "name"} <= {*headers} <= {*COLUMNS}:
        return OWN
    return next((each for each in (GOOGLE, OUTLOOK) if tuple(headers) == each.columns), None)


def format_time(moment: datetime) -> str:
    """Write a time as the API does."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _to_own_values(contact: Contact) -> dict[str, str]:
    values = {name: getattr(contact, name, None) or "" for name in _TEXT_COLUMNS}
    times = {name: format_time(moment) if (moment := getattr(contact, name, None)) else "" for name in TIMES}
    return {**values, "tags": _join_tags(contact.tags), **times}


def _read_own(cells: Mapping[str, str]) -> Row:
    values = {name: _cells.unescape(cell) for name, cell in cells.items() if name != "phone_number"}
    contact_id = parse_id(values.get("id", ""))
    number = cells.get("phone_number", "")
    # A row that a person has added has no id; its digits are no number of ours that has lost its plus.
    number = _cells.unescape_number(number) if contact_id else _cells.unescape(number)
    return Row(
        0,
        id=contact_id,
        type=parse_type(values.get("type")),
        name=values.get("name", ""),
        company_name=values.get("company_name", ""),
        phones=_filled(number),
        emails=_filled(values.get("email", "")),
        tags=tuple(_split_tags(values.get("tags", ""))),
        notes=values.get("notes", ""),
    )


def _to_names(contact: Contact) -> tuple[str, str, str, str]:
    """Return first name, last name, company, and the name of a company that belongs to another one."""
    name, company = contact.name or "", contact.company_name or ""
    if contact.type == "company":
        return "", "", company or name, name if company else ""
    return *split_name(name), company, ""


def split_name(name: str) -> tuple[str, str]:
    """Split a name into first names and the last name."""
    first, _, last = name.rpartition(" ")
    return (first, last) if first else (last, "")


def _filled(value: str) -> tuple[str, ...]:
    return (value,) if value else ()


def _join_tags(tags: Iterable[str]) -> str:
    """Join tags with semicolons; quotes those that contain one."""
    text = StringIO()
    csv.writer(text, delimiter=_TAG_SEPARATOR, lineterminator="").writerow(tags)
    return text.getvalue()


def _split_tags(cell: str) -> list[str]:
    return next(csv.reader([cell], delimiter=_TAG_SEPARATOR), []) if cell else []


class _Program(NamedTuple):
    """The columns of another program's table, besides `First Name`, `Last Name` and `Notes`.

    Attributes:
        filed_as: the column with the name of a company that belongs to another one.
        label: a column with a constant text, and the column which that describes.
    """

    company: str
    filed_as: str
    phone: str
    email: str
    tags: str
    label: tuple[str, str, str]
    join_tags: Callable[[Iterable[str]], str]
    split_tags: Callable[[str], Iterable[str]]

    def to_values(self, contact: Contact) -> dict[str, str]:
        """Return what each column has of a contact; a company has no first and last name."""
        first, last, company, filed_as = _to_names(contact)
        values = {
            "First Name": first,
            "Last Name": last,
            self.company: company,
            self.filed_as: filed_as,
            self.phone: contact.phone_number or "",
            self.email: contact.email or "",
            self.tags: self.join_tags(contact.tags),
            "Notes": contact.notes or "",
        }
        column, text, described = self.label
        return {**values, column: text if values[described] else ""}

    def read(self, cells: Mapping[str, str]) -> Row:
        """Read a contact from its cells."""
        values = {column: _cells.unescape_formulas(cell) for column, cell in cells.items()}
        company, filed_as = values.get(self.company, ""), values.get(self.filed_as, "")
        name = f"{values.get('First Name', '')} {values.get('Last Name', '')}".strip()
        return Row(
            0,
            type="person" if name else "company",
            name=name or filed_as or company,
            company_name=company if name or filed_as else "",
            phones=_filled(values.get(self.phone, "")),
            emails=_filled(values.get(self.email, "")),
            tags=tuple(filter(None, self.split_tags(values.get(self.tags, "")))),
            notes=values.get("Notes", ""),
        )


_GOOGLE = _Program(
    company="Organization Name",
    filed_as="File As",
    phone="Phone 1 - Value",
    email="E-mail 1 - Value",
    tags="Labels",
    label=("Phone 1 - Label", "Mobile", "Phone 1 - Value"),
    join_tags=_GOOGLE_TAG_SEPARATOR.join,
    split_tags=lambda cell: cell.split(_GOOGLE_TAG_SEPARATOR),
)
_OUTLOOK = _Program(
    company="Company",
    filed_as="E-mail Display Name",
    phone="Mobile Phone",
    email="E-mail Address",
    tags="Categories",
    label=("E-mail Type", "SMTP", "E-mail Address"),
    join_tags=_join_tags,
    split_tags=_split_tags,
)

OWN = Layout(OWN_DIALECT, COLUMNS, _to_own_values, _read_own)
GOOGLE = Layout("Google Contacts", _GOOGLE_COLUMNS, _GOOGLE.to_values, _GOOGLE.read)
OUTLOOK = Layout("Outlook", _OUTLOOK_COLUMNS, _OUTLOOK.to_values, _OUTLOOK.read)
