"""How many live contacts there are, without counting them.

Each tenant's number is the sum of several slots, and a writer takes any of them: writers at the same time do not wait
for each other.
"""

import random
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from contacts_mcp.directory.database.tables import tallies
from contacts_mcp.directory.store.bulk import upsert

_SLOTS = 16


def add(connection: Connection, tenant: int, types: Iterable[str], times: int) -> None:
    """Count live contacts of these types that have come (`times` 1) or gone (-1)."""
    slot = random.randrange(_SLOTS) if connection.dialect.name != "sqlite" else 0  # noqa: S311 - any will do
    for kind, number in sorted(Counter(types).items()):
        new = upsert(connection, tallies).values(tenant=tenant, type=kind, slot=slot, live=number * times)
        live = tallies.c.live + new.excluded.live
        connection.execute(new.on_conflict_do_update(index_elements=[*tallies.primary_key], set_={"live": live}))


def live(connection: Connection, tenant: int, kind: str | None = None) -> int:
    """How many live contacts there are, of one type or of all."""
    query = select(func.coalesce(func.sum(tallies.c.live), 0)).where(tallies.c.tenant == tenant)
    if kind:
        query = query.where(tallies.c.type == kind)
    return int(connection.execute(query).scalar_one())
