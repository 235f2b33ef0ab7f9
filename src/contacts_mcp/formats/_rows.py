"""The rows of a file, which are cleaned and checked in the same way for every format."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from contacts_mcp.contract import UUID, ContactType, ValidationFailed
from contacts_mcp.mail import is_email

Format = Literal["csv", "vcard", "excel", "json"]
MAX_ROWS = 250_000

_MAX_NAME_LENGTH = 255
_MAX_LENGTHS = {"company_name": 255, "notes": 10_000}
_MAX_ITEM_LENGTHS = {"phones": 64, "emails": 320, "tags": 64}
_MAX_ITEMS_READ = 200
_MAX_ITEMS = {"phones": 20, "emails": 20, "tags": 50}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NO_NAMES = frozenset({"null", "null null", "none", "none none", "undefined", "(no name)", "n/a", "-", "?", "(null)"})
"""What programs write for a missing name, in lower case."""

NAMED_BY_ADDRESS, NAMED_BY_NUMBER = (
    "has no name and is named by its e-mail address",
    "has no name and is named by its number",
)
NAMED_BY_NICKNAME = "has no name and is named by its nickname"
SECOND_NAME = "has a second name or company, which is not imported"
SPREADSHEET_ERROR_NOT_READ = "has an error of a spreadsheet in a cell, which is not imported"
FAX_NOT_READ = "has a fax or pager number, which is not imported"
VALUE_NOT_READ = "has a line that looks like a number or an e-mail address, but cannot be read"
LINE_CONTINUED = "has a line that is not a property and was read as part of the line before"
PROPERTY_NOT_READ = "has a value that cannot be decoded"
CARD_HAS_NO_END = "has no END:VCARD; its last line may be incomplete"
CARD_TOO_LONG = "has more than 100,000 lines; the others are not imported"
ENCODING_GUESSED = "has letters whose encoding is guessed; give encoding if they are wrong"
VALUE_TOO_LONG = "has a number, e-mail address or tag that is too long, which is not imported"
ENCODED_TWICE = "has letters that were encoded twice, such as Ã¥ for å; they are read as they were meant"
LETTERS_LOST = "has letters that cannot be read; give encoding, or correct the file"
EXTRA_CELLS = "has more cells than the header; additional cells are not imported"


@dataclass(slots=True)
class Row:
    """A contact as one row, card or item of a file describes it.

    Attributes:
        number: The number by which a person finds the row in the file.
        id: The contact's id, only in exports of this program.
        phones: All numbers as written, preferred ones first; `emails` likewise.
        problem: Why the row cannot be used, without its values; None if it can.
        notices: What was not read as it is written, or not at all; without its values.
    """

    number: int
    id: str | None = None
    type: ContactType | None = None
    name: str = ""
    company_name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notes: str = ""
    problem: str | None = None
    notices: tuple[str, ...] = ()


@dataclass(slots=True)
class ParsedFile:
    """A file's rows, and how the file was understood.

    Attributes:
        rows: Parsed while they are iterated, so that other work can run between them.
        mapping: The columns that are used, each with the field that it fills.
        unmapped: The columns that are not used.
        remarks: What the reader of a plan should know about the file as a whole.
    """

    format: Format
    dialect: str
    rows: Iterator[Row]
    mapping: list[tuple[str, str]] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    encoding: str | None = None
    delimiter: str | None = None
    remarks: list[str] = field(default_factory=list)


def take(field: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct values of a row's list, at most one more than it may have, which is reported."""
    found = dict.fromkeys(islice(values, _MAX_ITEMS_READ))
    return tuple(islice(found, _MAX_ITEMS[field] + 1))


def parse_id(text: str) -> str | None:
    """Return an id in lower case; None if it is not a UUID."""
    return text.strip().lower() if UUID.fullmatch(text.strip()) else None


def parse_type(value: object) -> ContactType | None:
    """Return a contact type as exports write it; None for any other value."""
    return "company" if value == "company" else "person" if value == "person" else None


def check_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Clean rows and set their `problem`.

    Raises:
        ValidationFailed: there are more than MAX_ROWS.
    """
    for count, row in enumerate(rows, 1):
        if count > MAX_ROWS:
            raise ValidationFailed(f"the file has more than {MAX_ROWS:,} rows", advice="split it, and import the parts")
        if row.problem is None:
            _clean(row)
            row.problem = _find_problem(row)
        yield row


def _clean(row: Row) -> None:
    row.name, row.company_name = _one_line(row.name), _one_line(row.company_name)
    if row.id is None and row.name.lower() in _NO_NAMES:
        row.name = ""
    row.notes = row.notes.strip() if row.notes.isprintable() else _UNSTORABLE.sub("", row.notes).strip()
    if len(row.company_name) > _MAX_LENGTHS["company_name"] or len(row.notes) > _MAX_LENGTHS["notes"]:
        _shorten_texts(row)
    if row.phones:
        row.phones = _clean_items(row, "phones", row.phones)
    if row.emails:
        row.emails = _clean_items(row, "emails", row.emails)
    if row.tags:
        row.tags = _clean_items(row, "tags", row.tags)
    if not row.name:
        _set_name(row)


def _shorten_texts(row: Row) -> None:
    for name, limit in _MAX_LENGTHS.items():
        if len(text := getattr(row, name)) > limit:
            setattr(row, name, text[:limit].rstrip())
            row.notices += (f"has more than {limit:,} characters in {name}; the rest is not imported",)


def _clean_items(row: Row, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return distinct values, without those that a contact has no room for."""
    limit, count = _MAX_ITEM_LENGTHS[name], _MAX_ITEMS[name]
    if len(values) == 1 and 0 < len(line := _one_line(values[0])) <= limit:  # as usual
        return (line,)
    lines = list(filter(None, map(_one_line, values)))
    found = [line for line in lines if len(line) <= limit]
    if len(found) < len(lines):
        row.notices += (VALUE_TOO_LONG,)
    if len(found) > 1:
        found = list(dict.fromkeys(found))
    if len(found) > count:
        row.notices += (f"has more than {count} {name}; the others are not imported",)
    return tuple(found[:count])


def _set_name(row: Row) -> None:
    """Name a row after its company, e-mail address or number."""
    if row.company_name:
        row.name, row.type = row.company_name, row.type or "company"
    elif email := next(filter(is_email, row.emails), ""):
        row.name = email
        row.notices += (NAMED_BY_ADDRESS,)
    elif row.phones:
        row.name = row.phones[0]
        row.notices += (NAMED_BY_NUMBER,)


def _one_line(value: str) -> str:
    if value.isprintable() and "  " not in value:  # most values are like this
        return value.strip()
    return " ".join(_UNSTORABLE.sub("", value).split())


def _find_problem(row: Row) -> str | None:
    if not row.name:
        return "has no name, number or e-mail address"
    if len(row.name) > _MAX_NAME_LENGTH:
        return f"has more than {_MAX_NAME_LENGTH} characters in name"
    return None
