"""What a contact is found by, and how a query reads.

Words are compared folded (`Bjørn` is `bjorn`) and may come in any order; commas mean nothing. Each word of a query
has to match a whole word of name, company or e-mail, the last one the beginning of a word. Words that look like a
phone number, taken together, may match a fragment of the contact's number instead: only digits count, and leading
zeros of `00` stand for `+`. Notes are not searched. The query is never a pattern: `%` and `_` are just characters.
"""

import re
import string
from collections.abc import Iterable, Mapping
from itertools import compress
from operator import not_
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, false, select, union

from contacts_mcp.directory._tables import contact_terms, contacts
from contacts_mcp.text import digits, fold

_WORD = re.compile(r"[!-+\--~]+")  # all of printable ASCII but space and comma; folding leaves nothing else
_PIECE = re.compile(r"[a-z0-9]+")
_PHONE = re.compile(r"[+\d().\-/]*\d[+\d().\-/]*")
_AFTER_ANY = "\x7f"  # sorts after every character a word can have


def terms_of(contact: Mapping[str, Any] | RowMapping) -> set[tuple[str, str]]:
    """The (kind, term) pairs a contact with these column values is found by."""
    fields = (contact["name"], contact["company_name"], contact["email"])
    words = {term for word in _WORD.findall(fold(" ".join(filter(None, fields)))) for term in _searchable(word)}
    return {("word", word) for word in words} | {("tag", tag_key(tag)) for tag in contact["tags"]}


def tag_key(tag: str) -> str:
    """Tags are the same where they differ in case alone."""
    return tag.casefold()


def phone_digits(phone_number: str | None) -> str | None:
    """The digits of a number in whatever script, as fragments are looked for in them."""
    return digits(fold(phone_number)) or None if phone_number else None


def matches(query: str) -> list[ColumnElement[bool]]:
    """Conditions on `contacts`, all of which a match meets; none for a blank query."""
    words = _WORD.findall(fold(query))
    if not words:
        return [false()] if query.strip() else []
    alike = [_is(_trimmed(word), prefix=place == len(words)) for place, word in enumerate(words, 1)]
    numeric = [bool(_PHONE.fullmatch(word)) for word in words]
    conditions = _all_of(list(compress(alike, map(not_, numeric))))
    if any(numeric):
        number = digits("".join(compress(words, numeric)))
        as_number = _with_fragment(number.removeprefix("00") or number)
        as_words = select(contacts.c.seq).where(*_all_of(list(compress(alike, numeric))))
        conditions.append(contacts.c.seq.in_(union(as_number, as_words)))
    return conditions


def _searchable(word: str) -> Iterable[str]:
    if word.isalnum():  # as most are
        return (word,)
    pieces = _PIECE.findall(word)  # `Anne-Marie` by `marie`, an address by its parts
    _, at, domain = word.rpartition("@")
    whole = domain if at else "".join(pieces)  # `O'Brien` by `obrien`
    return (_trimmed(word), *pieces, whole) if whole else (_trimmed(word), *pieces)


def _trimmed(word: str) -> str:
    return word.strip(string.punctuation) or word


def _is(word: str, *, prefix: bool) -> ColumnElement[bool]:
    term = contact_terms.c.term
    # A range, not LIKE: an index answers it, and no character is a wildcard.
    alike = and_(term >= word, term < word + _AFTER_ANY) if prefix else term == word
    return and_(contact_terms.c.kind == "word", alike)


def _all_of(words: list[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """Find the contacts by the first word, which is whole where there are several, and look whether they have the rest.

    To collect the contacts of each word would be slow where the beginning of a word is that of most names.
    """
    has = select(contact_terms.c.contact_seq)
    first: list[ColumnElement[bool]] = [contacts.c.seq.in_(has.where(word)) for word in words[:1]]
    return first + [has.where(word, contact_terms.c.contact_seq == contacts.c.seq).exists() for word in words[1:]]


def _with_fragment(number: str) -> Select[int]:
    fragment = contacts.c.phone_digits.contains(number)  # digits alone, so nothing to escape
    return select(contacts.c.seq).where(fragment, contacts.c.deleted_at.is_(None))
