"""Reads vCard 2.1, 3.0 and 4.0. The text is split into cards first, so that a broken card affects no other."""

import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from contacts_mcp.contract import ContactType, ValidationFailed
from contacts_mcp.formats._export import OWN_DIALECT, PRODUCT_ID
from contacts_mcp.formats._rows import ParsedFile, Row, check_rows, decode, parse_id
from contacts_mcp.formats._table import phone_kind_rank, split_emails, split_phones

_CARD = re.compile(r"^BEGIN:VCARD\b.*?^END:VCARD\s*?$", re.IGNORECASE | re.DOTALL | re.MULTILINE)
_BEGIN = re.compile(r"^BEGIN:VCARD\b", re.IGNORECASE | re.MULTILINE)
_BINARY_PROPERTY = re.compile(
    r"^(?:item\d+\.)?(?:PHOTO|LOGO|SOUND|KEY)[;:].*(?:\n[ \t].*|\n[A-Za-z0-9+/=]+$)*\n?", re.IGNORECASE | re.MULTILINE
)
_DIALECTS = {
    OWN_DIALECT: re.compile(rf"^PRODID:{re.escape(PRODUCT_ID)}$", re.MULTILINE),
    "Apple": re.compile(r"^(?:PRODID:.*Apple|item\d+\.X-AB|X-AB)", re.IGNORECASE | re.MULTILINE),
    "Android": re.compile(r"^X-ANDROID|^VERSION:2\.1", re.IGNORECASE | re.MULTILINE),
}
_QUOTED_PRINTABLE = re.compile(r"^[^:\s][^:\n]*;(?:ENCODING=)?QUOTED-PRINTABLE[;:]", re.IGNORECASE | re.MULTILINE)
_MAX_CARD_LENGTH = 100_000  # the library takes quadratic time on long lines


def read_vcard(data: bytes, mapping: Mapping[str, str]) -> ParsedFile:
    """Read cards.

    Raises:
        ValidationFailed: `mapping` is given, but a card has no columns.
    """
    if mapping:
        raise ValidationFailed("mapping: a vCard has no columns to map", advice="omit mapping")
    text, encoding = decode(data)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    dialect = next((name for name, mark in _DIALECTS.items() if mark.search(text)), "vCard")
    return ParsedFile("vcard", dialect, check_rows(_rows(text)), encoding=encoding)


def _rows(text: str) -> Iterator[Row]:
    begins = [found.start() for found in _BEGIN.finditer(text)]
    for number, (start, end) in enumerate(zip(begins, [*begins[1:], len(text)], strict=True), 1):
        card = _CARD.match(text[start:end])
        if card is None:
            yield Row(number, problem="is a card without an end")
        else:
            yield _row(number, _BINARY_PROPERTY.sub("", card[0]))


def _row(number: int, card: str) -> Row:
    if len(card) > _MAX_CARD_LENGTH:
        return Row(number, problem=f"is a card of more than {_MAX_CARD_LENGTH:,} characters")
    try:
        read = _library().readOne(card, ignoreUnreadable=True, allowQP=bool(_QUOTED_PRINTABLE.search(card)))
        return _row_of(number, read.contents)
    except Exception:  # noqa: BLE001 - a broken card can raise any exception in the library
        return Row(number, problem="is a card that cannot be read")


@cache
def _library() -> Any:
    import vobject

    # It logs lines that it cannot read, which are personal data. A filter survives a later logging configuration, such
    # as uvicorn's, which enables every logger again.
    logging.getLogger("vobject.base").addFilter(lambda _: False)
    return vobject


def _row_of(number: int, contents: Mapping[str, list[Any]]) -> Row:
    if "group" in (_text(contents, "kind").lower(), _text(contents, "x-addressbookserver-kind").lower()):
        return Row(number, problem="is a group of other cards, not a contact")
    is_own = _text(contents, "prodid") == PRODUCT_ID  # one value each, as in the directory
    numbers, addresses = _preferred(contents, "tel"), _preferred(contents, "email")
    return Row(
        number,
        id=parse_id(_text(contents, "uid").removeprefix("urn:uuid:")),
        type=_type(contents),
        name=_name(contents),
        company_name=next(_organisations(contents), ""),
        phones=tuple(numbers) if is_own else split_phones(numbers),
        emails=tuple(addresses) if is_own else split_emails(addresses),
        tags=tuple(
            tag.strip() for line in contents.get("categories", ()) for tag in _values(line.value) if tag.strip()
        ),
        notes="\n".join(note for line in contents.get("note", ()) if (note := _unix_lines(line.value)).strip()),
    )


def _unix_lines(value: Any) -> str:
    return str(value).replace("\r\n", "\n").replace("\r", "\n")  # quoted-printable contains them


def _name(contents: Mapping[str, list[Any]]) -> str:
    if full := _text(contents, "fn"):
        return full
    parts = contents["n"][0].value if contents.get("n") else None
    names = (getattr(parts, part, "") for part in ("given", "additional", "family"))
    return " ".join(" ".join(_values(name)) for name in names if name).strip()


def _organisations(contents: Mapping[str, list[Any]]) -> Iterator[str]:
    for line in contents.get("org", ()):
        yield from (unit.strip() for unit in _values(line.value) if unit.strip())


def _type(contents: Mapping[str, list[Any]]) -> ContactType | None:
    kind = _text(contents, "kind").lower()
    if _text(contents, "x-abshowas").upper() == "COMPANY" or kind in ("org", "organization"):
        return "company"
    return "person" if kind == "individual" else None


def _preferred(contents: Mapping[str, list[Any]], name: str) -> list[str]:
    """Return values, mobile and preferred ones first, without fax and pager numbers."""
    found = []
    for index, line in enumerate(contents.get(name, ())):
        kinds = _kinds(line)
        if not kinds & {"fax", "pager"} or kinds & {"cell", "voice"}:
            rank = 0 if name == "email" or "cell" in kinds else phone_kind_rank(" ".join(kinds))
            found.append((rank, _preference(line, kinds), index, str(line.value)))
    return [value for _, _, _, value in sorted(found)]


def _preference(line: Any, kinds: set[str]) -> int:
    """Rank a line by its preference: version 4.0 has numbers from 1 to 100, others a bare word."""
    rank = next((value for value in line.params.get("PREF", ()) if str(value).isdecimal()), None)
    return int(rank) if rank else 1 if "pref" in kinds else 101


def _kinds(line: Any) -> set[str]:
    """Return the types of a line: 2.1 writes them bare, 3.0 as `TYPE=`, some programs in quotes with commas."""
    types = [value for values in line.params.values() for value in values] + list(line.params)
    return {kind.strip('" ').lower() for value in types for kind in str(value).split(",")}


def _text(contents: Mapping[str, list[Any]], name: str) -> str:
    return str(contents[name][0].value).strip() if contents.get(name) else ""


def _values(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
