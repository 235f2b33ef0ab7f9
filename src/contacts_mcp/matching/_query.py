"""How a search for a person reads: words, a number, an address."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from contacts_mcp.matching._keys import name_key, phone_key
from contacts_mcp.text import digits, fold

_NUMBER = re.compile(r"[+\d().\-/]*\d[+\d().\-/]*")
_FEWEST_DIGITS = 3
_MOST_VARIANTS = 8
_LOCAL_DIGITS = 8
_SHORTEST_WORD = 3
_BEGINNINGS = (4, 3)


class Query(NamedTuple):
    """The parts of a query: folded words, the digits and the key of a number, an address; empty where it has none."""

    words: tuple[str, ...]
    number: str
    number_key: str
    address: str


def read(query: str, region: str | None) -> Query:
    """Take a query apart. Fewer than three digits are a word, such as those of a company's name."""
    pieces = query.replace(",", " ").split()
    address = next((piece.strip("<>;").casefold() for piece in pieces if "@" in piece), "")
    rest = [piece for piece in pieces if "@" not in piece]
    numeric = [piece for piece in rest if _NUMBER.fullmatch(fold(piece))]
    written = "".join(numeric)
    bare = digits(fold(written))
    if len(bare) < _FEWEST_DIGITS:
        numeric, written, bare = [], "", ""
    words = name_key(" ".join(piece for piece in rest if piece not in numeric)).split()
    return Query(tuple(words), bare.lstrip("0"), phone_key(written, region), address)


def query_variants(query: str, region: str | None = None) -> list[str]:
    """What to ask a search whose ways are unknown: at most 8 strings, best first, beginning with the query itself."""
    found: dict[str, str] = {}
    for variant in _variants(query, region):
        if variant:
            found.setdefault(fold(variant), variant)
    return list(found.values())[:_MOST_VARIANTS]


def _variants(query: str, region: str | None) -> Iterator[str]:
    yield " ".join(query.split())
    before, comma, after = query.partition(",")
    if comma:
        yield " ".join(f"{after} {before}".replace(",", " ").split())
        yield " ".join(query.replace(",", " ").split())
    asked = read(query, region)
    if asked.address:
        yield asked.address
        yield asked.address.partition("@")[0]
    if asked.number:
        yield asked.number_key
        yield asked.number[-_LOCAL_DIGITS:]
    words = [word for word in query.replace(",", " ").split() if "@" not in word and not _NUMBER.fullmatch(word)]
    words = sorted((word for word in words if len(word) >= _SHORTEST_WORD), key=len, reverse=True)
    yield from words
    for length in _BEGINNINGS:  # a slip is seldom in the first letters
        yield from (word[:length] for word in words)
