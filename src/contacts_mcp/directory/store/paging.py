"""Pages of what is found, each with the number of all hits, in one statement.

Statements are built once for each shape of a query, as in `find`.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, FromClause, Integer, Select, bindparam, cast, func, select

from contacts_mcp.directory.database.tables import contacts
from contacts_mcp.directory.store import find, tally
from contacts_mcp.directory.store.find import Shape
from contacts_mcp.directory.store.rows import Row

_SEQS = ARRAY(BigInteger)
_BEHIND_ALL = 2**30
"""No array is as long, and its places are counted in 32 bits."""


def page_of(
    connection: Connection,
    shape: Shape,
    values: Mapping[str, Any],
    window: Mapping[str, Any],
    *,
    some_first: bool = False,
) -> tuple[Sequence[Row], int]:
    """A page, and how many hits there are, in one statement but where the page is behind the last of them."""
    statement = _page(shape, some_first=some_first)
    rows = connection.execute(statement, {**values, **window}).mappings().all()
    if rows:
        return rows, rows[0]["total"]
    return rows, connection.execute(_total(shape), values).scalar_one() if window["offset"] else 0


@lru_cache(256)
def _page(shape: Shape, *, some_first: bool = False) -> Select[Any]:
    """Contacts that meet a query of this shape, the newest first, but for those whose `seq` is among `first`.

    Each comes with the `total` of all pages.
    """
    if shape.lookup:
        return _looked_up_page(shape)
    found = find.found(shape).subquery()
    # What takes some looking is counted as it is found; what stands in the order of an index need not all be read.
    total_of_hits = () if shape.ordered else (func.count().over().label("total"),)

    def ordered(seq: Any) -> tuple[Any, ...]:
        return (*((seq.in_(bindparam("first", expanding=True)).desc(),) if some_first else ()), seq.desc())

    some = select(found.c.seq, *total_of_hits).order_by(*ordered(found.c.seq))
    page = some.limit(bindparam("limit")).offset(bindparam("offset")).subquery()
    total = _number(shape, found).scalar_subquery().label("total") if shape.ordered else page.c.total
    return select(*contacts.c, total).join(page, page.c.seq == contacts.c.seq).order_by(*ordered(contacts.c.seq))


def _looked_up_page(shape: Shape) -> Select[Any]:
    """The same of a lookup: its hits are an array, so that no plan depends on how many there might be."""
    found = find.found(shape)
    newest_first = found.order_by(found.selected_columns.seq.desc()).scalar_subquery()
    hits = select(func.array(newest_first, type_=_SEQS).label("seqs")).cte("hits")
    offset = cast(func.least(bindparam("offset", type_=BigInteger), _BEHIND_ALL), Integer)
    some = select(hits.c.seqs[offset + 1 : offset + bindparam("limit", type_=Integer)])
    page = cast(some.scalar_subquery(), _SEQS)
    total = select(func.cardinality(hits.c.seqs)).scalar_subquery()
    rows = select(*contacts.c, total.label("total")).where(contacts.c.seq == func.any(page))
    return rows.order_by(contacts.c.seq.desc())


@lru_cache(256)
def _total(shape: Shape) -> Select[int]:
    return _number(shape, find.found(shape).subquery())


def _number(shape: Shape, found: FromClause) -> Select[int]:
    """How many contacts meet a query of this shape, which are those `found`."""
    if shape.tallied:
        return tally.live(*shape.tallied)
    return select(func.count()).select_from(found)
