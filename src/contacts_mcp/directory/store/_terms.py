"""The terms of the inverted index: words, prefixes, tags and phone numbers, as they are stored and searched.

Words are compared case- and accent-folded (`Bjørn` is `bjorn`), in any order; commas have no meaning.
"""

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from zlib import crc32

from contacts_mcp.directory.store._rows import Row
from contacts_mcp.text import digits, fold

PREFIX_LENGTH = 3
"""Length of the prefixes in the index: many words start with the same three letters."""

LONG_NUMBER = 8
"""Minimum digits of a long phone fragment. For these, suffixes of numbers are indexed; most numbers are as long."""

PHONE_PIECE_LENGTH = 4

_WORD = re.compile(r"[!-+\--~]+")  # printable ASCII without space and comma; folding leaves nothing else
_ALPHANUMERIC = re.compile(r"[a-z0-9]+")
_MAX_WORD_LENGTH = 320  # that of the longest e-mail address
_SIGNATURE_BITS, _BITS_PER_PREFIX = 63, 4  # one in 200 contacts matches a prefix by accident
_MIN_CORRECTABLE, _MAX_CORRECTABLE = 4, 32
_MIN_LENGTH_FOR_TWO_EDITS = 8
_VARIANT_PREFIX_LENGTH = 7


def words_of(contact: Row | None) -> set[str]:
    """Return the index words of a contact: of its name, company and e-mail address, and of their parts."""
    if contact is None:
        return set()
    fields = (contact["name"], contact["company_name"], contact["email"])
    return {part for word in split(" ".join(filter(None, fields))) for part in _parts_of(word)}


def name_words(contact: Row | None) -> set[str]:
    """Return the words of name and company that consist of letters only: a search may misspell them."""
    if contact is None:
        return set()
    fields = (contact["name"], contact["company_name"])
    words = {part for word in split(" ".join(filter(None, fields))) for part in _parts_of(word)}
    return {word for word in words if word.isalpha()}


def words_column(contact: Row) -> str:
    """Return the value of the column `words`."""
    return f" {' '.join(sorted(words_of(contact)))} "


def split(text: str) -> list[str]:
    """Return the folded words of a text."""
    return _WORD.findall(fold(text))


def trim(word: str) -> str:
    """Remove punctuation around a word, and what is longer than any indexed word."""
    return (word.strip(string.punctuation) or word)[:_MAX_WORD_LENGTH]


def _parts_of(word: str) -> Iterable[str]:
    if word.isalnum():  # the usual case
        return (word[:_MAX_WORD_LENGTH],)
    parts = [part[:_MAX_WORD_LENGTH] for part in _ALPHANUMERIC.findall(word)]  # `marie` finds `Anne-Marie`
    _, at, domain = word.rpartition("@")
    whole = (domain if at else "".join(parts))[:_MAX_WORD_LENGTH]  # `obrien` finds `O'Brien`
    return (trim(word), *parts, whole) if whole else (trim(word), *parts)


def signature_of(words: Iterable[str]) -> int:
    """Return a Bloom filter of the words' prefixes: a contact with these words has all of its bits.

    The signature of a contact is stored with each of its terms, so that the index itself rules out most contacts
    that lack another word of a query.
    """
    signature = 0
    for prefix in {word[:PREFIX_LENGTH] for word in words}:
        signature |= _bits_of(prefix)
    return signature


@lru_cache(10_000)
def _bits_of(prefix: str) -> int:
    value, bits = crc32(prefix.encode()), 0  # the same in every process
    for _ in range(_BITS_PER_PREFIX):
        value, bit = divmod(value, _SIGNATURE_BITS)
        bits |= 1 << bit
    return bits


def tag_key(tag: str) -> str:
    """Return a tag as it is compared: regardless of case."""
    return tag.casefold()


def phone_digits(phone_number: str | None) -> str | None:
    """Return the digits of a number in any script."""
    return digits(fold(phone_number)) or None if phone_number else None


def phone_suffixes(number: str | None) -> Iterator[str]:
    """Yield the suffixes of a number's digits that a long fragment can be a prefix of."""
    if number:
        yield from (number[start:] for start in range(len(number) - LONG_NUMBER + 1))


def phone_pieces(number: str) -> Sequence[str]:
    """Return the pieces of a number's digits in SQLite's full-text index: four digits from each position."""
    return [number[start : start + PHONE_PIECE_LENGTH] for start in range(len(number))]


def deletion_variants(word: str) -> set[str]:
    """Return the word, and its first letters with up to `max_edits` of them deleted (SymSpell).

    Two words within that edit distance share a variant. The few words that a misspelled one can stand for are therefore
    found by looking up its own variants, in a dictionary of any size.
    """
    start = word[:_VARIANT_PREFIX_LENGTH]
    edits = range(max_edits(word) + 1)
    return {word} | {"".join(kept) for deleted in edits for kept in combinations(start, len(start) - deleted)}


def max_edits(word: str) -> int:
    """Return the number of edits that a misspelling of the word may have."""
    return 2 if len(word) >= _MIN_LENGTH_FOR_TWO_EDITS else 1


def is_correctable(word: str) -> bool:
    """Whether a word can be the correction of a misspelled one, or be corrected."""
    return _MIN_CORRECTABLE <= len(word) <= _MAX_CORRECTABLE and word.isalpha()


def correctable_words(words: Iterable[str]) -> list[str]:
    """Return the correctable words, in the order in which they are locked."""
    return sorted(filter(is_correctable, words))
