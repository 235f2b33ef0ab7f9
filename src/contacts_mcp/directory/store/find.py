"""Which contacts a filter meets.

Each word of a query has to match a whole word of name, company or e-mail, the last one the beginning of a word. Words
that look like a phone number, taken together, may match a fragment of the contact's number instead: only digits count,
and leading zeros of `00` stand for `+`. Notes are not searched. The query is never a pattern: `%` and `_` are just
characters.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union,
    union_all,
)

from contacts_mcp.directory.database.tables import contacts, terms
from contacts_mcp.directory.store import phones, spelling
from contacts_mcp.directory.store.words import split, tag_key, trimmed
from contacts_mcp.text import digits

_PHONE = re.compile(r"[+\d().\-/]*\d[+\d().\-/]*")
_AFTER_ANY = "\x7f"  # sorts after every character a word can have
_FREQUENT = 2_000
"""Terms are counted up to here to tell which are rare."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which contacts a list is about; all that is given has to match."""

    type: str | None = None
    search: str = ""
    tags: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Sought:
    """What a contact has to have among its terms: one of some, or one with a beginning."""

    kind: str
    exact: tuple[str, ...]
    beginning: str = ""

    def among_terms(self) -> ColumnElement[bool]:
        """The condition on `contact_terms`."""
        alike = [terms.c.term == self.exact[0] if len(self.exact) == 1 else terms.c.term.in_(self.exact)]
        if self.beginning:
            # A range, not LIKE: an index answers it, and no character is a wildcard.
            alike.append(and_(terms.c.term >= self.beginning, terms.c.term < self.beginning + _AFTER_ANY))
        return and_(terms.c.kind == self.kind, or_(*alike[0 if self.exact else 1 :]))

    def of_contact(self, tenant: int) -> ColumnElement[bool]:
        """The condition on a row of `contacts`."""
        has = select(terms.c.contact_seq).where(terms.c.tenant == tenant, terms.c.contact_seq == contacts.c.seq)
        exact = has.where(replace(self, beginning="").among_terms()).exists() if self.exact else false()
        if not self.beginning:
            return exact
        return or_(contacts.c.words.contains(f" {self.beginning}", autoescape=True), exact)


@dataclass(frozen=True, slots=True)
class Query:
    """A filter as it was read. `number` may be met by a phone number or, as words, by all of `numeric`."""

    type: str | None
    sought: tuple[Sought, ...]
    number: str
    numeric: tuple[Sought, ...]
    impossible: bool = False

    @property
    def everything(self) -> bool:
        """Whether all contacts, or all of a type, are meant."""
        return not (self.sought or self.number or self.impossible)

    def misspelt(self, connection: Connection, tenant: int) -> "Query | None":
        """The same, with each word standing for those it may be a misspelling of as well; None where there are none."""
        tolerant = tuple(_tolerant(connection, tenant, each) for each in self.sought)
        return None if tolerant == self.sought else replace(self, sought=tolerant)


def read(wanted: Filter) -> Query:
    """Read a filter."""
    tags = tuple(Sought("tag", (tag_key(tag),)) for tag in wanted.tags)
    words = split(wanted.search)
    if not words:
        return Query(wanted.type, tags, "", (), impossible=bool(wanted.search.strip()))
    last = len(words) - 1
    sought = [
        Sought("word", (), trimmed(word)) if place == last else Sought("word", (trimmed(word),))
        for place, word in enumerate(words)
    ]
    numeric = [bool(_PHONE.fullmatch(word)) for word in words]
    number = digits("".join(word for word, is_one in zip(words, numeric, strict=True) if is_one))
    return Query(
        wanted.type,
        (*dict.fromkeys(each for each, is_one in zip(sought, numeric, strict=True) if not is_one), *tags),
        number.removeprefix("00") or number,
        tuple(each for each, is_one in zip(sought, numeric, strict=True) if is_one),
    )


def found(connection: Connection, tenant: int, query: Query) -> Select[Any]:
    """The `seq` of every live contact that meets the query, each once."""
    live = select(contacts.c.seq).where(contacts.c.tenant == tenant, contacts.c.deleted_at.is_(None))
    if query.type:
        live = live.where(contacts.c.type == query.type)
    if query.impossible:
        return live.where(false())
    if not query.sought:
        return live.where(contacts.c.seq.in_(_numbered(connection, tenant, query))) if query.number else live
    rarest, *others = _rarest_first(connection, tenant, query.sought)
    if not (others or query.number or query.type):
        return _having(tenant, rarest)
    live = live.where(contacts.c.seq.in_(_having(tenant, rarest)), *(each.of_contact(tenant) for each in others))
    if query.number:
        as_words = and_(true(), *(each.of_contact(tenant) for each in query.numeric))
        live = live.where(or_(contacts.c.phone_digits.contains(query.number), as_words))
    return live


def _numbered(connection: Connection, tenant: int, query: Query) -> Any:
    """Contacts with the number's digits in theirs, and those that have it as words."""
    live = select(contacts.c.seq).where(contacts.c.tenant == tenant, contacts.c.deleted_at.is_(None))
    by_phone = live.where(phones.containing(connection, query.number))
    return union(by_phone, found(connection, tenant, Query(None, tuple(dict.fromkeys(query.numeric)), "", ())))


def _having(tenant: int, sought: Sought) -> Select[Any]:
    has = select(terms.c.contact_seq.label("seq")).where(terms.c.tenant == tenant, sought.among_terms())
    return has if len(sought.exact) == 1 and not sought.beginning else has.distinct()


def _rarest_first(connection: Connection, tenant: int, sought: Iterable[Sought]) -> Sequence[Sought]:
    """Contacts are found by what the fewest have; the rest is looked at in what was found."""
    every = list(sought)
    if len(every) == 1:
        return every
    counts = [
        select(literal(place).label("place"), func.count().label("many")).select_from(
            select(terms.c.contact_seq).where(terms.c.tenant == tenant, each.among_terms()).limit(_FREQUENT).subquery()
        )
        for place, each in enumerate(every)
    ]
    many = {row.place: row.many for row in connection.execute(union_all(*counts))}
    return [every[place] for place in sorted(many, key=lambda place: (many[place], bool(every[place].beginning)))]


def _tolerant(connection: Connection, tenant: int, sought: Sought) -> Sought:
    if sought.kind != "word":
        return sought
    word = sought.beginning or sought.exact[0]
    return replace(sought, exact=(*sought.exact, *spelling.alike(connection, tenant, word)))
