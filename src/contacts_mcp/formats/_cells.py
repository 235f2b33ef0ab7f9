"""Cells that hold several values, and values that are written in a way of their own."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

GOOGLE_SEPARATOR = ":::"
_NOISE = frozenset({"* mycontacts", "mycontacts", "* my contacts", "* starred"})
"""Groups in which Google puts everybody."""
# None of these begins with what may repeat: a cell of spaces alone would be searched from each of them anew.
_BETWEEN_NUMBERS = re.compile(r":::|[;,\n\r|]| / |(?<=\d{5})/(?=[+\d(])| (?:or|og|eller|oder|ou|und|and) ")
_BETWEEN_ADDRESSES = re.compile(r":::|[;,\s|/]")
_BETWEEN_TAGS = re.compile(r":::|[;,\n\r|]")
_SPACES = re.compile(r"[ \t\xa0]+")
_ONE_NUMBER = re.compile(r"\+?[0-9][0-9 ()-]{3,20}[0-9]")
_ONE_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")
"""What most cells hold, and nothing has to be parted of."""
_PREFIX = re.compile(r"^(?:tel|callto|mailto|sms):(?://)?", re.IGNORECASE)
_EXTENSION = re.compile(r";\s*(?:ext|isub|phone-context|postd)=.*$", re.IGNORECASE)
_ANGLED = re.compile(r"^.*<([^<>@\s]+@[^<>\s]+)>$")
_WHOLE_FLOAT = re.compile(r"^(\d{5,})\.0+$")


def phones_in(cells: Iterable[str]) -> tuple[str, ...]:
    """Every number in cells, of which each may hold several."""
    return tuple(chain.from_iterable(map(_numbers, cells)))


def _numbers(cell: str) -> Iterable[str]:
    return (cell,) if _ONE_NUMBER.fullmatch(cell) else _parted(cell)


def _parted(cell: str) -> Iterator[str]:
    plain = _EXTENSION.sub("", _PREFIX.sub("", _SPACES.sub(" ", cell).strip()))
    for part in _BETWEEN_NUMBERS.split(plain):
        number = _PREFIX.sub("", part.strip())
        if number:
            yield _WHOLE_FLOAT.sub(r"\1", number)


def emails_in(cells: Iterable[str]) -> tuple[str, ...]:
    """Every address in cells, of which each may hold several."""
    return tuple(address for cell in cells for address in _addresses(cell))


def _addresses(cell: str) -> Iterator[str]:
    if _ONE_ADDRESS.fullmatch(cell):
        yield cell
        return
    text = cell.strip()
    if not text:
        return
    angled = _ANGLED.match(text)
    parts = [angled[1]] if angled else _BETWEEN_ADDRESSES.split(text)
    yield from (_PREFIX.sub("", part) for part in parts if part)


def tags_in(cells: Iterable[str]) -> tuple[str, ...]:
    """Every tag in cells, of which each may hold several."""
    parts = chain.from_iterable(_BETWEEN_TAGS.split(cell) for cell in cells)
    return tuple(
        part.removeprefix("* ").strip() for part in parts if part.strip() and part.strip().lower() not in _NOISE
    )


def first_of(cell: str) -> str:
    """The first of several values that Google joined in one cell."""
    return cell.partition(GOOGLE_SEPARATOR)[0].strip() if GOOGLE_SEPARATOR in cell else cell
