"""Reads vCard 2.1, 3.0 and 4.0: what the properties of a card say about a contact."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from contacts_mcp.contract import ContactType, ValidationFailed
from contacts_mcp.formats._encoding import DEFAULT_FALLBACK, decode, detect_encoding
from contacts_mcp.formats._export import OWN_DIALECT, PRODUCT_ID
from contacts_mcp.formats._rows import (
    CARD_HAS_NO_END,
    FAX_NOT_READ,
    LINE_CONTINUED,
    NAMED_BY_NICKNAME,
    PROPERTY_NOT_READ,
    VALUE_NOT_READ,
    ParsedFile,
    Row,
    check_rows,
    parse_id,
    take,
)
from contacts_mcp.formats._values import (
    is_fax,
    is_system_group,
    phone_kind_rank,
    split_emails,
    split_phones,
    strip_invisible,
)
from contacts_mcp.formats._vcard_syntax import Card, Head, read_cards

_DIALECTS = {
    OWN_DIALECT: re.compile(rf"^PRODID:{re.escape(PRODUCT_ID)}$".encode(), re.MULTILINE),
    "Apple": re.compile(rb"^(?:PRODID:.*Apple|item\d+\.X-AB|X-AB)", re.IGNORECASE | re.MULTILINE),
    "Android": re.compile(rb"^X-ANDROID|^VERSION:2\.1", re.IGNORECASE | re.MULTILINE),
}
_DIALECT_BYTES = 65_536
_FOLDS = re.compile(rb"\r?\n[ \t]")  # which may be inside a character
_ESCAPES = re.compile(r"\\([\\;,:nN])")
_ESCAPES_21 = re.compile(r"\\([;,:])")  # version 2.1 has no others: `C:\nytt` is a path
_VALUE_PARTS = re.compile(r"\\.|[^\\;,]+|[;,\\]", re.DOTALL)
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")
_CALLABLE, _FAX_KINDS = frozenset({"cell", "voice"}), frozenset({"fax", "pager"})


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
    chosen = encoding and detect_encoding(b"", encoding).codec
    begin = data[:_DIALECT_BYTES].replace(b"\r", b"\n")
    dialect = next((name for name, mark in _DIALECTS.items() if mark.search(begin)), "vCard")
    name = detected.name
    if detected.fallback:
        name = "UTF-8" if _is_utf_8(_FOLDS.sub(b"", data)) else f"as cards say, else {encoding or 'Windows-1252'}"
    return ParsedFile("vcard", dialect, check_rows(_rows(data, chosen or DEFAULT_FALLBACK, region)), encoding=name)


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _rows(data: bytes, fallback: str, region: str | None) -> Iterator[Row]:
    for number, card in enumerate(read_cards(data, fallback), 1):
        if card.is_cut_off:
            yield Row(number, problem=CARD_HAS_NO_END)
        else:
            yield _CardReader(card, region).read(number)


class _CardReader:
    """Reads one card; one of our own has one number and address, which are exactly those of the directory."""

    def __init__(self, card: Card, region: str | None) -> None:
        self._card, self._region = card, region
        self._is_own = any(value == PRODUCT_ID for _, value in card.properties.get("PRODID", ()))
        self._notices = [VALUE_NOT_READ] * card.has_lost_value + [LINE_CONTINUED] * card.has_continued_line
        self._notices += [PROPERTY_NOT_READ] * card.has_undecodable_value

    def read(self, number: int) -> Row:
        if "group" in (self._text("KIND").lower(), self._text("X-ADDRESSBOOKSERVER-KIND").lower()):
            return Row(number, problem="is a group of other cards, not a contact")
        phones, emails = self._preferred("TEL"), self._preferred("EMAIL")
        return Row(
            number,
            id=parse_id(self._text("UID").removeprefix("urn:uuid:")),
            type=self._type(),
            company_name=self._company(),
            name=self._name(),
            phones=take("phones", phones if self._is_own else split_phones(phones, self._region)),
            emails=take("emails", emails if self._is_own else split_emails(emails)),
            tags=take("tags", self._tags()),
            notes="\n".join(note for _, value in self._properties("NOTE") if (note := self._unescape(value)).strip()),
            notices=tuple(dict.fromkeys(self._notices)),
        )

    def _properties(self, name: str) -> Sequence[tuple[Head, str]]:
        return self._card.properties.get(name, ())

    def _text(self, name: str) -> str:
        """Return the first value that is not blank."""
        for _, value in self._properties(name):
            if text := self._unescape(value).strip():
                return text
        return ""

    def _unescape(self, value: str) -> str:
        value = value if self._is_own else strip_invisible(value)
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
        for _, value in self._properties("N"):
            family, given, additional, *_ = [*self._split(value, ";"), "", "", ""]
            if name := " ".join(f"{given} {additional} {family}".replace(",", " ").split()):
                return name
        nickname = self._text("NICKNAME").partition(",")[0].strip()
        if nickname and not self._company():
            self._notices.append(NAMED_BY_NICKNAME)
            return nickname
        return ""

    def _company(self) -> str:
        units = (unit.strip() for _, value in self._properties("ORG") for unit in self._split(value, ";"))
        return next(filter(None, units), "")

    def _type(self) -> ContactType | None:
        kind = self._text("KIND").lower()
        if self._text("X-ABSHOWAS").upper() == "COMPANY" or kind in ("org", "organization"):
            return "company"
        return "person" if kind == "individual" else None

    def _tags(self) -> Iterator[str]:
        for _, value in self._properties("CATEGORIES"):
            yield from (tag for tag in self._split(value, ",;") if tag.strip() and not is_system_group(tag))

    def _preferred(self, name: str) -> list[str]:
        """Return values, mobile and preferred ones first, without fax and pager numbers."""
        properties = self._properties(name)
        if name == "EMAIL":
            ranked = [(head.preference, index, value) for index, (head, value) in enumerate(properties)]
            return [self._unescape(value) for _, _, value in sorted(ranked)]
        labels = {head.group: value for head, value in self._properties("X-ABLABEL")}
        found = []
        for index, (head, value) in enumerate(properties):
            rank = _rank(head.kinds, _APPLE_LABEL.sub(r"\1", labels[head.group]) if head.group in labels else "")
            if rank is None:
                self._notices.append(FAX_NOT_READ)
            else:
                found.append((rank, head.preference, index, self._unescape(value)))
        return [value for _, _, _, value in sorted(found)]


@lru_cache(maxsize=1024)  # the cards of a file have few different kinds
def _rank(kinds: frozenset[str], label: str) -> int | None:
    """Rank a number by its kinds, mobiles first; None for a fax or pager."""
    if not kinds & _CALLABLE and (kinds & _FAX_KINDS or is_fax(label)):
        return None
    return 0 if "cell" in kinds else phone_kind_rank(" ".join((*kinds, label)))
