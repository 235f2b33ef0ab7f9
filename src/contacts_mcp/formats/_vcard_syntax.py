"""The syntax of vCard 2.1, 3.0 and 4.0: splits a file into cards, and cards into properties with decoded values.

Files are read as bytes, since programs fold lines inside characters, and since each property may have its own character
set. Every step takes time linear in the size of the file.
"""

import re
from binascii import Error as InvalidBase64
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from contacts_mcp.formats._encoding import decode_value, find_codec

_JOINED_CARDS = re.compile(rb"END:VCARD[ \t]*(?=BEGIN:VCARD)", re.IGNORECASE)
_MARKER = re.compile(
    rb"\n([ \t]*)(AGENT\b[^:\n]*:\s*)?(BEGIN|END)[ \t]*:[ \t]*VCARD[ \t]*(?=\n|\Z)", re.IGNORECASE
)  # begins with a line feed, by which the search is fast
_VERSION_21 = re.compile(rb"\n[ \t]*VERSION[ \t]*:[ \t]*2\.1", re.IGNORECASE)
_FOLD = re.compile(rb"\n[ \t]")
_FOLD_21 = re.compile(rb"\n(?=[ \t])")  # the space is part of the value (vCard 2.1, section 2.1.3)
_HARD_FOLD, _HARD_FOLD_21 = re.compile(rb"(?<!=)\n[ \t]"), re.compile(rb"(?<!=)\n(?=[ \t])")
"""The same, but not after `=`: that may be a soft line break of quoted-printable, which has rules of its own."""

_QUOTED_HEAD = re.compile(r'((?:"[^"]*"|[^":])*):')
_PARAMETER = re.compile(r'(?:"[^"]*"|[^";]|"(?![^"]*"))+')
_MAX_HEAD_LENGTH = 1_000
_MAX_PROPERTIES = 1_000
"""Of one name in a card; far more than a contact may have."""
READ_PROPERTIES = frozenset(
    "FN N NICKNAME ORG TEL EMAIL CATEGORIES NOTE UID PRODID KIND X-ADDRESSBOOKSERVER-KIND X-ABSHOWAS X-ABLABEL".split()
)
_STANDARD_NAMES = frozenset(
    "ADR AGENT ANNIVERSARY BDAY BEGIN BIRTHPLACE CALADRURI CALURI CATEGORIES CLASS CLIENTPIDMAP CREATED DEATHDATE "
    "DEATHPLACE EMAIL END EXPERTISE FBURL FN GENDER GEO GRAMGENDER HOBBY IMPP INTEREST JSPROP KEY KIND LABEL LANG "
    "LANGUAGE LOGO MAILER MEMBER N NAME NICKNAME NOTE ORG ORG-DIRECTORY PHOTO PRODID PROFILE PRONOUNS RELATED REV "
    "ROLE SOCIALPROFILE SORT-STRING SOUND SOURCE TEL TITLE TZ UID URL VERSION XML".split()
)
_OTHER_NAMES = {
    "PHONE": "TEL", "TELEPHONE": "TEL", "MOBILE": "TEL", "CELL": "TEL", "MAIL": "EMAIL", "E-MAIL": "EMAIL",
}  # fmt: skip
"""Names that some programs write for standard ones, also before a dot, such as `PHONE.WORK`."""
_LOST_VALUE = re.compile(r"[^@\s]+@[^@\s]+\.\w+|(?:TEL|EMAIL)\b.*|.*[:;]\s*\+?\d[\d\s()./-]{5,}", re.IGNORECASE)
"""A line that is not a property, but looks as if it had a number or an address."""

_JOINERS = {"NOTE": "\n", "EMAIL": ""}
"""What stands between a value and a line that continues it without being folded; a space for other properties."""
_QUOTED_PRINTABLE, _BASE64 = "quoted-printable", frozenset({"base64", "b"})
_ENCODINGS = frozenset({_QUOTED_PRINTABLE, *_BASE64, "8bit", "7bit"})
_FULL_LINE_LENGTH = 70
"""Quoted-printable breaks a line that is nearly 76 characters long; a shorter one was folded."""
_ENCODED_SPACES = ("=20", "=09", "=0A", "=0D", " ", "\t")


class Head(NamedTuple):
    """What stands before the colon of a line.

    Attributes:
        name: The property's name in upper case; empty if the line is not a property.
        kinds: Types in lower case: 2.1 writes them bare, 3.0 and 4.0 as `TYPE=`.
        preference: 1 to 100, where a bare `PREF` is 1; 101 without one.
    """

    group: str = ""
    name: str = ""
    kinds: frozenset[str] = frozenset()
    preference: int = 101
    encoding: str = ""
    charset: str = ""
    is_encoded: bool = False


_NO_PROPERTY = Head()


@dataclass(slots=True)
class Card:
    """A card.

    Attributes:
        properties: READ_PROPERTIES by name, each in their order. Values are decoded, but still have their backslashes.
        is_cut_off: Whether the file ends inside the card.
        has_undecodable_value: Whether a value could not be decoded; it is left out.
        has_lost_value: Whether a line looks as if it had a number or address, but is not a property.
        has_continued_line: Whether a line that is not a property was added to the one before.
    """

    is_version_21: bool = False
    is_cut_off: bool = False
    has_undecodable_value: bool = False
    has_lost_value: bool = False
    has_continued_line: bool = False
    properties: dict[str, list[tuple[Head, str]]] = field(default_factory=dict)


class _RawCard(NamedTuple):
    body: bytes
    indent: bytes
    is_cut_off: bool


def read_cards(data: bytes, fallback: str) -> Iterator[Card]:
    """Read the cards of a file in UTF-8, without the cards of assistants that are inside of them.

    `fallback` is the codec of values that are not UTF-8 and do not name their character set.
    """
    for raw in _split(data):
        yield _parse_card(raw, fallback)


def _split(data: bytes) -> Iterator[_RawCard]:
    data = data.replace(b"\xef\xbb\xbf", b"").replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    data = b"\n" + _JOINED_CARDS.sub(b"END:VCARD\n", data)
    parts: list[bytes] = []
    depth = start = 0
    indent = b""
    for marker in _MARKER.finditer(data):
        if depth == 1:
            parts.append(data[start : marker.start()])
        if marker[3].upper() == b"END":
            depth = max(0, depth - 1)
            if depth == 0 and parts:
                yield _RawCard(b"".join(parts), indent, is_cut_off=False)
                parts = []
        elif depth and marker[2]:  # the card of an assistant
            depth += 1
        else:
            if depth:  # the card before has no end
                yield _RawCard(b"".join(parts), indent, is_cut_off=False)
            parts, depth, indent = [], 1, marker[1]
        start = marker.end()
    if depth:
        yield _RawCard(b"".join(parts) or data[start:], indent, is_cut_off=True)


def _parse_card(raw: _RawCard, fallback: str) -> Card:
    body = raw.body.replace(b"\n" + raw.indent, b"\n") if raw.indent else raw.body
    card = Card(b"2.1" in body and _VERSION_21.search(body) is not None, raw.is_cut_off)
    if b"\n " in body or b"\n\t" in body:
        body = _unfold(body, card.is_version_21)
    properties = card.properties
    for head, parts in _join_lines(card, body.decode("latin-1")):  # which loses nothing: values are decoded one by one
        value = parts[0] if len(parts) == 1 else _JOINERS.get(head.name, " ").join(parts)
        if head.is_encoded or not value.isascii():
            decoded = _decode(head, value, fallback)
            if decoded is None:
                card.has_undecodable_value = True
                continue
            value = decoded
        found = properties.setdefault(head.name, [])
        if len(found) < _MAX_PROPERTIES:
            found.append((head, value))
    return card


def _unfold(body: bytes, is_version_21: bool) -> bytes:
    if b"=\n" in body and _QUOTED_PRINTABLE.encode() in body.lower():
        return (_HARD_FOLD_21 if is_version_21 else _HARD_FOLD).sub(b"", body)
    return (_FOLD_21 if is_version_21 else _FOLD).sub(b"", body)


def _join_lines(card: Card, text: str) -> list[tuple[Head, list[str]]]:
    """Return the properties to read, each with its value and the lines that continue it."""
    found: list[tuple[Head, list[str]]] = []
    last, parts = _NO_PROPERTY, [""]
    lines = iter(text.split("\n"))
    for line in lines:
        begin, colon, value = line.partition(":")
        if '"' in begin:
            begin, value = _split_quoted_head(line, begin, value)
        head = _parse_head(begin) if colon and len(begin) <= _MAX_HEAD_LENGTH else _NO_PROPERTY
        if not head.name or line[0] in " \t":
            _continue(card, last, parts, line)
            continue
        if head.encoding == _QUOTED_PRINTABLE and value.endswith("="):
            value = _join_soft_lines(line, value, lines)
        last, parts = head, [value]
        if head.name in READ_PROPERTIES:
            found.append((head, parts))
    return found


def _split_quoted_head(line: str, begin: str, value: str) -> tuple[str, str]:
    """Split a line at the first colon that is not in quotes."""
    if begin.count('"') % 2 and (quoted := _QUOTED_HEAD.match(line)):
        return quoted[1], line[quoted.end() :]
    return begin, value


def _continue(card: Card, head: Head, parts: list[str], line: str) -> None:
    """Add a line that is not a property to the one before."""
    if line[:1] in (" ", "\t"):  # folded after a `=`
        parts[-1] += line if card.is_version_21 else line[1:]
    elif head.name != "NOTE" and _LOST_VALUE.fullmatch(line[:_MAX_HEAD_LENGTH].strip()):
        card.has_lost_value = True
    elif line.strip():
        parts.append(line.strip())
        card.has_continued_line |= head.name in READ_PROPERTIES


@lru_cache(maxsize=1024)  # the cards of a file have few different heads
def _parse_head(text: str) -> Head:
    first, *parameters = _PARAMETER.findall(text) if '"' in text else text.split(";")
    group, _, name = first.strip().upper().rpartition(".")
    name = _standard_name(group, name)
    if not name:
        return _NO_PROPERTY
    kinds: set[str] = set()
    encoding = charset = ""
    preference = 101
    for parameter in parameters:
        key, equals, value = parameter.partition("=")
        key, value = key.strip().upper(), value.strip(' "')
        if key == "ENCODING" or (not equals and key.lower() in _ENCODINGS):
            encoding = (value or key).lower()
        elif key == "CHARSET":
            charset = value
        elif key == "PREF" and value.isdecimal():
            preference = int(value[:3])
        else:
            kinds.update(kind.strip('" ').lower() for kind in (value if equals else key).split(","))
    preference = 1 if "pref" in kinds else preference
    return Head(group, name, frozenset(kinds), preference, encoding, charset, bool(encoding or charset))


def _standard_name(group: str, name: str) -> str:
    if name in _STANDARD_NAMES or name.startswith("X-"):
        return name
    return _OTHER_NAMES.get(name) or _OTHER_NAMES.get(group, "")


def _decode(head: Head, value: str, fallback: str) -> str | None:
    data = value.encode("latin-1")
    if head.encoding == _QUOTED_PRINTABLE:
        data = a2b_qp(data)
    elif head.encoding in _BASE64:
        try:
            data = a2b_base64(data)
        except InvalidBase64:
            data = b""
        if not data and value.strip():
            return None
    text = decode_value(data, find_codec(head.charset) or "utf_8" if head.charset else "utf_8", fallback)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _join_soft_lines(line: str, value: str, lines: Iterator[str]) -> str:
    """Join lines of quoted-printable. Some programs fold them as well: then each begins with one space too many."""
    parts = [value]
    while parts[-1].endswith("="):
        parts[-1] = parts[-1][:-1]
        parts.append(next(lines, ""))
    folded = [part for part in parts[1:] if part[:1] in (" ", "\t")]
    if not folded:
        return "".join(parts)
    is_folded = len(folded) == len(parts) - 1 and (
        len(folded) > 1 or len(line) < _FULL_LINE_LENGTH or ("=20" in value and " " not in value)
    )
    joined = [parts[0]]
    for before, part in pairwise(parts):
        is_extra = part[:1] in (" ", "\t") and (is_folded or before.endswith(_ENCODED_SPACES) or _splits(before, part))
        joined.append(part[1:] if is_extra else part)
    return "".join(joined)


def _splits(before: str, part: str) -> bool:
    """Whether a break is inside a character: `=C3`, then ` =A5`."""
    return before[-3:-2] == "=" and before[-2:-1] in "89ABCDEFabcdef" and part[1:2] == "=" and part[2:3] in "89ABab"
