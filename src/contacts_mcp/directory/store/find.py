"""The statements that find contacts.

They are built once for each shape that a query can have, and get its values: to build one takes longer than a database
needs to answer it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Select,
    and_,
    bindparam,
    false,
    not_,
    or_,
    select,
    true,
    union,
    union_all,
)

from contacts_mcp.directory.database.engine import KEEPS_PLANS
from contacts_mcp.directory.database.tables import contacts, terms
from contacts_mcp.directory.store import phones
from contacts_mcp.directory.store.parts import TENANT, Part, part_of, values_of
from contacts_mcp.directory.store.query import Query, Sought
from contacts_mcp.directory.store.rarity import rarest_first, word_leads
from contacts_mcp.directory.store.words import signature_of

_SIGNATURE: BindParameter[int] = bindparam("signature", type_=BigInteger)


@dataclass(frozen=True, slots=True)
class Shape:
    """A query without its values, for which there is one statement."""

    dialect: str
    typed: bool
    sought: tuple[Part, ...]
    number: phones.Length
    numeric: tuple[Part, ...]
    impossible: bool
    lookup: bool
    """Whether its statement has to be one that can be planned without values."""

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


def shaped(connection: Connection, tenant: int, query: Query) -> tuple[Shape, dict[str, Any]]:
    """The shape of a query, and the values its statements get.

    Contacts are found by what the fewest have, which comes first; the rest is looked at in what was found. PostgreSQL
    knows by itself what is rare, though not among words that others stand beside which are spelt alike. The plan of a
    lookup, which it makes but once, asks.
    """
    dialect = connection.dialect.name
    planned = dialect == "postgresql" and all(len(each.exact) <= 1 for each in query.sought)
    rest = _exact_first(query.sought) if planned else rarest_first(connection, tenant, query.sought)
    sought = tuple(part_of(f"s{place}", each) for place, each in enumerate(rest))
    numeric = tuple(part_of(f"n{place}", each) for place, each in enumerate(query.numeric))
    length = phones.length_of(query.number)
    lookup = query.is_lookup and connection.get_execution_options().get(KEEPS_PLANS, False)
    shape = Shape(dialect, query.type is not None, sought, length, numeric, query.impossible, lookup)
    values: dict[str, Any] = {"tenant": tenant, "type": query.type, "signature": _signature(query.sought)}
    for part, each in zip((*sought, *numeric), (*rest, *query.numeric), strict=True):
        values |= dict(values_of(part, each))
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
    if shape.lookup and others:
        return _of_two_words(rarest, *others)
    # Terms are those of the tenant's live contacts, and to ask for these again would lead a planner astray.
    having = _having(rarest, more=bool(others)).subquery()
    some = select(having.c.seq).join(contacts, contacts.c.seq == having.c.seq)
    some = some.where(*of_type, *(each.of_contact(having.c.seq) for each in others))
    if shape.number:
        as_words = and_(true(), *(each.of_contact(having.c.seq) for each in shape.numeric))
        some = some.where(or_(phones.holding(), as_words))
    return some


def _of_two_words(word: Part, beginning: Part) -> Select[Any]:
    """Contacts that have both, found by what fewer have: the plan of a lookup is made before its values are known."""
    told = word_leads(word, beginning).cte("told")
    leads = select(told.c.leads).scalar_subquery()
    by_word, by_beginning = _led_by(word, beginning), _led_by(beginning, word)
    either = union_all(by_word.where(leads), by_beginning.where(not_(leads))).subquery()
    return select(either.c.seq)


def _led_by(one: Part, other: Part) -> Select[Any]:
    """Contacts found by one word, in whose rows the other is: there are few to look at, as signatures leave them."""
    having = _having(one, more=True).subquery()
    return select(having.c.seq).join(contacts, contacts.c.seq == having.c.seq).where(other.of_row())


def _numbered(shape: Shape) -> Select[Any]:
    """Contacts with the number's digits in theirs, and those that have it as words."""
    if shape.number == "long":
        by_phone = _of_terms().where(phones.among_ends())
    else:
        by_phone = _live().where(phones.containing(shape.dialect))
    either = union_all(by_phone, *_as_words(shape)).subquery()
    numbered = select(either.c.seq).distinct()
    if shape.typed:
        numbered = numbered.join(contacts, contacts.c.seq == either.c.seq).where(contacts.c.type == bindparam("type"))
    return numbered


def _as_words(shape: Shape) -> Sequence[Select[Any]]:
    """Contacts that have the number as words, some of them more than once."""
    if len(shape.numeric) == 1:
        return _ways(shape.numeric[0])
    return [found(replace(shape, typed=False, sought=shape.numeric, number="", numeric=()))]


def _live() -> Select[Any]:
    return select(contacts.c.seq).where(contacts.c.tenant == TENANT, contacts.c.deleted_at.is_(None))


def _of_terms() -> Select[Any]:
    return select(terms.c.contact_seq.label("seq")).where(terms.c.tenant == TENANT)


def _having(part: Part, *, more: bool = False) -> Select[Any]:
    """The `seq` of contacts that have what is sought, each once; those that may have `more` of the query alone."""
    ways = _ways(part)
    if more:
        ways = [way.where(terms.c.signature.bitwise_and(_SIGNATURE) == _SIGNATURE) for way in ways]
    if len(ways) == 1:
        return ways[0] if part.ordered else ways[0].distinct()
    return select(union(*ways).subquery().c.seq)


def _ways(part: Part) -> list[Select[Any]]:
    """The `seq` of contacts that have what is sought, by each way to them."""
    return [_of_terms().where(way) for way in part.among_terms()]


def _signature(sought: Sequence[Sought]) -> int:
    """The bits that each contact has which has all of these."""
    return signature_of(filter(None, (each.head for each in sought)))


def _exact_first(sought: Sequence[Sought]) -> Sequence[Sought]:
    return sorted(sought, key=lambda each: bool(each.beginning))
