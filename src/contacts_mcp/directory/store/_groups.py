"""Reads and writes of a tenant's groups and their members, each in the transaction of the given connection.

Values are validated by the API. An id that is not a group of the tenant, or not a member, raises DirectoryNotFound.
"""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, select, update

from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.database import contacts, groups, memberships, now
from contacts_mcp.directory.store._rows import Row, chunks, require_row

_member_count = (
    select(func.count())
    .select_from(memberships)
    .where(memberships.c.tenant == groups.c.tenant, memberships.c.group_seq == groups.c.seq)
    .scalar_subquery()
    .label("member_count")
)
_SELECT = select(*groups.c, _member_count)
_LEAVE_GROUPS = delete(memberships).where(
    memberships.c.tenant == bindparam("of_tenant"), memberships.c.contact_seq == bindparam("of_contact")
)


def list_groups(connection: Connection, tenant: int) -> Sequence[Row]:
    """Return all groups with their `member_count`, newest first."""
    return connection.execute(_SELECT.where(groups.c.tenant == tenant).order_by(groups.c.seq.desc())).mappings().all()


def get_group(connection: Connection, tenant: int, group_id: str) -> Row:
    """Return a group with its `member_count`."""
    return require_row(connection, "Group", _SELECT.where(groups.c.id == group_id, groups.c.tenant == tenant))


def create_group(connection: Connection, tenant: int, values: Row) -> Row:
    """Store a new, empty group and return it."""
    row = {**values, "tenant": tenant, "id": str(uuid4()), "created_at": now()}
    connection.execute(insert(groups).values(row))
    return get_group(connection, tenant, row["id"])


def update_group(connection: Connection, tenant: int, group_id: str, values: Row) -> Row:
    """Set the given columns of a group and return it. A new name is remembered with the one before."""
    seq = group_seq(connection, tenant, group_id, lock=True)
    if values:
        this = and_(groups.c.tenant == tenant, groups.c.seq == seq)
        connection.execute(update(groups).where(this).values(dict(values) | _rename(connection, this, values)))
    return get_group(connection, tenant, group_id)


def _rename(connection: Connection, this: ColumnElement[bool], values: Row) -> dict[str, str]:
    """Return the columns that a new name sets besides itself."""
    before = connection.execute(select(groups.c.name).where(this)).scalar_one()
    return {} if values.get("name", before) == before else {"previous_name": before, "renamed_at": now()}


def delete_group(connection: Connection, tenant: int, group_id: str) -> None:
    """Delete a group; its contacts stay."""
    seq = group_seq(connection, tenant, group_id, lock=True)
    connection.execute(delete(memberships).where(memberships.c.tenant == tenant, memberships.c.group_seq == seq))
    connection.execute(delete(groups).where(groups.c.tenant == tenant, groups.c.seq == seq))


def list_members(connection: Connection, tenant: int, group_id: str) -> Sequence[Row]:
    """Return all contacts of a group, in the order in which they joined."""
    seq = group_seq(connection, tenant, group_id)
    of_contact = and_(memberships.c.tenant == contacts.c.tenant, memberships.c.contact_seq == contacts.c.seq)
    joined = select(contacts).join(memberships, of_contact).where(contacts.c.tenant == tenant)
    members = joined.where(memberships.c.group_seq == seq).order_by(memberships.c.seq)
    return connection.execute(members).mappings().all()


def add_members(connection: Connection, tenant: int, group_id: str, contact_ids: Sequence[str]) -> int:
    """Add contacts in the given order; return how many joined. Members and ids of no live contact are skipped."""
    seq = group_seq(connection, tenant, group_id, lock=True)
    present = select(memberships.c.contact_seq).where(memberships.c.tenant == tenant, memberships.c.group_seq == seq)
    addable = select(contacts.c.id, contacts.c.seq).where(
        contacts.c.tenant == tenant, contacts.c.deleted_at.is_(None), contacts.c.seq.not_in(present)
    )
    found: dict[str, int] = {}
    for ids in chunks(sorted(set(contact_ids))):
        # Locked, so that no other transaction deletes a contact before it has joined.
        query = addable.where(contacts.c.id.in_(ids)).order_by(contacts.c.id).with_for_update(read=True)
        found |= {row.id: row.seq for row in connection.execute(query)}
    membership = {"tenant": tenant, "group_seq": seq}
    joining = [{**membership, "contact_seq": found[each]} for each in dict.fromkeys(contact_ids) if each in found]
    if joining:
        connection.execute(insert(memberships), joining)
    return len(joining)


def remove_member(connection: Connection, tenant: int, group_id: str, contact_id: str) -> None:
    """Remove a contact from a group; the contact stays."""
    seq = group_seq(connection, tenant, group_id)
    contact = select(contacts.c.seq).where(contacts.c.tenant == tenant, contacts.c.id == contact_id).scalar_subquery()
    of_group = memberships.c.tenant == tenant, memberships.c.group_seq == seq
    if not connection.execute(delete(memberships).where(*of_group, memberships.c.contact_seq == contact)).rowcount:
        raise DirectoryNotFound("Member")


def leave_groups(connection: Connection, tenant: int, contact_seq: int) -> None:
    """Remove a contact from all groups."""
    connection.execute(_LEAVE_GROUPS, {"of_tenant": tenant, "of_contact": contact_seq})


def group_seq(connection: Connection, tenant: int, group_id: str, *, lock: bool = False) -> int:
    """Return the `seq` of a group; with `lock`, no other transaction changes the group before this one has ended."""
    query = select(groups.c.seq).where(groups.c.id == group_id, groups.c.tenant == tenant)
    seq: int = require_row(connection, "Group", query.with_for_update() if lock else query)["seq"]
    return seq
