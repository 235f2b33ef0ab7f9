"""Which of several things the fewest contacts have, as far as a look at some of them tells."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, case, func, literal, select, union_all

from contacts_mcp.directory.database.tables import terms
from contacts_mcp.directory.store.parts import TENANT, Part, part_of, values_of
from contacts_mcp.directory.store.query import Sought

_SAMPLE = 200
"""Contacts that are looked at of each kind: counting them would take longer than all the rest."""

_NO_TELLING = 2.0**60


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


def is_first_rarer(first: Part, second: Part) -> Select[bool]:
    """The question whether no more contacts have the first than the second, as `rarer`."""
    estimates = _estimates((first, second)).cte("estimates")

    def many(place: int) -> ScalarSelect[float]:
        return select(estimates.c.many).where(estimates.c.place == place).scalar_subquery()

    return select((many(0) <= many(1)).label("rarer"))


@lru_cache(256)
def _estimates(parts: tuple[Part, ...]) -> Select[Any]:
    """About how `many` contacts have each of the parts, which are told by their `place`."""
    samples = union_all(
        *(
            _sample(place, way, condition, strewn=strewn)
            for place, part in enumerate(parts)
            for way, condition, strewn in part.samples()
        )
    ).subquery()
    # A sample stands for those in it, or for as many as its newest are strewn among all.
    rate = samples.c.many / (samples.c.newest - samples.c.oldest + literal(1.0))
    stands_for = case(
        (samples.c.many < _SAMPLE, samples.c.many),
        (samples.c.strewn, func.max(samples.c.newest).over() * rate),
        else_=_NO_TELLING,
    )
    each = select(samples.c.place, samples.c.way, stands_for.label("many")).subquery()
    least = select(each.c.place, func.min(each.c.many).label("many")).group_by(each.c.place, each.c.way).subquery()
    return select(least.c.place, func.sum(least.c.many).label("many")).group_by(least.c.place)


def _sample(place: int, way: int, condition: ColumnElement[bool], *, strewn: bool) -> Select[*tuple[Any, ...]]:
    some = select(terms.c.contact_seq.label("seq")).where(terms.c.tenant == TENANT, condition)
    taken = (some.order_by(terms.c.contact_seq.desc()) if strewn else some).limit(_SAMPLE).subquery()
    marks = literal(place).label("place"), literal(way).label("way"), literal(strewn).label("strewn")
    newest, oldest = func.max(taken.c.seq).label("newest"), func.min(taken.c.seq).label("oldest")
    return select(*marks, func.count().label("many"), newest, oldest).select_from(taken)
