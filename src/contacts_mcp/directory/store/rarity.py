"""Which of several things the fewest contacts have, as far as a look at some of them tells."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Select,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from contacts_mcp.directory.database.tables import terms
from contacts_mcp.directory.store.parts import TENANT, Part, part_of, values_of
from contacts_mcp.directory.store.query import Sought

_SAMPLE = 200
"""Contacts that are looked at of each kind: counting all would take longer than all the rest."""

_SHARE = 8
"""What cannot be told from a sample is counted up to this part of the fewest that are known."""

_DEARER = 3
"""How much longer a contact with a beginning takes to read: most have it twice (`olav`, `olav.hansen`), pages apart."""

_NO_TELLING = 2.0**60

_Rows: TypeAlias = Select[*tuple[Any, ...]]


def rarest_first(connection: Connection, tenant: int, sought: Sequence[Sought]) -> Sequence[Sought]:
    """What is sought, those things first that few contacts have; of equals, what is known to its end."""
    if len(sought) <= 1:
        return sought
    parts = tuple(part_of(f"s{place}", each) for place, each in enumerate(sought))
    values: dict[str, Any] = {"tenant": tenant}
    for part, each in zip(parts, sought, strict=True):
        values |= dict(values_of(part, each))
    many: dict[int, float] = {row.place: row.many for row in connection.execute(_estimates(parts), values)}
    return [each for _, each in sorted(enumerate(sought), key=lambda one: (many[one[0]], bool(one[1].beginning)))]


def word_leads(word: Part, beginning: Part) -> Select[bool]:
    """The question whether those with the word are sooner read than those with the beginning, as `leads`."""
    estimates = _estimates((word, beginning)).cte("estimates")

    def many(place: int) -> ScalarSelect[float]:
        return select(estimates.c.many).where(estimates.c.place == place).scalar_subquery()

    return select((many(0) <= _DEARER * many(1)).label("leads"))


@lru_cache(256)
def _estimates(parts: tuple[Part, ...]) -> _Rows:
    """About how `many` contacts have each of the parts, which are told by their `place`.

    Of those that an index has in their order, the newest tell how many are strewn among all; others are counted, as
    long as that is little work beside reading the fewest of those.
    """
    ways = [(place, *way) for place, part in enumerate(parts) for way in part.samples()]
    some: list[_Rows] = []
    limit: ColumnElement[int] = literal(_SAMPLE)
    if strewn := [_strewn(place, way, condition) for place, way, condition, ordered in ways if ordered]:
        estimated = _estimated(strewn).cte("estimated")
        some.append(select(estimated))
        limit = select(_limit(func.min(estimated.c.many))).scalar_subquery()
    some += [_counted(place, way, condition, limit) for place, way, condition, ordered in ways if not ordered]
    each = union_all(*some).subquery()
    least = select(each.c.place, func.min(each.c.many).label("many")).group_by(each.c.place, each.c.way).subquery()
    return select(least.c.place, func.sum(least.c.many).label("many")).group_by(least.c.place)


def _estimated(samples: Sequence[_Rows]) -> _Rows:
    """What samples stand for: those that are in them, or as many as their newest are strewn among all."""
    each = union_all(*samples).subquery()
    rate = each.c.many / (each.c.newest - each.c.oldest + literal(1.0))
    many = case((each.c.many < _SAMPLE, each.c.many), else_=func.max(each.c.newest).over() * rate)
    return select(each.c.place, each.c.way, many.label("many"))


def _strewn(place: int, way: int, condition: ColumnElement[bool]) -> _Rows:
    newest_first = _seqs(condition).order_by(terms.c.contact_seq.desc())
    taken = newest_first.limit(_SAMPLE).subquery()
    newest, oldest = func.max(taken.c.seq).label("newest"), func.min(taken.c.seq).label("oldest")
    return select(*_marks(place, way), func.count().label("many"), newest, oldest).select_from(taken)


def _counted(place: int, way: int, condition: ColumnElement[bool], limit: ColumnElement[int]) -> _Rows:
    taken = _seqs(condition).limit(limit).subquery()
    many = case((func.count() < limit, func.count()), else_=_NO_TELLING)
    return select(*_marks(place, way), many.label("many")).select_from(taken)


def _limit(fewest: ColumnElement[float]) -> ColumnElement[int]:
    share = fewest / _SHARE
    return cast(case((share > _SAMPLE, share), else_=_SAMPLE), Integer)


def _seqs(condition: ColumnElement[bool]) -> _Rows:
    return select(terms.c.contact_seq.label("seq")).where(terms.c.tenant == TENANT, condition)


def _marks(place: int, way: int) -> Sequence[ColumnElement[Any]]:
    return literal(place).label("place"), literal(way).label("way")
