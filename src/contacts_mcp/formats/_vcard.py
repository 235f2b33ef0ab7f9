"""Reads vCard 2.1, 3.0 and 4.0: what the properties of a card say about a contact."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter

from contacts_mcp.contract import ContactType, ValidationFailed
from contacts_mcp.formats._encoding import DEFAULT_FALLBACK, decode, detect_encoding
from contacts_mcp.formats._headers import is_fax
from contacts_mcp.formats._layouts import OWN_DIALECT
from contacts_mcp.formats._rows import FAX_NOT_READ, NAMED_BY_NICKNAME, ParsedFile, Row, check_rows, parse_id, take
from contacts_mcp.formats._values import is_system_group, phone_kind_rank, split_emails, split_phones, strip_invisible
from contacts_mcp.formats._vcard_cards import Leftovers
from contacts_mcp.formats._vcard_heads import Head
from contacts_mcp.formats._vcard_syntax import Card, read_cards
from contacts_mcp.formats._vcard_values import Charsets
from contacts_mcp.formats._write_vcard import PRODUCT_ID

_DIALECTS = {
    OWN_DIALECT: re.compile(rf"^PRODID:{re.escape(PRODUCT_ID)}$".encode(), re.MULTILINE),
    "Apple": re.compile(rb"^(?:PRODID:.*Apple|X-AB|item\d+\.X-AB)", re.IGNORECASE | re.MULTILINE),
    "Android": re.compile(rb"^X-ANDROID", re.IGNORECASE | re.MULTILINE),
    "Outlook": re.compile(rb"^X-MS-", re.IGNORECASE | re.MULTILINE),
    "vCard 2.1": re.compile(rb"^VERSION:2\.1", re.IGNORECASE | re.MULTILINE),
}
_DIALECT_BYTES = 65_536
_FOLDS = re.compile(rb"\r?\n[ \t]")  # which may be inside a character
_ESCAPES = re.compile(r"\\([\\;,:\"nN])")  # Google escapes colons and quotes, too
_ESCAPES_21 = re.compile(r"\\([;,:])")  # version 2.1 has no others: `C:\nytt` is a path
_VALUE_PARTS = re.compile(r"\\.|[^\\;,]+|[;,\\]", re.DOTALL)
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")
_CALLABLE = frozenset({"cell", "voice"})
_COMPANY_KINDS = frozenset({"org", "organization"})


def read_vcard(
    data: bytes, mapping: Mapping[str, str], encoding: str | None = None, region: str | None = None
) -> ParsedFile:
    """Read cards. `encoding` is that of values which do not name theirs and are not UTF-8.

    Raises:
        ValidationFailed: `mapping` is given, but a card has no columns.
    """
    if mapping:
        raise ValidationFailed("mapping: a vCard has no columns to map", advice="omit mapping")
    detected = detect_encoding(data)
    if detected.codec != "utf_8":
        data = decode(data, detected).encode()
    codec = encoding and detect_encoding(b"", encoding).codec
    is_utf_8 = detected.fallback is None or _is_utf_8(_FOLDS.sub(b"", data))
    name = detected.name
    if detected.fallback:
        name = "UTF-8" if is_utf_8 else f"as cards say, else {encoding or 'Windows-1252'}"
    parsed = ParsedFile("vcard", _dialect(data), iter(()), encoding=name)
    charsets = Charsets(is_utf_8, codec or DEFAULT_FALLBACK, is_fallback_given=codec is not None)
    parsed.rows = check_rows(_read_rows(parsed, data, charsets, region))
    return parsed


def _read_rows(parsed: ParsedFile, data: bytes, charsets: Charsets, region: str | None) -> Iterator[Row]:
    """Yield a row for each card, then list in `parsed` what the file has besides them.

    Raises:
        ValidationFailed: the file has no card.
    """
    leftovers = Leftovers()
    number = 0
    for number, card in enumerate(read_cards(data, charsets, leftovers), 1):
        reader = _CardReader(card, region)
        yield reader.read(number)
        if card.unread:
            leftovers.properties.update(card.unread)
    if not number:
        raise ValidationFailed("the file has no card", advice="begin each card with a line BEGIN:VCARD")
    parsed.unmapped += [name for _, name in sorted((-count, name) for name, count in leftovers.properties.items())]
    if leftovers.has_other_text:
        parsed.remarks.append("the file has text outside of cards, which is not read")


def _dialect(data: bytes) -> str:
    begin = data[:_DIALECT_BYTES].replace(b"\r", b"\n")
    return next((name for name, mark in _DIALECTS.items() if mark.search(begin)), "vCard")


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class _CardReader:
    """Reads one card; one of our own has one number and address, which are exactly those of the directory."""

    def __init__(self, card: Card, region: str | None) -> None:
        self._card, self._region = card, region
        self._is_own = False
        self._is_own = PRODUCT_ID in self._values("PRODID")

    def read(self, number: int) -> Row:
        """Return the contact; names of what it has no place for are added to the card's unread properties."""
        if "group" in (self._text("KIND").lower(), self._text("X-ADDRESSBOOKSERVER-KIND").lower()):
            return Row(number, problem="is a group of other cards, not a contact")
        company, phones, emails = self._company(), self._phones(), self._emails()
        return Row(
            number,
            id=parse_id(self._text("UID").lower().removeprefix("urn:uuid:")),
            type=self._type(),
            company_name=company,
            name=self._name() or ("" if company else self._nickname()),
            phones=take("phones", phones if self._is_own else split_phones(phones, self._region)),
            emails=take("emails", emails if self._is_own else split_emails(emails)),
            tags=take("tags", self._tags()),
            notes="\n".join(note for value in self._values("NOTE") if (note := self._unescape(value)).strip()),
            notices=tuple(self._card.notices),
        )

    def _properties(self, name: str) -> Sequence[tuple[Head, str]]:
        """Return properties and their values, which still have their backslashes, without invisible characters."""
        found = self._card.properties.get(name, ())
        if self._is_own or not found:
            return found
        return [(head, strip_invisible(value)) for head, value in found]

    def _values(self, name: str) -> list[str]:
        """Return the values of a property, preferred ones first; of alternatives only the first."""
        properties = self._properties(name)
        if len(properties) <= 1:
            return [value for _, value in properties]
        values: dict[str, str] = {}
        for index, (head, value) in enumerate(sorted(properties, key=lambda each: each[0].preference)):
            values.setdefault(head.alternative or f"#{index}", value)
        if len(values) < len(properties):
            self._card.unread.add(f"alternative {name}")
        return list(values.values())

    def _text(self, name: str) -> str:
        """Return the first value that is not blank, and count the others as unread."""
        if name not in self._card.properties:
            return ""
        first = ""
        for value in self._values(name):
            text = self._unescape(value).strip()
            if first and text not in ("", first):
                self._card.unread.add(f"further {name}")
            first = first or text
        return first

    def _unescape(self, value: str) -> str:
        if "\\" not in value:
            return value
        escapes = _ESCAPES_21 if self._card.is_version_21 else _ESCAPES
        return escapes.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)

    def _split(self, value: str, separators: str) -> list[str]:
        """Split a value at separators that are not escaped."""
        if "\\" not in value:
            for separator in separators[1:]:
                value = value.replace(separator, separators[0])
            return value.split(separators[0])
        parts = [""]
        for part in _VALUE_PARTS.findall(value):
            if part in separators:
                parts.append("")
            else:
                parts[-1] += part
        return [self._unescape(part) for part in parts]

    def _name(self) -> str:
        if full := self._text("FN"):
            return full
        for value in self._values("N"):
            family, given, additional, *affixes = [*self._split(value, ";"), "", "", ""]
            if any(affixes):
                self._card.unread.add("titles in N")
            if name := " ".join(f"{given} {additional} {family}".replace(",", " ").split()):
                return name
        return ""

    def _nickname(self) -> str:
        """Return the nickname, as the name of a card that has no other."""
        names = (name.strip() for value in self._values("NICKNAME") for name in self._split(value, ","))
        if name := next(filter(None, names), ""):
            self._card.note(NAMED_BY_NICKNAME)
        return name

    def _company(self) -> str:
        """Return the first company; its departments and further companies count as unread."""
        companies = [list(filter(None, map(str.strip, self._split(value, ";")))) for value in self._values("ORG")]
        filled = list(filter(None, companies))
        if any(len(units) > 1 for units in filled):
            self._card.unread.add("departments in ORG")
        if len({units[0] for units in filled}) > 1:
            self._card.unread.add("further ORG")
        return filled[0][0] if filled else ""

    def _type(self) -> ContactType | None:
        kind = self._text("KIND").lower()
        if self._text("X-ABSHOWAS").upper() == "COMPANY" or kind in _COMPANY_KINDS:
            return "company"
        return "person" if kind == "individual" else None

    def _tags(self) -> Iterator[str]:
        for value in self._values("CATEGORIES"):
            yield from (tag for tag in self._split(value, ",;") if tag.strip() and not is_system_group(tag))

    def _emails(self) -> list[str]:
        return [self._unescape(value) for value in self._values("EMAIL")]

    def _phones(self) -> list[str]:
        """Return numbers without those of faxes and pagers: mobiles first, then preferred ones, then by their kind."""
        labels = {head.group: _APPLE_LABEL.sub(r"\1", value) for head, value in self._properties("X-ABLABEL")}
        found: list[tuple[bool, int, int, str]] = []
        for head, value in self._properties("TEL"):
            rank = _rank(head.kinds, labels.get(head.group, "") if head.group else "")
            if rank is not None:
                found.append((rank > 0, head.preference, rank, self._unescape(value)))
            elif value.strip():
                self._card.note(FAX_NOT_READ)
        return [value for *_, value in sorted(found, key=itemgetter(0, 1, 2))]


@lru_cache(maxsize=1024)  # the cards of a file have few different kinds
def _rank(kinds: frozenset[str], label: str) -> int | None:
    """Rank a number by its kinds, mobiles first; None for a fax or pager."""
    words = " ".join((*kinds, label))
    if not kinds & _CALLABLE and is_fax(words):
        return None
    return phone_kind_rank(words)
