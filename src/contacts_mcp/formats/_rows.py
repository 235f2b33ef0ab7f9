"""What every reader shares: decoding a file's text, and the rows that reading results in."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from contacts_mcp.contract import UUID, ContactType, ValidationFailed

Format = Literal["csv", "vcard", "excel", "json"]
MAX_ROWS = 250_000

_MAX_LENGTHS = {"name": 255, "company_name": 255, "notes": 10_000}
_MAX_ITEM_LENGTHS = {"phones": 64, "emails": 320, "tags": 64}
_MAX_ITEMS = {"phones": 20, "emails": 20, "tags": 50}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)


@dataclass(slots=True)
class Row:
    """A contact as one row, card or item of a file describes it.

    Attributes:
        number: The number by which a person finds the row in the file.
        id: The contact's id, only in exports of this program.
        phones: All numbers as written, preferred ones first; `emails` likewise.
        problem: Why the row cannot be used, without its values; None if it can.
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
    """A file's rows, and how the file was understood.

    Attributes:
        rows: Parsed while they are iterated, so that other work can run between them.
        mapping: The columns that are used, each with the field that it fills.
        unmapped: The columns that are not used.
    """

    format: Format
    dialect: str
    rows: Iterator[Row]
    mapping: list[tuple[str, str]] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    encoding: str | None = None
    delimiter: str | None = None


def decode(data: bytes) -> tuple[str, str]:
    """Return the text and the name of its encoding; see `detect_encoding`."""
    codec, name = detect_encoding(data)
    return data.decode(codec, "replace"), name


def detect_encoding(data: bytes) -> tuple[str, str]:
    """Return codec and name: UTF-8 or UTF-16 by their byte order marks, else UTF-8 if it is valid, else Windows-1252.

    Raises:
        ValidationFailed: the file does not have the encoding that its mark names.
    """
    marked = ((codec, name) for mark, codec, name in _BYTE_ORDER_MARKS if data.startswith(mark))
    codec, name = next(marked, ("utf-8", "UTF-8"))
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        if codec != "utf-8":
            raise ValidationFailed(f"the file is not valid {name}", advice="save it as UTF-8") from None
        return "cp1252", "Windows-1252"
    return codec, name


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
    row.notes = row.notes.strip() if row.notes.isprintable() else _UNSTORABLE.sub("", row.notes).strip()
    for name in _MAX_ITEMS:
        if values := getattr(row, name):
            setattr(row, name, tuple(dict.fromkeys(line for value in values if (line := _one_line(value)))))
    if not row.name and row.company_name:
        row.name, row.type = row.company_name, row.type or "company"


def _one_line(value: str) -> str:
    if value.isprintable() and "  " not in value:  # as most are
        return value.strip()
    return " ".join(_UNSTORABLE.sub("", value).split())


def _find_problem(row: Row) -> str | None:
    if not row.name:
        return "has no name"
    for name, limit in _MAX_LENGTHS.items():
        if len(getattr(row, name)) > limit:
            return f"has more than {limit:,} characters in {name}"
    for name, limit in _MAX_ITEM_LENGTHS.items():
        values = getattr(row, name)
        if values and max(map(len, values)) > limit:
            return f"has more than {limit} characters in one of its {name}"
        if len(values) > _MAX_ITEMS[name]:
            return f"has too many {name}"
    return None
