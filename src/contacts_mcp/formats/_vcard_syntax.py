"""The syntax of vCard 2.1, 3.0 and 4.0: splits a file into cards, and cards into properties with decoded values.

Files are read as bytes, since programs fold lines inside characters, and since each property may have its own character
set. Every step takes time linear in the size of the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from contacts_mcp.formats._rows import (
    CARD_HAS_NO_END,
    CARD_TOO_LONG,
    ENCODING_GUESSED,
    LINE_CONTINUED,
    PROPERTY_NOT_READ,
    VALUE_NOT_READ,
)
from contacts_mcp.formats._vcard_cards import Leftovers, RawCard, split_cards
from contacts_mcp.formats._vcard_heads import NO_PROPERTY, READ_PROPERTIES, TECHNICAL_PROPERTIES, Head, parse_head
from contacts_mcp.formats._vcard_values import Charsets, decode, decode_head, is_plain, join_soft_lines

_VERSION_21 = re.compile(rb"\n[ \t]*VERSION[ \t]*:[ \t]*2\.1", re.IGNORECASE)
_FOLD = re.compile(rb"\n[ \t]")
_FOLD_21 = re.compile(rb"\n(?=[ \t])")  # the space is part of the value (vCard 2.1, section 2.1.3)
_HARD_FOLD, _HARD_FOLD_21 = re.compile(rb"(?<!=)\n[ \t]"), re.compile(rb"(?<!=)\n(?=[ \t])")
"""The same, but not after `=`: that may be a soft line break of quoted-printable, which has rules of its own."""
_FOLDED_EMAIL = re.compile(rb"\n(?:[\w-]{1,50}\.)?EMAIL[;:][^\n]*(?:\n[ \t][^\n]*)+", re.IGNORECASE)
_FOLD_IN_CHARACTER = re.compile(rb"(?<=[\x80-\xf4])\n[ \t](?=[\x80-\xbf])")

_QUOTED_HEAD = re.compile(r'((?:"[^"]*"|[^":])*):')
_MAX_HEAD_LENGTH = 1_000
_MAX_LINES = 100_000
"""Of a card; a photo of seven megabytes has as many."""
_MAX_PROPERTIES = 1_000
"""Of one name in a card; far more than a contact may have."""
_LOST_VALUE = re.compile(
    r"(?:TEL|EMAIL)\b|[^@\s]@[^@\s]+\.\w|(?<![\w/+=])\+?\(?\d[\d\s()./-]{5,30}\d(?![\w/+=])", re.IGNORECASE
)
"""Found in a line that is not a property, but seems to have a number or an address."""
_PROSE = re.compile(r"[A-Za-z][a-z-]*: ")
"""A line after a note that is a part of it, such as `Email: ola@example.org`; properties have capital letters."""
_UNKNOWN_PROPERTY = re.compile(r"(?:[\w-]{1,50}\.)?([A-Z][A-Z0-9-]{2,30})(?:;[^:]*)?:(?! )")
"""A line that some program must mean as a property, such as `CLOUD:1`."""
_BROKEN_LABEL = re.compile(r"TEL;[^:]*X-CUSTOM\([^:]*=\Z", re.IGNORECASE)
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BLANKS = " \t\r\n"
"""Not all spaces: bytes of UTF-8 letters are some of them in Latin-1."""
_JOINERS = {"NOTE": "\n", "EMAIL": ""}
"""What stands between a value and a line that continues it without being folded; a space for other properties."""


@dataclass(slots=True)
class Card:
    """A card.

    Attributes:
        properties: READ_PROPERTIES by name, each in their order. Values are decoded, but still have their backslashes.
        unread: The names of other properties.
        notices: What was not read as it is written; only the keys are used, in their order.
    """

    is_version_21: bool = False
    properties: dict[str, list[tuple[Head, str]]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    notices: dict[str, None] = field(default_factory=dict)

    def note(self, notice: str) -> None:
        """Add a notice, unless it is there already."""
        self.notices[notice] = None


def read_cards(data: bytes, charsets: Charsets, leftovers: Leftovers) -> Iterator[Card]:
    """Read the cards of a file, whose text is UTF-8 as far as its bytes and declarations do not say otherwise."""
    for raw in split_cards(data, leftovers):
        yield _parse_card(raw, charsets)


def _parse_card(raw: RawCard, charsets: Charsets) -> Card:
    body = raw.body
    card = Card(b"2.1" in body and _VERSION_21.search(body) is not None)
    if not raw.has_end:
        card.note(CARD_HAS_NO_END)
    if raw.has_agent:
        card.unread.add("AGENT")
    if b"\n " in body or b"\n\t" in body:
        body = _unfold(body, card.is_version_21)
    for head, parts in _LineReader(card, body.decode("latin-1")).read():  # values are decoded one by one
        value = parts[0] if len(parts) == 1 else _JOINERS.get(head.name, " ").join(parts)
        text = value if is_plain(head, value) else _decode(card, head, value, charsets)
        found = card.properties.setdefault(head.name, [])
        if text is not None and len(found) < _MAX_PROPERTIES:
            found.append((head, text))
    return card


def _decode(card: Card, head: Head, value: str, charsets: Charsets) -> str | None:
    decoded = decode(head, value, charsets)
    if decoded is None:
        card.note(PROPERTY_NOT_READ)
        return None
    if decoded.is_guessed:
        card.note(ENCODING_GUESSED)
    return decoded.text


def _unfold(body: bytes, is_version_21: bool) -> bytes:
    if is_version_21 and not body.isascii():
        body = _FOLD_IN_CHARACTER.sub(b"", body)
    if is_version_21:  # addresses have no spaces
        body = _FOLDED_EMAIL.sub(lambda found: _HARD_FOLD.sub(b"", found[0]), body)
    if b"=\n" in body and b"quoted-printable" in body.lower():
        return (_HARD_FOLD_21 if is_version_21 else _HARD_FOLD).sub(b"", body)
    return (_FOLD_21 if is_version_21 else _FOLD).sub(b"", body)


class _LineReader:
    """Reads the lines of a card, whose bytes are given as Latin-1: properties, and the lines that continue them."""

    def __init__(self, card: Card, text: str) -> None:
        self._card = card
        lines = text.split("\n", _MAX_LINES)
        if len(lines) > _MAX_LINES:
            del lines[-1]
            card.note(CARD_TOO_LONG)
        self._lines = lines[::-1]  # the next one is the last, which is fast to take
        self._head = NO_PROPERTY
        self._parts = [""]

    def read(self) -> list[tuple[Head, list[str]]]:
        """Return the properties to read, each with its value and the lines that continue it."""
        found: list[tuple[Head, list[str]]] = []
        while self._lines:
            line = self._take_line()
            head, value = _split_line(line)
            if not head.name or (self._head.name == "NOTE" and _PROSE.match(line)):
                self._continue(line)
                continue
            if head.transfer == "quoted-printable" and line.endswith(("=", " ", "\t")):
                value = join_soft_lines(line, value, self._lines)
            self._head, self._parts = head, [value]
            if head.name in READ_PROPERTIES:
                found.append((head, self._parts))
            elif head.name not in TECHNICAL_PROPERTIES and (value or head.transfer):
                self._card.unread.add(head.name)
        return found

    def _take_line(self) -> str:
        """Return the next line; Android breaks those with a long label before the value."""
        line = self._lines.pop()
        while line.endswith("=") and _BROKEN_LABEL.match(line) and self._lines and len(line) <= _MAX_HEAD_LENGTH:
            line = line[:-1] + self._lines.pop()
        return line

    def _continue(self, line: str) -> None:
        """Add a line that is not a property to the one before, if it is not a lost value or an unknown property."""
        text, name = line.strip(_BLANKS), self._head.name
        if line[:1] in (" ", "\t"):  # folded after a `=`, or after a blank line
            self._continue_folded(line)
        elif self._head.transfer == "base64" and _BASE64_LINE.fullmatch(text):
            self._parts.append(text)
        elif name != "NOTE" and _LOST_VALUE.search(text[:_MAX_HEAD_LENGTH]):
            self._card.note(VALUE_NOT_READ)
        elif name != "NOTE" and (unknown := _UNKNOWN_PROPERTY.match(line)):
            self._head, self._parts = Head(name=unknown[1]), [""]
            self._card.unread.add(unknown[1])
        elif text or name == "NOTE":
            self._continue_text(text)

    def _continue_text(self, text: str) -> None:
        self._parts.append(text)
        if not self._head.name:
            self._card.unread.add("text that is not a property")
        elif text and self._head.name in READ_PROPERTIES:
            self._card.note(LINE_CONTINUED)

    def _continue_folded(self, line: str) -> None:
        while len(self._parts) > 1 and not self._parts[-1]:
            self._parts.pop()
        self._parts[-1] += line if self._card.is_version_21 else line[1:]


def _split_line(line: str) -> tuple[Head, str]:
    """Split a line into head and value; `NO_PROPERTY` if it is not a property."""
    begin, colon, value = line.partition(":")
    if not begin.isascii() or '"' in begin:
        begin, value = _split_unusual_head(line, begin, value)
    if not colon or line[0] in " \t" or len(begin) > _MAX_HEAD_LENGTH:
        return NO_PROPERTY, value
    return parse_head(begin), value


def _split_unusual_head(line: str, begin: str, value: str) -> tuple[str, str]:
    """Split a line at the first colon that is not in quotes, and decode what is before it."""
    if begin.count('"') % 2 and (quoted := _QUOTED_HEAD.match(line, 0, _MAX_HEAD_LENGTH)):
        begin, value = quoted[1], line[quoted.end() :]
    return decode_head(begin), value
