"""A filter of contacts as terms, and the SQL conditions of a term.

Each word of a search must match a whole word of name, company or e-mail, the last one a prefix of a word. Words that
look like a phone number, taken together, can match a fragment of the contact's number instead: only digits count, and
a leading `00` means `+`. Notes are not searched. A search text is never a pattern: `%` and `_` match themselves.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import not_
from typing import Any, Literal

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, or_, select

from contacts_mcp.directory.database import contacts, spellings, terms
from contacts_mcp.directory.store._rows import pad
from contacts_mcp.directory.store._terms import (
    LONG_NUMBER,
    PREFIX_LENGTH,
    deletion_variants,
    is_correctable,
    max_edits,
    split,
    tag_key,
    trim,
)
from contacts_mcp.text import digits

TENANT: BindParameter[int] = bindparam("tenant")

_PHONE = re.compile(r"[+\d().\-/]*\d[+\d().\-/]*")
_AFTER_ANY = "\x7f"  # sorts after every character of a word
_MAX_CORRECTIONS = 20


@dataclass(frozen=True, slots=True)
class Term:
    """What a contact must have: one of the `exact` terms, or a term with the `prefix`."""

    kind: str
    exact: tuple[str, ...]
    prefix: str = ""

    @property
    def signature_prefix(self) -> str:
        """The indexed prefix that every matching contact has; empty if that is not known."""
        if self.kind != "word" or len(self.exact) + bool(self.prefix) > 1:
            return ""
        if self.exact:
            return self.exact[0][:PREFIX_LENGTH]
        return self.prefix[:PREFIX_LENGTH] if len(self.prefix) >= PREFIX_LENGTH else ""


@dataclass(frozen=True, slots=True)
class Query:
    """A filter. A contact matches `number` by its phone number, or by having all `number_words` as words."""

    type: str | None
    terms: tuple[Term, ...]
    number: str
    number_words: tuple[Term, ...]
    matches_nothing: bool = False

    @property
    def is_lookup(self) -> bool:
        """Whether it is only a long number or one or two words: one query plan fits all such values."""
        if self.type or self.matches_nothing:
            return False
        if self.number:
            return len(self.number) >= LONG_NUMBER and len(self.number_words) == 1 and not self.terms
        if [len(term.exact) for term in self.terms] not in ([0], [1, 0]):
            return False
        return all(term.kind == "word" for term in self.terms) and len(self.terms[-1].prefix) > PREFIX_LENGTH


def parse_query(type: str | None = None, search: str = "", tags: Sequence[str] = ()) -> Query:  # noqa: A002
    """Parse a filter. A contact must match all parts of it; blank parts do not filter."""
    tag_terms = tuple(Term("tag", (tag_key(tag.strip()),)) for tag in tags if tag.strip())
    words = split(search)
    if not words:
        return Query(type, tag_terms, "", (), matches_nothing=bool(search.strip()))
    *whole, last = words
    word_terms = [*(Term("word", (trim(word),)) for word in whole), Term("word", (), trim(last))]
    is_numeric = [bool(_PHONE.fullmatch(word)) for word in words]
    number = digits("".join(compress(words, is_numeric)))
    return Query(
        type,
        tuple(dict.fromkeys([*compress(word_terms, map(not_, is_numeric)), *tag_terms])),
        number.removeprefix("00") or number,
        tuple(dict.fromkeys(compress(word_terms, is_numeric))),
    )


def correct_spelling(connection: Connection, tenant: int, query: Query) -> Query | None:
    """Return the query with the possible corrections of each word added; None if there are none."""
    corrected = tuple(
        replace(term, exact=(*term.exact, *_corrections(connection, tenant, term.prefix or term.exact[0])))
        if term.kind == "word"
        else term
        for term in query.terms
    )
    return None if corrected == query.terms else replace(query, terms=corrected)


def _corrections(connection: Connection, tenant: int, word: str) -> Sequence[str]:
    """Return the words of contacts that this one may be a misspelling of, the nearest first."""
    if not is_correctable(word):
        return ()
    from rapidfuzz.distance import OSA

    sharing_a_variant = select(spellings.c.word).where(
        spellings.c.tenant == tenant, spellings.c.form.in_(pad(sorted(deletion_variants(word))))
    )
    candidates = connection.execute(sharing_a_variant.distinct()).scalars()
    distances = {other: OSA.distance(word, other, score_cutoff=2) for other in candidates}
    near = [other for other, distance in distances.items() if 0 < distance <= min(max_edits(word), max_edits(other))]
    return sorted(near, key=lambda other: (distances[other], other))[:_MAX_CORRECTIONS]


@dataclass(frozen=True, slots=True)
class TermShape:
    """A term without its values: all terms of one shape share one statement.

    Attributes:
        name: the beginning of the names of its parameters.
        exact: the number of exact terms; 2 stands for any larger number.
        prefix: whether there is a prefix, and whether it is shorter than the indexed prefixes, equal, or longer.
    """

    name: str
    kind: str
    exact: int
    prefix: Literal["", "shorter", "equal", "longer"]

    @property
    def is_ordered(self) -> bool:
        """Whether the index has each matching contact once, and in the order of `seq`."""
        return not self.prefix if self.exact == 1 else not self.exact and self.prefix == "equal"

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return conditions on `contact_terms`, each sufficient. Queried separately, each can use an index."""
        conditions = [self._is_exact()] if self.exact else []
        if self.prefix:
            conditions.append(self._has_indexed_prefix() if self.prefix == "equal" else self._starts_with())
        return conditions

    def samples(self) -> Iterator[tuple[int, ColumnElement[bool], bool]]:
        """Yield what to count to estimate the number of matches: part, condition, and whether it is ordered.

        The estimate is the sum over the parts of the lowest count of each. A condition is ordered if an index has its
        matches in the order of `seq`.
        """
        if self.exact:
            yield 0, self._is_exact(), self.exact == 1
        if self.prefix in {"equal", "longer"}:
            yield 1, self._has_indexed_prefix(), True
        if self.prefix in {"shorter", "longer"}:
            yield 1, self._starts_with(), False

    def matches_contact(self, seq: ColumnElement[int]) -> ColumnElement[bool]:
        """Return the condition that the contact with this `seq` matches, by its terms or its row."""
        has_term = select(terms.c.contact_seq).where(terms.c.tenant == TENANT, terms.c.contact_seq == seq)
        conditions: list[ColumnElement[bool]] = [has_term.where(self._is_exact()).exists()] if self.exact else []
        in_row = self._is_in_row("start")
        if self.prefix == "shorter":
            conditions.append(in_row)
        elif self.prefix:
            has_prefix = has_term.where(self._has_indexed_prefix()).exists()
            # The signature has ruled out most contacts without such a word, unless an exact term can match instead.
            longer = and_(has_prefix, in_row) if self.exact else in_row
            conditions.append(has_prefix if self.prefix == "equal" else longer)
        return or_(*conditions)

    def matches_row(self) -> ColumnElement[bool]:
        """Return the condition that a contact's row has the word, or a word with the prefix."""
        return self._is_in_row("whole" if self.exact else "start")

    def _is_in_row(self, pattern: Literal["whole", "start"]) -> ColumnElement[bool]:
        return contacts.c.words.like(bindparam(f"{self.name}_{pattern}"), escape="/")

    def _starts_with(self) -> ColumnElement[bool]:  # a range, not LIKE: no character is a wildcard
        kind = "word" if self.prefix == "longer" else "head"
        from_: BindParameter[str] = bindparam(f"{self.name}_from")
        to: BindParameter[str] = bindparam(f"{self.name}_to")
        return and_(terms.c.kind == kind, terms.c.term >= from_, terms.c.term < to)

    def _has_indexed_prefix(self) -> ColumnElement[bool]:
        return and_(terms.c.kind == "head", terms.c.term == bindparam(f"{self.name}_head"))

    def _is_exact(self) -> ColumnElement[bool]:
        of_kind = terms.c.kind == self.kind
        if self.exact == 1:
            return and_(of_kind, terms.c.term == bindparam(self.name))
        return and_(of_kind, terms.c.term.in_(bindparam(self.name, expanding=True)))


def shape_of(name: str, term: Term) -> TermShape:
    """Return the shape of a term; `name` is the beginning of the names of its parameters."""
    length = len(term.prefix)
    prefix: Literal["", "shorter", "equal", "longer"] = "longer" if length > PREFIX_LENGTH else "equal"
    if length < PREFIX_LENGTH:
        prefix = "shorter" if length else ""
    return TermShape(name, term.kind, min(len(term.exact), 2), prefix)


def parameters_of(shape: TermShape, term: Term) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a term, for the conditions of its shape."""
    if shape.exact:
        yield shape.name, term.exact[0] if shape.exact == 1 else pad(term.exact)
        yield f"{shape.name}_whole", f"% {_escape(term.exact[0])} %"
    if shape.prefix:
        yield f"{shape.name}_head", term.prefix[:PREFIX_LENGTH]
        yield f"{shape.name}_from", term.prefix
        yield f"{shape.name}_to", term.prefix + _AFTER_ANY
        yield f"{shape.name}_start", f"% {_escape(term.prefix)}%"


def _escape(text: str) -> str:
    return re.sub("([%_/])", r"/\1", text)
