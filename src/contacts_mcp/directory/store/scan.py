"""Reading all contacts that a filter meets, in large pages: what jobs on many contacts begin with."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from contacts_mcp.directory.database.tables import contacts, memberships
from contacts_mcp.directory.store import find
from contacts_mcp.directory.store.groups import seq_of
from contacts_mcp.directory.store.query import Query

_MOST_NOTES = 4_000_000
"""Characters of notes on one page: with more, the answer would be too large for its reader."""


def scan_contacts(
    connection: Connection,
    tenant: int,
    fields: Sequence[str],
    query: Query,
    group_id: str | None,
    *,
    after: int,
    limit: int,
) -> tuple[list[list[Any]], int | None]:
    """The contacts that come after `after` in the order of their creation, and where the next page begins.

    A contact's place never changes, so that each one which is there all the time is met once. Words are taken as they
    are spelt: what is done with many contacts must not meet others.

    Raises:
        DirectoryNotFound: the group does not exist.
    """
    statement = select(contacts.c.seq, *(contacts.c[name] for name in fields)).where(contacts.c.seq > after)
    if group_id is not None:
        members = select(memberships.c.contact_seq).where(
            memberships.c.group_seq == seq_of(connection, tenant, group_id)
        )
        statement = statement.where(contacts.c.seq.in_(members))
    shape, values = find.shaped(connection, tenant, query)
    statement = statement.where(contacts.c.seq.in_(find.found(shape)))
    found = connection.execute(statement.order_by(contacts.c.seq).limit(limit + 1), values).all()
    page = _bounded(found[:limit], fields)
    return [list(row[1:]) for row in page], page[-1][0] if len(page) < len(found) else None


def _bounded(rows: Sequence[Row[Any]], fields: Sequence[str]) -> Sequence[Row[Any]]:
    if "notes" not in fields:
        return rows
    place, length = 1 + fields.index("notes"), 0
    for number, row in enumerate(rows, 1):
        length += len(row[place] or "")
        if length > _MOST_NOTES:
            return rows[:number]
    return rows
