"""Which contacts a filter meets.

Each word of a query has to match a whole word of name, company or e-mail, the last one the beginning of a word. Words
that look like a phone number, taken together, may match a fragment of the contact's number instead: only digits count,
and leading zeros of `00` stand for `+`. Notes are not searched. The query is never a pattern: `%` and `_` are just
characters.

Statements are built once for each shape a query can have, and get its values: to build one takes longer than a
database needs to answer it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import compress
from operator import not_
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
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
from contacts_mcp.directory.store.bulk import padded
from contacts_mcp.directory.store.words import HEAD, head_of, signature_of, split, tag_key, trimmed
from contacts_mcp.text import digits

_PHONE = re.compile(r"[+\d().\-/]*\d[+\d().\-/]*")
_AFTER_ANY = "\x7f"  # sorts after every character a word can have
_FREQUENT = 10_000
"""Terms are counted up to here to tell which are rare."""

_SHAPES = 256
"""Of statements that are kept."""

_TENANT: BindParameter[int] = bindparam("tenant")
_SIGNATURE: BindParameter[int] = bindparam("signature", type_=BigInteger)


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

    @property
    def head(self) -> str:
        """What a word of the contact surely begins with; empty where that is not known."""
        if self.kind != "word" or len(self.exact) + bool(self.beginning) > 1:
            return ""
        return head_of(self.exact[0]) if self.exact else self.beginning[:HEAD] if len(self.beginning) >= HEAD else ""


@dataclass(frozen=True, slots=True)
class Query:
    """A filter as it was read. `number` may be met by a phone number or, as words, by all of `numeric`."""

    type: str | None
    sought: tuple[Sought, ...]
    number: str
    numeric: tuple[Sought, ...]
    impossible: bool = False

    def misspelt(self, connection: Connection, tenant: int) -> "Query | None":
        """The same, with each word standing for those it may be a misspelling of as well; None where there are none."""
        tolerant = tuple(_tolerant(connection, tenant, each) for each in self.sought)
        return None if tolerant == self.sought else replace(self, sought=tolerant)


@dataclass(frozen=True, slots=True)
class _Part:
    """The shape of a Sought: how many exact terms there are (two stand for any number), and how a beginning is met."""

    name: str
    kind: str
    exact: int
    beginning: Literal["", "a head", "heads", "words"]

    @property
    def ordered(self) -> bool:
        """Whether the terms hold each contact once, and in order."""
        return not self.beginning if self.exact == 1 else not self.exact and self.beginning == "a head"

    def among_terms(self) -> list[ColumnElement[bool]]:
        """The conditions on `contact_terms`, each of which is enough: apart, an index answers them."""
        ways = [self._is_exact()] if self.exact else []
        if self.beginning == "a head":
            ways.append(self._is_head())
        elif self.beginning:  # a range, not LIKE: no character is a wildcard
            kind = "word" if self.beginning == "words" else "head"
            from_: BindParameter[str] = bindparam(f"{self.name}_from")
            to: BindParameter[str] = bindparam(f"{self.name}_to")
            ways.append(and_(terms.c.kind == kind, terms.c.term >= from_, terms.c.term < to))
        return ways

    def of_contact(self, seq: ColumnElement[int]) -> ColumnElement[bool]:
        """The condition on the contact with that `seq`. Its row is looked at where its terms leave that open."""
        has = select(terms.c.contact_seq).where(terms.c.tenant == _TENANT, terms.c.contact_seq == seq)
        ways: list[ColumnElement[bool]] = [has.where(self._is_exact()).exists()] if self.exact else []
        begins = contacts.c.words.like(bindparam(f"{self.name}_like"), escape="/")
        if self.beginning == "heads":
            ways.append(begins)
        elif self.beginning:
            head = has.where(self._is_head()).exists()
            # Most who have no such word were passed over by their signature, unless another word would do as well.
            words = and_(head, begins) if self.exact else begins
            ways.append(head if self.beginning == "a head" else words)
        return or_(*ways)

    def _is_head(self) -> ColumnElement[bool]:
        return and_(terms.c.kind == "head", terms.c.term == bindparam(f"{self.name}_head"))

    def _is_exact(self) -> ColumnElement[bool]:
        of_kind = terms.c.kind == self.kind
        if self.exact == 1:
            return and_(of_kind, terms.c.term == bindparam(self.name))
        return and_(of_kind, terms.c.term.in_(bindparam(self.name, expanding=True)))


@dataclass(frozen=True, slots=True)
class Shape:
    """A query without its values, for which there is one statement."""

    dialect: str
    typed: bool
    sought: tuple[_Part, ...]
    number: bool
    numeric: tuple[_Part, ...]
    impossible: bool

    @property
    def tallied(self) -> tuple[str, str] | None:
        """Where all contacts, those of a type or with a tag are meant: the kind, and the parameter for the term."""
        if self.number or self.impossible or len(self.sought) + self.typed > 1:
            return None
        if not self.sought:
            return "type", "type" if self.typed else ""
        (part,) = self.sought
        return ("tag", part.name) if part.kind == "tag" else None

    @property
    def ordered(self) -> bool:
        """Whether an index has the contacts in the order of a page, each once."""
        if not (self.sought or self.number):
            return True
        return not (self.number or self.typed) and len(self.sought) == 1 and self.sought[0].ordered


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
    number = digits("".join(compress(words, numeric)))
    return Query(
        wanted.type,
        tuple(dict.fromkeys([*compress(sought, map(not_, numeric)), *tags])),
        number.removeprefix("00") or number,
        tuple(dict.fromkeys(compress(sought, numeric))),
    )


def shaped(connection: Connection, tenant: int, query: Query) -> tuple[Shape, dict[str, Any]]:
    """The shape of a query, and the values its statements get.

    Contacts are found by what the fewest have, which comes first; the rest is looked at in what was found. PostgreSQL
    knows by itself what is rare.
    """
    dialect = connection.dialect.name
    rest = _rarest_first(connection, tenant, query.sought) if dialect == "sqlite" else _exact_first(query.sought)
    sought = tuple(_part(f"s{place}", each) for place, each in enumerate(rest))
    numeric = tuple(_part(f"n{place}", each) for place, each in enumerate(query.numeric))
    shape = Shape(dialect, query.type is not None, sought, bool(query.number), numeric, query.impossible)
    values: dict[str, Any] = {"tenant": tenant, "type": query.type, "signature": _signature(query.sought)}
    for part, each in zip((*sought, *numeric), (*rest, *query.numeric), strict=True):
        values |= dict(_values(part, each))
    if query.number:
        values |= phones.values(query.number)
    return shape, values


def found(shape: Shape) -> Select[Any]:
    """The `seq` of every live contact that meets a query of this shape, each once."""
    of_type = [contacts.c.type == bindparam("type")] if shape.typed else []
    if shape.impossible:
        return _live().where(false())
    if not shape.sought:
        return _numbered(shape) if shape.number else _live().where(*of_type)
    rarest, *others = shape.sought
    if not (others or shape.number or shape.typed):
        return _having(rarest)
    # Terms are those of the tenant's live contacts, and to ask for these again would lead a planner astray.
    having = _having(rarest, more=bool(others)).subquery()
    some = select(having.c.seq).join(contacts, contacts.c.seq == having.c.seq)
    some = some.where(*of_type, *(each.of_contact(having.c.seq) for each in others))
    if shape.number:
        as_words = and_(true(), *(each.of_contact(having.c.seq) for each in shape.numeric))
        some = some.where(or_(phones.holding(), as_words))
    return some


def _numbered(shape: Shape) -> Select[Any]:
    """Contacts with the number's digits in theirs, and those that have it as words."""
    by_phone = _live().where(phones.containing(shape.dialect))
    as_words = replace(shape, typed=False, sought=shape.numeric, number=False, numeric=())
    either = union(by_phone, found(as_words)).subquery()
    numbered = select(either.c.seq)
    if shape.typed:
        numbered = numbered.join(contacts, contacts.c.seq == either.c.seq).where(contacts.c.type == bindparam("type"))
    return numbered


def _live() -> Select[Any]:
    return select(contacts.c.seq).where(contacts.c.tenant == _TENANT, contacts.c.deleted_at.is_(None))


def _having(part: _Part, *, more: bool = False) -> Select[Any]:
    """The `seq` of contacts that have what is sought, each once; those that may have `more` of the query alone."""
    has = select(terms.c.contact_seq.label("seq")).where(terms.c.tenant == _TENANT)
    if more:
        has = has.where(terms.c.signature.bitwise_and(_SIGNATURE) == _SIGNATURE)
    ways = [has.where(way) for way in part.among_terms()]
    if len(ways) == 1:
        return ways[0] if part.ordered else ways[0].distinct()
    return select(union(*ways).subquery().c.seq)


def _signature(sought: Sequence[Sought]) -> int:
    """The bits that each contact has which has all of these."""
    return signature_of(filter(None, (each.head for each in sought)))


def _exact_first(sought: Sequence[Sought]) -> Sequence[Sought]:
    return sorted(sought, key=lambda each: bool(each.beginning))


def _rarest_first(connection: Connection, tenant: int, sought: Sequence[Sought]) -> Sequence[Sought]:
    if len(sought) <= 1:
        return sought
    parts = tuple(_part(f"s{place}", each) for place, each in enumerate(sought))
    values: dict[str, Any] = {"tenant": tenant}
    for part, each in zip(parts, sought, strict=True):
        values |= dict(_values(part, each))
    many: Counter[int] = Counter()
    for row in connection.execute(_counts(parts), values):
        many[row.place] += row.many
    return [each for _, each in sorted(enumerate(sought), key=lambda one: (many[one[0]], bool(one[1].beginning)))]


@lru_cache(_SHAPES)
def _counts(parts: tuple[_Part, ...]) -> Any:
    of_tenant = select(terms.c.contact_seq).where(terms.c.tenant == _TENANT)
    return union_all(
        *(
            select(literal(place).label("place"), func.count().label("many")).select_from(
                of_tenant.where(way).limit(_FREQUENT).subquery()
            )
            for place, part in enumerate(parts)
            for way in part.among_terms()
        )
    )


def _part(name: str, sought: Sought) -> _Part:
    return _Part(name, sought.kind, min(len(sought.exact), 2), _way_to(sought.beginning))


def _way_to(beginning: str) -> Literal["", "a head", "heads", "words"]:
    if len(beginning) == HEAD:
        return "a head"
    if len(beginning) > HEAD:
        return "words"
    return "heads" if beginning else ""


def _values(part: _Part, sought: Sought) -> Iterator[tuple[str, Any]]:
    if part.exact:
        yield part.name, sought.exact[0] if part.exact == 1 else padded(sought.exact)
    if part.beginning:
        plain = re.sub("([%_/])", r"/\1", sought.beginning)
        yield f"{part.name}_head", head_of(sought.beginning)
        yield f"{part.name}_from", sought.beginning
        yield f"{part.name}_to", sought.beginning + _AFTER_ANY
        yield f"{part.name}_like", f"% {plain}%"


def _tolerant(connection: Connection, tenant: int, sought: Sought) -> Sought:
    if sought.kind != "word":
        return sought
    word = sought.beginning or sought.exact[0]
    return replace(sought, exact=(*sought.exact, *spelling.alike(connection, tenant, word)))
