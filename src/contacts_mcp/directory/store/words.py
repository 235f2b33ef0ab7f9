"""The words a contact is found by.

Words are compared folded (`Bjørn` is `bjorn`) and may come in any order; commas mean nothing.
"""

import re
import string
from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

from contacts_mcp.directory.store.rows import Row
from contacts_mcp.text import digits, fold

_WORD = re.compile(r"[!-+\--~]+")  # all of printable ASCII but space and comma; folding leaves nothing else
_PIECE = re.compile(r"[a-z0-9]+")
HEAD = 3
_BITS, _BITS_SET = 63, 4  # of a signed integer of 64; of 200 others, one has these four as well
_MOST = 320
"""Characters that are compared: those of the longest address."""


def words_of(contact: Row) -> set[str]:
    """The words of a contact with these column values: of its name, company and e-mail address, and their parts."""
    fields = (contact["name"], contact["company_name"], contact["email"])
    return {part for word in split(" ".join(filter(None, fields))) for part in _searchable(word)}


def names_of(contact: Row) -> set[str]:
    """The words of its name and company that may be misspelt: letters alone."""
    fields = (contact["name"], contact["company_name"])
    words = {part for word in split(" ".join(filter(None, fields))) for part in _searchable(word)}
    return {word for word in words if word.isalpha()}


def split(text: str) -> list[str]:
    """The words of a text, folded."""
    return _WORD.findall(fold(text))


def trimmed(word: str) -> str:
    """A word without the punctuation around it, cut to what is compared."""
    return (word.strip(string.punctuation) or word)[:_MOST]


def head_of(word: str) -> str:
    """The beginning that words are kept under as well: most words that begin with three given letters are many."""
    return word[:HEAD]


def signature_of(words: Iterable[str]) -> int:
    """Bits for the beginnings of words: who has words has the bits of each, and few others have them all.

    A contact's signature stands beside each of its terms, and most of those that lack another word are passed over
    without being looked up.
    """
    signature = 0
    for head in {head_of(word) for word in words}:
        signature |= _bits(head)
    return signature


@lru_cache(100_000)
def _bits(head: str) -> int:
    """Up to four of 63, the same ones in every process."""
    chosen, bits = crc32(head.encode()), 0
    for _ in range(_BITS_SET):
        chosen, place = divmod(chosen, _BITS)
        bits |= 1 << place
    return bits


def tag_key(tag: str) -> str:
    """Tags are the same where they differ in case alone."""
    return tag.casefold()


def phone_digits(phone_number: str | None) -> str | None:
    """The digits of a number in whatever script, as fragments are looked for in them."""
    return digits(fold(phone_number)) or None if phone_number else None


def _searchable(word: str) -> Iterable[str]:
    if word.isalnum():  # as most are
        return (word[:_MOST],)
    pieces = [piece[:_MOST] for piece in _PIECE.findall(word)]  # `Anne-Marie` by `marie`, an address by its parts
    _, at, domain = word.rpartition("@")
    whole = (domain if at else "".join(pieces))[:_MOST]  # `O'Brien` by `obrien`
    return (trimmed(word), *pieces, whole) if whole else (trimmed(word), *pieces)
