"""What can be done with groups and their members, each in the transaction of the connection it is given.

Values come checked (see `_bodies`). An id that names no group, or no member, raises Missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from contacts_mcp.directory._errors import Missing
from contacts_mcp.directory._tables import contacts, groups, memberships
from contacts_mcp.directory._times import now

_member_count = (
    select(func.count())
    .select_from(memberships)
    .where(memberships.c.group_seq == groups.c.seq)
    .scalar_subquery()
    .label("member_count")
)
_counted = select(*groups.c, _member_count)


def list_groups(connection: Connection) -> list[RowMapping]:
    """Every group with its `member_count`, newest first."""
    return list(connection.execute(_counted.order_by(groups.c.seq.desc())).mappings())


def get_group(connection: Connection, group_id: str) -> RowMapping:
    """The group with its `member_count`."""
    row = connection.execute(_counted.where(groups.c.id == group_id)).mappings().one_or_none()
    if row is None:
        raise Missing("Group")
    return row


def create_group(connection: Connection, values: Mapping[str, Any]) -> RowMapping:
    """Store a new, empty group and return it."""
    row = {**values, "id": str(uuid4()), "created_at": now()}
    connection.execute(insert(groups).values(row))
    return get_group(connection, row["id"])


def update_group(connection: Connection, group_id: str, values: Mapping[str, Any]) -> RowMapping:
    """Set the given columns of a group and return it."""
    seq = seq_of(connection, group_id)
    if values:
        connection.execute(update(groups).where(groups.c.seq == seq).values(values))
    return get_group(connection, group_id)


def delete_group(connection: Connection, group_id: str) -> None:
    """Remove a group for good; its contacts stay."""
    seq = seq_of(connection, group_id)
    connection.execute(delete(memberships).where(memberships.c.group_seq == seq))
    connection.execute(delete(groups).where(groups.c.seq == seq))


def list_members(connection: Connection, group_id: str) -> list[RowMapping]:
    """Every contact of a group, in the order they joined."""
    seq = seq_of(connection, group_id)
    joined = select(contacts).join(memberships, memberships.c.contact_seq == contacts.c.seq)
    members = joined.where(memberships.c.group_seq == seq).order_by(memberships.c.seq)
    return list(connection.execute(members).mappings())


def add_members(connection: Connection, group_id: str, contact_ids: Sequence[str]) -> int:
    """Add live contacts in the given order and return how many joined; the others do no harm."""
    seq = seq_of(connection, group_id)
    present = select(memberships.c.contact_seq).where(memberships.c.group_seq == seq)
    able = select(contacts.c.id, contacts.c.seq).where(
        contacts.c.id.in_(contact_ids), contacts.c.deleted_at.is_(None), contacts.c.seq.not_in(present)
    )
    found = {row.id: row.seq for row in connection.execute(able)}
    joining = [{"group_seq": seq, "contact_seq": found[each]} for each in dict.fromkeys(contact_ids) if each in found]
    if joining:
        connection.execute(insert(memberships), joining)
    return len(joining)


def remove_member(connection: Connection, group_id: str, contact_id: str) -> None:
    """Take a contact out of a group; the contact stays."""
    seq = seq_of(connection, group_id)
    contact = select(contacts.c.seq).where(contacts.c.id == contact_id).scalar_subquery()
    membership = delete(memberships).where(memberships.c.group_seq == seq, memberships.c.contact_seq == contact)
    if not connection.execute(membership).rowcount:
        raise Missing("Member")


def seq_of(connection: Connection, group_id: str) -> int:
    """The place of a group. Raises Missing where there is none."""
    query = select(groups.c.seq).where(groups.c.id == group_id)
    seq: int | None = connection.execute(query).scalar_one_or_none()
    if seq is None:
        raise Missing("Group")
    return seq
