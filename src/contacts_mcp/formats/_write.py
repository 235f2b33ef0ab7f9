"""Contacts as files: CSV for spreadsheets, vCard for address books, JSON for programs."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from contacts_mcp.contract import Contact
from contacts_mcp.formats import _own

_MARK = b"\xef\xbb\xbf"  # by which spreadsheets know UTF-8
_LINE = 75
_SPECIAL = re.compile(r"[\\;,\n]")
_ESCAPES = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a format is called on disk and on the web."""

    suffix: str
    mime_type: str


FORMATS: Mapping[str, FileFormat] = {
    "csv": FileFormat(".csv", "text/csv"),
    "vcard": FileFormat(".vcf", "text/vcard"),
    "json": FileFormat(".json", "application/json"),
}


class Writer:
    """Writes contacts in one of FORMATS, as many pages as come, and then the end."""

    def __init__(self, format: str) -> None:  # noqa: A002 - what it is called everywhere
        self._write: Callable[[Iterable[Contact], bool], bytes] = _WRITERS[format]
        self._last = b"\n]}\n" if format == "json" else b""
        self._first = True

    def write(self, contacts: Sequence[Contact]) -> bytes:
        """The next part of the file."""
        return self._part(contacts) if contacts else b""

    def end(self) -> bytes:
        """The last part of the file."""
        return (self._part(()) if self._first else b"") + self._last

    def _part(self, contacts: Sequence[Contact]) -> bytes:
        written = self._write(contacts, self._first)
        self._first = False
        return written


def _csv(contacts: Iterable[Contact], first: bool) -> bytes:
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if first:
        writer.writerow(_own.COLUMNS)
    writer.writerows(_own.cells_of(contact) for contact in contacts)
    return (_MARK if first else b"") + text.getvalue().encode()


def _json(contacts: Iterable[Contact], first: bool) -> bytes:
    written = [json.dumps(_present(contact), ensure_ascii=False) for contact in contacts]
    begin = '{"contacts": [\n' if first else ",\n"
    return (begin + ",\n".join(written)).encode()


def _present(contact: Contact) -> dict[str, Any]:
    values = {name: getattr(contact, name, None) for name in _own.COLUMNS}
    times = {name: _own.time(moment) for name in _own.TIMES if (moment := values[name])}
    return {name: value for name, value in (values | times).items() if value not in (None, [])}


def _vcard(contacts: Iterable[Contact], _first: bool) -> bytes:
    lines = (line for contact in contacts for line in _card(contact))
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _card(contact: Contact) -> Iterator[str]:
    """VCard 3.0, which every address book reads (RFC 2426); Apple's property says that a card is a company's."""
    name = contact.name or ""
    first, _, last = name.rpartition(" ")
    is_company = contact.type == "company"
    yield "BEGIN:VCARD"
    yield "VERSION:3.0"
    yield f"PRODID:{_own.PRODUCT}"
    yield f"UID:urn:uuid:{contact.id}"
    yield f"N:{_text(last)};{_text(first)};;;" if not is_company else "N:;;;;"
    yield f"FN:{_text(name)}"
    if is_company:
        yield "X-ABShowAs:COMPANY"
    else:
        yield "KIND:individual"
    if contact.company_name:
        yield f"ORG:{_text(contact.company_name)}"
    if contact.phone_number:
        yield f"TEL;TYPE=CELL:{_text(contact.phone_number)}"
    if contact.email:
        yield f"EMAIL;TYPE=INTERNET:{_text(contact.email)}"
    if contact.tags:
        yield f"CATEGORIES:{','.join(map(_text, contact.tags))}"
    if contact.notes:
        yield f"NOTE:{_text(contact.notes)}"
    yield "END:VCARD"


def _text(value: str) -> str:
    plain = value.replace("\r\n", "\n").replace("\r", "\n")
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], plain)


def _folded(line: str) -> str:
    """Lines of at most 75 octets, cut between characters."""
    if len(line) <= _LINE and line.isascii():
        return line
    parts: list[str] = []
    part, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > _LINE:
            parts.append(part)
            part, size = "", 1  # the space that continues it
        part += character
        size += width
    return "\r\n ".join([*parts, part])


_WRITERS: Mapping[str, Callable[[Iterable[Contact], bool], bytes]] = {"csv": _csv, "vcard": _vcard, "json": _json}
