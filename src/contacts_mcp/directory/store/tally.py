"""How many live contacts there are, of each type and with each tag, without counting them.

Each number is the sum of several slots: a writer adds to a slot of its connection's, and writers at the same time do
not wait for each other. Tags are taken away in a slot that is the same for all, so that whoever takes the last one sees
that it was: nothing stays of a tag that nobody has.
"""

import random
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, Select, bindparam, cast, delete, func, select

from contacts_mcp.directory.database.tables import tallies
from contacts_mcp.directory.store.bulk import add_up, within

Counted = tuple[str, str]
"""What is counted: kind and term."""

_SLOTS = 16
_OF_ALL = 0

_tag = (tallies.c.tenant == bindparam("of"), tallies.c.kind == "tag")
_SUMS = (
    select(tallies.c.term)
    .where(*_tag, tallies.c.term.in_(bindparam("some", expanding=True)))
    .group_by(tallies.c.term)
    .having(func.sum(tallies.c.live) == 0)
)
_SLOTS_OF = (
    select(tallies.c.term, tallies.c.slot, tallies.c.live)
    .where(*_tag, tallies.c.term == bindparam("that"))
    .order_by(tallies.c.slot)
    .with_for_update()
)
_DROP = delete(tallies).where(*_tag, tallies.c.term == bindparam("that"), tallies.c.slot == bindparam("which"))


def add(connection: Connection, tenant: int, come: Counter[Counted], gone: Counter[Counted]) -> None:
    """Count what live contacts, of which some have come and others gone, are and have."""
    changes = {each: come[each] - gone[each] for each in sorted(come.keys() | gone.keys())}
    rows = (
        (tenant, kind, term, _slot(connection, kind, change), change)
        for (kind, term), change in changes.items()
        if change
    )
    add_up(connection, tallies, "live", rows)
    _forget(connection, tenant, [term for (kind, term), change in changes.items() if kind == "tag" and change < 0])


def _slot(connection: Connection, kind: str, change: int) -> int:
    if connection.dialect.name == "sqlite" or (kind == "tag" and change < 0):
        return _OF_ALL
    # A connection keeps to one slot: who took several in one transaction could wait for somebody who waits for them.
    slot: int = connection.info.setdefault("slot", random.randrange(1, _SLOTS))  # noqa: S311 - any will do
    return slot


def _forget(connection: Connection, tenant: int, tags: Sequence[str]) -> None:
    """Drop tags that nobody has any more."""
    for some in within(tags):
        for tag in connection.execute(_SUMS, {"of": tenant, "some": some}).scalars().all():
            # Who is about to have it is waited for. A slot that comes meanwhile holds more than nothing, and stays.
            slots = connection.execute(_SLOTS_OF, {"of": tenant, "that": tag}).all()
            if not sum(slot.live for slot in slots):
                connection.execute(_DROP, [{"of": tenant, "that": tag, "which": slot.slot} for slot in slots])


def live(kind: str, parameter: str) -> Select[int]:
    """The question how many live contacts a `tenant` has with the term that a parameter says, or with any."""
    number = select(cast(func.coalesce(func.sum(tallies.c.live), 0), BigInteger))
    some = number.where(tallies.c.tenant == bindparam("tenant"), tallies.c.kind == kind)
    return some.where(tallies.c.term == bindparam(parameter)) if parameter else some
