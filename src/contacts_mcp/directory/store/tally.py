"""How many live contacts there are, without counting them.

Each tenant's number is the sum of several slots, and a writer takes any of them: writers at the same time do not wait
for each other.
"""

import random
from collections import Counter
from functools import lru_cache

from sqlalchemy import BigInteger, Connection, Executable, Select, bindparam, cast, func, select

from contacts_mcp.directory.database.tables import tallies
from contacts_mcp.directory.store.bulk import upsert

_SLOTS = 16


def add(connection: Connection, tenant: int, come: Counter[str], gone: Counter[str]) -> None:
    """Count live contacts, by type, that have come and gone."""
    # A connection keeps to one slot: who took several in one transaction could wait for somebody who waits for them.
    slot = connection.info.setdefault("slot", random.randrange(_SLOTS)) if connection.dialect.name != "sqlite" else 0  # noqa: S311 - any will do
    for kind in sorted(come.keys() | gone.keys()):
        if change := come[kind] - gone[kind]:
            counted = {"tenant": tenant, "type": kind, "slot": slot, "live": change}
            connection.execute(_counting(connection.dialect.name), counted)


@lru_cache
def _counting(dialect: str) -> Executable:
    new = upsert(dialect, tallies)
    live = tallies.c.live + new.excluded.live
    return new.on_conflict_do_update(index_elements=[*tallies.primary_key], set_={"live": live})


def live(*, typed: bool) -> Select[int]:
    """The question how many live contacts a `tenant` has, of one `type` or of all."""
    some = select(cast(func.coalesce(func.sum(tallies.c.live), 0), BigInteger)).where(
        tallies.c.tenant == bindparam("tenant")
    )
    return some.where(tallies.c.type == bindparam("type")) if typed else some
