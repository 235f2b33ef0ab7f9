"""Writes contacts as vCard 3.0 (RFC 2426), which every address book reads, or 4.0 (RFC 6350)."""

import re
from collections.abc import Iterable, Iterator
from typing import IO

from contacts_mcp.contract import Contact
from contacts_mcp.formats._layouts import split_name

PRODUCT_ID = "-//WAYSCloud//contacts-mcp//EN"
"""The PRODID of cards that this program wrote."""
VCARD_VERSIONS = ("3.0", "4.0")

_MAX_LINE_BYTES = 75
_SPECIAL = re.compile(r"[\\;,\n]")
_ESCAPES = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}


class VcardWriter:
    """Writes cards."""

    def __init__(self, sink: IO[bytes], version: str) -> None:
        self._sink = sink
        self._version = version or VCARD_VERSIONS[0]

    def begin(self) -> None:
        """Do nothing: the first card begins the file."""

    def write(self, contacts: Iterable[Contact]) -> None:
        """Write the cards of contacts."""
        lines = (line for contact in contacts for line in _to_card(contact, self._version))
        self._sink.write("".join(f"{_fold_line(line)}\r\n" for line in lines).encode())

    def end(self) -> None:
        """Do nothing: the last card ends the file."""


def _to_card(contact: Contact, version: str) -> Iterator[str]:
    """Yield a card's lines."""
    yield "BEGIN:VCARD"
    yield f"VERSION:{version}"
    yield f"PRODID:{PRODUCT_ID}"
    yield f"UID:urn:uuid:{contact.id}"
    yield from _to_names(contact, version)
    if contact.company_name:
        yield f"ORG:{_escape(contact.company_name)}"
    if contact.phone_number:  # without `VALUE=uri`, since not every number of a directory can be a URI
        yield f"TEL;TYPE={'CELL' if version == '3.0' else 'cell'}:{_escape(contact.phone_number)}"
    if contact.email:
        yield f"EMAIL{';TYPE=INTERNET' if version == '3.0' else ''}:{_escape(contact.email)}"
    if contact.tags:
        yield f"CATEGORIES:{','.join(map(_escape, contact.tags))}"
    if contact.notes:
        yield f"NOTE:{_escape(contact.notes)}"
    yield "END:VCARD"


def _to_names(contact: Contact, version: str) -> Iterator[str]:
    """Yield names and kind; Apple's property X-ABShowAs marks the card of a company, 4.0 has a kind for it."""
    is_company = contact.type == "company"
    first, last = split_name(contact.name or "")
    yield "N:;;;;" if is_company else f"N:{_escape(last)};{_escape(first)};;;"
    yield f"FN:{_escape(contact.name or '')}"
    if not is_company:
        yield "KIND:individual"
    else:
        yield "X-ABShowAs:COMPANY" if version == "3.0" else "KIND:org"


def _escape(value: str) -> str:
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


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
