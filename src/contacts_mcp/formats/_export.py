"""Writes contacts as CSV for spreadsheets, vCard for address books, JSON for programs; reads its own CSV back exactly.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. Such a cell gets an apostrophe in front,
and so does one that begins with apostrophes before such a character, so that reading can remove exactly one. A number
in E.164 is left as it is: a spreadsheet can only drop its plus, and other programs expect it plain.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from contacts_mcp.contract import Contact
from contacts_mcp.formats._rows import Row, parse_id, parse_type
from contacts_mcp.phones import is_e164

COLUMNS = (
    "id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at",
)  # fmt: skip
TIMES = ("created_at", "updated_at")
PRODUCT_ID = "-//WAYSCloud//contacts-mcp//EN"
"""The PRODID of cards that this program wrote."""
OWN_DIALECT = "this program's own"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # spreadsheets recognize UTF-8 by it
_MAX_LINE_BYTES = 75
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@\t\r\n]")
_TAG_SEPARATOR = ";"
_VCARD_SPECIAL = re.compile(r"[\\;,\n]")
_VCARD_ESCAPES = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format's file name suffix and MIME type."""

    suffix: str
    mime_type: str


FORMATS: Mapping[str, FileFormat] = {
    "csv": FileFormat(".csv", "text/csv"),
    "vcard": FileFormat(".vcf", "text/vcard"),
    "json": FileFormat(".json", "application/json"),
}


class Writer:
    """Writes contacts in one of FORMATS: call `write` for each page of contacts, then `end`."""

    def __init__(self, format: str) -> None:  # noqa: A002 - the usual name
        self._write: Callable[[Iterable[Contact], bool], bytes] = _WRITERS[format]
        self._last = b"\n]}\n" if format == "json" else b""
        self._is_first = True

    def write(self, contacts: Sequence[Contact]) -> bytes:
        """Return the next part of the file."""
        if not contacts:
            return b""
        written = self._write(contacts, self._is_first)
        self._is_first = False
        return written

    def end(self) -> bytes:
        """Return the last part of the file."""
        return (self._write((), self._is_first) if self._is_first else b"") + self._last


def is_export_header(headers: Sequence[str]) -> bool:
    """Whether a header is that of an export, possibly with columns removed."""
    return {"id", "name"} <= {*headers} <= {*COLUMNS}


def parse_exported_row(number: int, headers: Sequence[str], cells: Sequence[str]) -> Row:
    """Read an exported contact from its cells."""
    values = dict(zip(headers, (_unescape_formula(cell) for cell in cells), strict=False))
    phone, email = values.get("phone_number", ""), values.get("email", "")
    return Row(
        number,
        id=parse_id(values.get("id", "")),
        type=parse_type(values.get("type")),
        name=values.get("name", ""),
        company_name=values.get("company_name", ""),
        phones=(phone,) if phone else (),
        emails=(email,) if email else (),
        tags=tuple(_unescape_tag(tag) for tag in _split_tags(values.get("tags", ""))),
        notes=values.get("notes", ""),
    )


def _to_cells(contact: Contact) -> Iterator[str]:
    """Yield a contact's cells, none of them a formula."""
    for name in COLUMNS:
        value = getattr(contact, name, None)
        if value is None:
            yield ""
        elif name == "tags":
            yield _escape_formula(_join_tags(map(_escape_tag, contact.tags)))
        elif name in TIMES:
            yield _format_time(value)
        else:
            yield value if name == "phone_number" and is_e164(value) else _escape_formula(value)


def _escape_formula(value: str) -> str:
    return f"'{value}" if _FORMULA.match(value) else value


def _unescape_formula(cell: str) -> str:
    return cell[1:] if _ESCAPED_FORMULA.match(cell) else cell


def _escape_tag(tag: str) -> str:
    """Escape a tag, and what follows a `;` in it: a spreadsheet that splits at `;` makes each a cell."""
    return _TAG_SEPARATOR.join(map(_escape_formula, tag.split(_TAG_SEPARATOR)))


def _unescape_tag(tag: str) -> str:
    return _TAG_SEPARATOR.join(map(_unescape_formula, tag.split(_TAG_SEPARATOR)))


def _join_tags(tags: Iterable[str]) -> str:
    """Join tags with semicolons; quotes those that contain one."""
    text = StringIO()
    csv.writer(text, delimiter=_TAG_SEPARATOR, lineterminator="").writerow(tags)
    return text.getvalue()


def _split_tags(cell: str) -> list[str]:
    return next(csv.reader([cell], delimiter=_TAG_SEPARATOR), []) if cell else []


def _format_time(moment: datetime) -> str:
    """Write a time as the API does."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _write_csv(contacts: Iterable[Contact], is_first: bool) -> bytes:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if is_first:
        writer.writerow(COLUMNS)
    writer.writerows(_to_cells(contact) for contact in contacts)
    return (_BYTE_ORDER_MARK if is_first else b"") + text.getvalue().encode()


def _write_json(contacts: Iterable[Contact], is_first: bool) -> bytes:
    written = [json.dumps(_to_object(contact), ensure_ascii=False) for contact in contacts]
    begin = '{"contacts": [\n' if is_first else ",\n"
    return (begin + ",\n".join(written)).encode()


def _to_object(contact: Contact) -> dict[str, Any]:
    values = {name: getattr(contact, name, None) for name in COLUMNS}
    times = {name: _format_time(moment) for name in TIMES if (moment := values[name])}
    return {name: value for name, value in (values | times).items() if value not in (None, [])}


def _write_vcard(contacts: Iterable[Contact], _is_first: bool) -> bytes:
    lines = (line for contact in contacts for line in _to_card(contact))
    return "".join(f"{_fold_line(line)}\r\n" for line in lines).encode()


def _to_card(contact: Contact) -> Iterator[str]:
    """Yield a card's lines in vCard 3.0, which every address book reads (RFC 2426).

    Apple's property X-ABShowAs marks the card of a company.
    """
    name = contact.name or ""
    first, _, last = name.rpartition(" ")
    is_company = contact.type == "company"
    yield "BEGIN:VCARD"
    yield "VERSION:3.0"
    yield f"PRODID:{PRODUCT_ID}"
    yield f"UID:urn:uuid:{contact.id}"
    yield f"N:{_escape_vcard(last)};{_escape_vcard(first)};;;" if not is_company else "N:;;;;"
    yield f"FN:{_escape_vcard(name)}"
    if is_company:
        yield "X-ABShowAs:COMPANY"
    else:
        yield "KIND:individual"
    if contact.company_name:
        yield f"ORG:{_escape_vcard(contact.company_name)}"
    if contact.phone_number:
        yield f"TEL;TYPE=CELL:{_escape_vcard(contact.phone_number)}"
    if contact.email:
        yield f"EMAIL;TYPE=INTERNET:{_escape_vcard(contact.email)}"
    if contact.tags:
        yield f"CATEGORIES:{','.join(map(_escape_vcard, contact.tags))}"
    if contact.notes:
        yield f"NOTE:{_escape_vcard(contact.notes)}"
    yield "END:VCARD"


def _escape_vcard(value: str) -> str:
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return _VCARD_SPECIAL.sub(lambda found: _VCARD_ESCAPES[found[0]], text)


def _fold_line(line: str) -> str:
    """Fold a line at 75 bytes, between characters."""
    if len(line) <= _MAX_LINE_BYTES and line.isascii():
        return line
    parts: list[str] = []
    part, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > _MAX_LINE_BYTES:
            parts.append(part)
            part, size = "", 1  # the space that marks a continuation
        part += character
        size += width
    return "\r\n ".join([*parts, part])


_WRITERS: Mapping[str, Callable[[Iterable[Contact], bool], bytes]] = {
    "csv": _write_csv,
    "vcard": _write_vcard,
    "json": _write_json,
}
