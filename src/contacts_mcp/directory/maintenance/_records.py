"""Deleted contacts: list, restore and purge them. And how many records of which kind a directory has."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from contacts_mcp.directory._errors import ContactErased, DirectoryNotFound
from contacts_mcp.directory.database import (
    REVISION,
    contacts,
    format_time,
    groups,
    keys,
    memberships,
    now_after,
    receipt_chain,
    tenants,
)
from contacts_mcp.directory.store import Row, add_to_index, erase_contact

_ACTOR = "operator"
"""Who erased a contact, as receipts name them."""

_LISTED = (contacts.c.id, contacts.c.name, contacts.c.type, contacts.c.deleted_at, tenants.c.name.label("tenant"))
_is_deleted = contacts.c.deleted_at.is_not(None) & contacts.c.erased_at.is_(None)


def list_deleted(connection: Connection, tenant: str | None = None, before: datetime | None = None) -> Sequence[Row]:
    """List contacts that are deleted and not erased, the latest first: id, name, type, deleted_at and tenant."""
    query = select(*_LISTED).join(tenants, tenants.c.seq == contacts.c.tenant).where(_is_deleted)
    if tenant:
        query = query.where(tenants.c.name == tenant)
    if before is not None:
        query = query.where(contacts.c.deleted_at < format_time(before))
    ordered = query.order_by(contacts.c.deleted_at.desc(), contacts.c.seq.desc())
    return connection.execute(ordered).mappings().all()


def restore_contact(connection: Connection, contact_id: str) -> Row:
    """Undo a deletion, except for group memberships. Raises DirectoryNotFound, or ContactErased if it was erased."""
    query = select(contacts).where(contacts.c.id == contact_id, contacts.c.deleted_at.is_not(None)).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise DirectoryNotFound("Deleted contact")
    if row["erased_at"]:
        raise ContactErased(contact_id)
    values = {"deleted_at": None, "updated_at": now_after(row["updated_at"])}
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values(values))
    restored = {**row, **values}
    add_to_index(connection, row["tenant"], [restored])
    return restored


def purge(connection: Connection, before: datetime, reason: str) -> int:
    """Erase contacts that were deleted before a time in UTC, each with a receipt. Returns their number."""
    query = select(contacts.c.id, contacts.c.tenant).where(_is_deleted, contacts.c.deleted_at < format_time(before))
    # Every writer locks contacts before the chain of receipts, so all of them are locked first.
    found = connection.execute(query.order_by(contacts.c.id).with_for_update()).all()
    for contact_id, tenant in found:
        erase_contact(connection, tenant, contact_id, reason, _ACTOR)
    return len(found)


def count_records(connection: Connection) -> dict[str, Any]:
    """Count contacts, groups and working keys by tenant, and memberships and receipts in all."""
    live, deleted, erased = (
        func.count().filter(condition)
        for condition in (contacts.c.deleted_at.is_(None), _is_deleted, contacts.c.erased_at.is_not(None))
    )
    query = select(contacts.c.tenant, live.label("contacts"), deleted.label("deleted"), erased.label("erased"))
    counted = {row.tenant: row for row in connection.execute(query.group_by(contacts.c.tenant))}
    group_counts = _by_tenant(connection, select(groups.c.tenant, func.count()).group_by(groups.c.tenant))
    working = select(keys.c.tenant, func.count()).where(keys.c.revoked_at.is_(None)).group_by(keys.c.tenant)
    key_counts = _by_tenant(connection, working)
    by_tenant = [
        {
            "tenant": name,
            "contacts": counted[seq].contacts if seq in counted else 0,
            "deleted": counted[seq].deleted if seq in counted else 0,
            "erased": counted[seq].erased if seq in counted else 0,
            "groups": group_counts.get(seq, 0),
            "keys": key_counts.get(seq, 0),
        }
        for seq, name in connection.execute(select(tenants.c.seq, tenants.c.name).order_by(tenants.c.seq))
    ]
    return {
        "schema": REVISION,
        "tenants": by_tenant,
        "memberships": connection.execute(select(func.count()).select_from(memberships)).scalar_one(),
        "receipts": connection.execute(select(receipt_chain.c.length)).scalar_one(),
    }


def _by_tenant(connection: Connection, query: Select[int, int]) -> dict[int, int]:
    return {tenant: number for tenant, number in connection.execute(query)}  # noqa: C416 - `dict` does not take rows
