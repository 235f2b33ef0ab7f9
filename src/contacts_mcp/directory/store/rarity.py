"""Which of several things the fewest contacts have, as far as a look at some of them tells."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select, union_all

from contacts_mcp.directory.database.tables import terms
from contacts_mcp.directory.store.parts import TENANT, Part, part_of, values_of
from contacts_mcp.directory.store.query import Sought

_SAMPLE = 200
"""Contacts that are looked at of each kind: counting them would take longer than all the rest."""


def rarest_first(connection: Connection, tenant: int, sought: Sequence[Sought]) -> Sequence[Sought]:
    """What is sought, those things first that few contacts have; of equals, what is known to its end."""
    if len(sought) <= 1:
        return sought
    parts = tuple(part_of(f"s{place}", each) for place, each in enumerate(sought))
    values: dict[str, Any] = {"tenant": tenant}
    for part, each in zip(parts, sought, strict=True):
        values |= dict(values_of(part, each))
    samples = connection.execute(_samples(parts), values).all()
    top = max((sample.newest or 0 for sample in samples), default=0)
    many: defaultdict[tuple[int, int], float] = defaultdict(lambda: inf)
    for sample in samples:
        way = sample.place, sample.way
        many[way] = min(many[way], _estimated(sample, top))
    of_part = [sum(each for (one, _), each in many.items() if one == place) for place in range(len(sought))]
    return [each for _, each in sorted(enumerate(sought), key=lambda one: (of_part[one[0]], bool(one[1].beginning)))]


def _estimated(sample: Row[Any], top: int) -> float:
    """How many contacts a sample stands for: those in it, or as many as its newest are strewn among all."""
    if sample.many < _SAMPLE:
        return int(sample.many)
    return top * sample.many / (sample.newest - sample.oldest + 1) if sample.strewn else inf


@lru_cache(256)
def _samples(parts: tuple[Part, ...]) -> Any:
    """Some of the contacts that each way to each part leads to."""
    return union_all(
        *(
            _sample(place, way, condition, strewn=strewn)
            for place, part in enumerate(parts)
            for way, condition, strewn in part.samples()
        )
    )


def _sample(place: int, way: int, condition: ColumnElement[bool], *, strewn: bool) -> Select[*tuple[Any, ...]]:
    some = select(terms.c.contact_seq.label("seq")).where(terms.c.tenant == TENANT, condition)
    taken = (some.order_by(terms.c.contact_seq.desc()) if strewn else some).limit(_SAMPLE).subquery()
    marks = literal(place).label("place"), literal(way).label("way"), literal(strewn).label("strewn")
    newest, oldest = func.max(taken.c.seq).label("newest"), func.min(taken.c.seq).label("oldest")
    return select(*marks, func.count().label("many"), newest, oldest).select_from(taken)
