"""What is read: rows, and how they were understood."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from contacts_mcp.contract import ContactType, ValidationFailed

Format = Literal["csv", "vcard", "excel", "json"]
MAX_ROWS = 250_000
LARGEST_CELL = 64 * 1024 * 1024
"""Characters of a cell that is taken apart from the next one; it may still be too large for a contact."""

_LONGEST = {"name": 255, "company_name": 255, "notes": 10_000}
_LONGEST_OF = {"phones": 64, "emails": 320, "tags": 64}
_MOST_TAGS = 50
_MOST_OTHERS = 20
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(slots=True)
class Row:
    """What one row, card or item says of a contact, by the number that a person finds it by.

    Phones and emails are all that there are, preferred ones first, as they were written. `problem` is why the row
    cannot be used, without its values. `id` is there in this program's own exports alone.
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


@dataclass(slots=True)
class ParsedFile:
    """A file as it was understood. `mapping` has source columns with the fields they fill; `rows` are read as they are
    taken, so that others can run between them.
    """

    format: Format
    dialect: str
    rows: Iterator[Row]
    mapping: list[tuple[str, str]] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    encoding: str | None = None
    delimiter: str | None = None


def checked(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows tidied, with what is wrong with them, and no more of them than can be handled.

    Raises:
        ValidationFailed: there are too many.
    """
    for count, row in enumerate(rows, 1):
        if count > MAX_ROWS:
            raise ValidationFailed(f"the file has more than {MAX_ROWS:,} rows", advice="split it, and import the parts")
        if row.problem is None:
            _tidy(row)
            row.problem = _problem(row)
        yield row


def _tidy(row: Row) -> None:
    row.name, row.company_name = _line(row.name), _line(row.company_name)
    row.notes = row.notes.strip() if row.notes.isprintable() else _UNSTORABLE.sub("", row.notes).strip()
    for name in _LONGEST_OF:
        if values := getattr(row, name):
            setattr(row, name, tuple(dict.fromkeys(line for value in values if (line := _line(value)))))
    if not row.name and row.company_name:
        row.name, row.type = row.company_name, row.type or "company"


def _line(value: str) -> str:
    if value.isprintable() and "  " not in value:  # as most are
        return value.strip()
    return " ".join(_UNSTORABLE.sub("", value).split())


def _problem(row: Row) -> str | None:
    if not row.name:
        return "has no name"
    for name, most in _LONGEST.items():
        if len(getattr(row, name)) > most:
            return f"has more than {most:,} characters in {name}"
    for name, most in _LONGEST_OF.items():
        values = getattr(row, name)
        if values and max(map(len, values)) > most:
            return f"has more than {most} characters in one of its {name}"
        if len(values) > (_MOST_TAGS if name == "tags" else _MOST_OTHERS):
            return f"has too many {name}"
    return None
