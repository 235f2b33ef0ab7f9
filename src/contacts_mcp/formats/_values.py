"""Split cells and properties that hold several numbers, e-mail addresses or tags, and remove invisible characters."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from urllib.parse import unquote

from contacts_mcp.mail import is_email
from contacts_mcp.phones import mark_extensions, split_alternatives
from contacts_mcp.text import fold

_CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # without spaces and line ends
_MARKS = "\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_INVISIBLE = re.compile(f"[{_CONTROLS}{_MARKS}]")
"""Characters that cannot be seen and mean nothing; joiners, which letters and emoji need, are kept in names."""
_INVISIBLE_OR_JOINER = re.compile(f"[{_CONTROLS}{_MARKS}\u034f\u200c\u200d\ufe00-\ufe0f]")
"""Invisible characters, joiners and variation selectors, which mean nothing in numbers and e-mail addresses."""
_QUOTED_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_TEXT_FORMULA = re.compile(r'=(?:T|HYPERLINK)\((?:"[^"]*"[,;] ?)?"([^"]*)"\)', re.IGNORECASE)

GOOGLE_SEPARATOR = ":::"
_GOOGLE_SYSTEM_GROUPS = frozenset({"* mycontacts", "mycontacts", "* my contacts", "my contacts", "* starred"})
"""Groups that Google adds to contacts by itself."""
_NUMBER_SEPARATOR = re.compile(
    r":::|[;\n\r|]|,(?!\d+E\+?\d)| (?:or|og|eller|oder|ou|und|and|e|y|of|tai|lub) ", re.IGNORECASE
)
_STRONG_SEPARATOR, _WEAK_SEPARATOR = re.compile(r"[;\n\r|]"), re.compile(",")
_ARRAY = re.compile(r"\[.*\]|\{.*\}", re.DOTALL)
_SPACES = re.compile(r"[ \t\xa0\u2007\u2009\u202f]+")
_ONE_NUMBER = re.compile(r"\+?[0-9][0-9 ()-]{3,12}[0-9]")  # longer ones may be two
_ONE_EMAIL = re.compile(r"[\w.+-]+@[\w.-]*\w")
_SCHEME = re.compile(r"^(?:tel|callto|mailto|sms|smtp):(?://)?", re.IGNORECASE)
_MAIL_QUERY = re.compile(r"\?(?:subject|body|cc|bcc)=.*$", re.IGNORECASE | re.DOTALL)
_COUNTRY_CONTEXT = re.compile(r"^([^+;]*);(?:.*;)?\s*phone-context=(\+\d+)", re.IGNORECASE)
_URI_PARAMETERS = re.compile(r";\s*(?:isub|phone-context|postd)=[^;]*", re.IGNORECASE)
_SERVICE_CODE = re.compile(r"^[*#]\d{2,3}[*#](?=\+?\d{5})")  # such as `*31#`, which hides the caller's number
_AFTER_NUMBER = re.compile(r"(?<=\d)\s*(?:\([^()\d]*\)|[pPwW][\d#*pPwW]*)$")
"""A remark, or digits that are dialled after a pause."""
_MAX_NUMBER_LENGTH = 64
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_CONJUNCTIONS = frozenset("or og eller oder ou und and et e y of tai lub".split())
_BRACKETED_ADDRESS = re.compile(r"<\s*(?:mailto:)?([^<>@\s]+@[^<>\s]+?)\s*>")
_QUOTED_ADDRESS = re.compile(r'"[^"@]+"@[^\s"]+')
_EMAIL_SEPARATOR = re.compile(r":::|[;,\s|]")
_WHOLE_FLOAT = re.compile(r"^(\+?\d{5,})[.,]0+$")
_THOUSANDS = re.compile(
    r"\+?\d{1,3}(?:(?:,\d{3}){2,}(?:\.0+)?|(?:\.\d{3}){2,}(?:,0+)?|(?:['\u2019]\d{3}){2,}(?:[.,]0+)?)"
)
_DECIMALS = re.compile(r"[.,]0{1,2}$")
_ACCESS_LINK = re.compile(r"[^#]*#(?:mailto:)?([^#]+)#[^#]*")

_MOBILE_WORDS = (
    "mobile cell mobil handy movil portable gsm sms text pcs iphone main mobiel celular cellulare telemovel kannykka "
    "matkapuhelin komorka komorkowy mobiltelefon mobilnummer mobiltlf mobilfunk mobilephone handynummer cellphone"
)
_PHONE_KINDS = (
    _MOBILE_WORDS,
    "primary",
    "work business jobb arbeid buero arbete arbejde trabajo bureau",
    "home privat hjem hem private domicile",
)
"""Words for kinds of numbers, the best for text messages first."""
_PHONE_KIND_RANKS = {word: rank for rank, kinds in enumerate(_PHONE_KINDS) for word in kinds.split()}


def strip_invisible(text: str) -> str:
    """Remove characters that cannot be seen."""
    return text if text.isprintable() else _INVISIBLE.sub("", text)


def _strip_joiners(value: str) -> str:
    """Remove invisible characters and joiners from a number or an e-mail address."""
    if value.isascii() and value.isprintable():
        return value.strip()
    return _INVISIBLE_OR_JOINER.sub("", value).strip()


def unwrap_formula(cell: str) -> str:
    """Return the text of a cell such as `="0123"`, which programs write so that spreadsheets keep it as text."""
    if cell[:1] != "=":
        return cell
    if formula := _TEXT_FORMULA.fullmatch(cell):
        return formula[1]
    quoted = _QUOTED_FORMULA.fullmatch(cell)
    return quoted[1].replace('""', '"') if quoted else cell


def phone_kind_rank(label: str) -> int:
    """Rank a kind of number by how well it receives text messages; mobiles are 0."""
    words = re.findall(r"[a-z0-9]+", fold(label))
    return min((_PHONE_KIND_RANKS[word] for word in words if word in _PHONE_KIND_RANKS), default=len(_PHONE_KINDS))


def is_system_group(tag: str) -> bool:
    """Whether a tag is a group that Google adds by itself."""
    return tag.strip().casefold() in _GOOGLE_SYSTEM_GROUPS


def split_phones(cells: Iterable[str], region: str | None = None) -> Iterator[str]:
    """Yield every number in cells that may hold several; `region` is the country of those without a country code."""
    for cell in cells:
        if _ONE_NUMBER.fullmatch(cell):
            yield cell
        else:
            yield from _split_phone(cell, region)


def _split_phone(cell: str, region: str | None) -> Iterator[str]:
    text = _read_uri(_SCHEME.sub("", _SPACES.sub(" ", _strip_joiners(cell))))
    text = mark_extensions(_WHOLE_FLOAT.sub(r"\1", _join_thousands(text)))
    for part in _NUMBER_SEPARATOR.split(text):
        number = _SERVICE_CODE.sub("", _SCHEME.sub("", part.strip()))
        if len(number) <= _MAX_NUMBER_LENGTH:
            number = _AFTER_NUMBER.sub("", number)
        if number:
            yield from split_alternatives(_WHOLE_FLOAT.sub(r"\1", number), region)


def _join_thousands(text: str) -> str:
    """Return a number that a spreadsheet wrote as an amount, such as `4,791,235,103`, as digits."""
    if not _THOUSANDS.fullmatch(text):
        return text
    return re.sub(r"[^+\d]", "", _DECIMALS.sub("", text))


def _read_uri(text: str) -> str:
    """Return the number of a `tel:` URI (RFC 3966), with its country code."""
    if "=" not in text:
        return text
    text = _COUNTRY_CONTEXT.sub(r"\2\1", text)
    return _URI_PARAMETERS.sub("", text)


def split_emails(cells: Iterable[str]) -> Iterator[str]:
    """Yield every e-mail address in cells that may hold several; a cell without one is yielded as it is."""
    for cell in cells:
        yield from _split_email(cell)


def _split_email(cell: str) -> Iterator[str]:
    if cell.isascii() and _ONE_EMAIL.fullmatch(cell):
        yield cell
        return
    text = _strip_joiners(cell).translate(_FULL_WIDTH)
    if _SCHEME.match(text):
        text = unquote(_MAIL_QUERY.sub("", _SCHEME.sub("", text)))
    text = _ACCESS_LINK.sub(r"\1", text).lstrip("'").rstrip(".")
    if GOOGLE_SEPARATOR in text:
        yield from chain.from_iterable(map(_split_email, text.split(GOOGLE_SEPARATOR)))
    elif "@" not in text or is_email(text):  # which may be unusual, such as `user/department@example.org`
        yield from filter(None, [text])
    else:
        yield from _find_addresses(text)


def _find_addresses(text: str) -> Iterator[str]:
    """Yield the addresses of a text such as `Ola <ola@example.org>; kari@example.org`."""
    if _QUOTED_ADDRESS.fullmatch(text):
        yield text
        return
    bracketed = _BRACKETED_ADDRESS.findall(text)
    outside = _BRACKETED_ADDRESS.sub(" ", text) if bracketed else text
    if _has_space_in_address(outside):
        yield text  # which is invalid: its last part could be the address of another person
        return
    rest = [part for part in _EMAIL_SEPARATOR.split(outside) if "@" in part]
    for part in (*bracketed, *rest):
        several = part.split("/")
        parts = several if all("@" in each for each in several) else [part]
        yield from (_SCHEME.sub("", each.strip("\"'()[]<>").rstrip(".")) for each in parts)


def _has_space_in_address(text: str) -> bool:
    """Whether an address has a space in its first part, as in `kari hansen@example.org`; a name before it has not."""
    for before, word in pairwise(text.split()):
        is_label = not before[-1].isalnum() or "@" in before or before.casefold() in _CONJUNCTIONS
        if "@" in word and not is_label and (before[0].islower() or word[0].isupper()):
            return True
    return False


def split_tags(cells: Iterable[str], *, is_google: bool = False) -> Iterator[str]:
    """Yield the tags of cells; Google separates its labels by `:::`, so that a comma is part of a label."""
    for cell in cells:
        parts = cell.split(GOOGLE_SEPARATOR) if is_google or GOOGLE_SEPARATOR in cell else _split_list(cell.strip())
        yield from (part.strip().removeprefix("* ") for part in parts if part.strip() and not is_system_group(part))


def _split_list(cell: str) -> list[str]:
    """Split a cell such as `VIP, Oslo`; `"VIP","Oslo, Norge"`, as Mailchimp writes it; or `["VIP"]`, as databases."""
    if _ARRAY.fullmatch(cell):
        cell = cell[1:-1]
        cell = cell.replace("'", '"') if cell.startswith("'") else cell
    if '"' in cell:
        return _split_quoted(cell)
    return (_STRONG_SEPARATOR if _STRONG_SEPARATOR.search(cell) else _WEAK_SEPARATOR).split(cell)


def _split_quoted(cell: str) -> list[str]:
    separator = ";" if re.search(r'"\s*;', cell) else ","
    return next(csv.reader([cell.replace("\n", " ")], delimiter=separator, skipinitialspace=True), [])
