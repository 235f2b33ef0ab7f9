"""Contacts after their deletion, and what there is in all."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory._times import now_after, write
from contacts_mcp.directory.database import REVISION, contacts, groups, keys, memberships, receipt_chain, tenants
from contacts_mcp.directory.store import Row, add_to_index, erase_contact

OPERATOR = "operator"
"""Who acted, as receipts name them."""

_SHOWN = (contacts.c.id, contacts.c.name, contacts.c.type, contacts.c.deleted_at, tenants.c.name.label("tenant"))


class ContactErased(Exception):
    """The contact was erased: nothing of it is left that could be restored."""


def list_deleted(connection: Connection, tenant: str | None = None, before: str | None = None) -> Sequence[Row]:
    """Contacts that were deleted and not erased, the latest first: `id`, `name`, `type`, `deleted_at`, `tenant`."""
    query = _deleted(tenant).order_by(contacts.c.deleted_at.desc(), contacts.c.seq.desc())
    query = query.where(contacts.c.deleted_at < before) if before else query
    return connection.execute(query).mappings().all()


def restore_contact(connection: Connection, contact_id: str) -> Row:
    """Undo a deletion, except for group memberships. Raises DirectoryNotFound, or ContactErased if it was erased."""
    query = select(contacts).where(contacts.c.id == contact_id, contacts.c.deleted_at.is_not(None)).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise DirectoryNotFound("Deleted contact")
    if row["erased_at"]:
        raise ContactErased
    values = {"deleted_at": None, "updated_at": now_after(row["updated_at"])}
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values(values))
    restored = {**row, **values}
    add_to_index(connection, row["tenant"], [restored])
    return restored


def purge(connection: Connection, before: str, reason: str) -> int:
    """Erase contacts that were deleted before that time, each with a receipt; how many."""
    query = select(contacts.c.id, contacts.c.tenant).where(
        contacts.c.deleted_at < before, contacts.c.erased_at.is_(None)
    )
    # All of them locked before the chain of receipts, as everybody does.
    found = connection.execute(query.order_by(contacts.c.id).with_for_update()).all()
    for contact_id, tenant in found:
        erase_contact(connection, tenant, contact_id, reason, OPERATOR)
    return len(found)


def moment_before(age: timedelta) -> str:
    """The time that long ago, as the tables have it."""
    return write(datetime.now(UTC) - age)


def count_records(connection: Connection) -> dict[str, Any]:
    """What there is: by tenant, and in all."""
    live, deleted, erased = (
        func.count().filter(condition)
        for condition in (
            contacts.c.deleted_at.is_(None),
            contacts.c.deleted_at.is_not(None) & contacts.c.erased_at.is_(None),
            contacts.c.erased_at.is_not(None),
        )
    )
    counted = select(contacts.c.tenant, live.label("live"), deleted.label("deleted"), erased.label("erased"))
    of = {row.tenant: row for row in connection.execute(counted.group_by(contacts.c.tenant))}
    grouped = _by_tenant(connection, select(groups.c.tenant, func.count()).group_by(groups.c.tenant))
    active = select(keys.c.tenant, func.count()).where(keys.c.revoked_at.is_(None)).group_by(keys.c.tenant)
    keyed = _by_tenant(connection, active)
    by_tenant = [
        {
            "tenant": name,
            "contacts": of[seq].live if seq in of else 0,
            "deleted": of[seq].deleted if seq in of else 0,
            "erased": of[seq].erased if seq in of else 0,
            "groups": grouped.get(seq, 0),
            "keys": keyed.get(seq, 0),
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
    return {tenant: number for tenant, number in connection.execute(query)}  # noqa: C416 - `dict` knows no rows


def _deleted(tenant: str | None) -> Select[*tuple[Any, ...]]:
    query = select(*_SHOWN).join(tenants, tenants.c.seq == contacts.c.tenant)
    query = query.where(contacts.c.deleted_at.is_not(None), contacts.c.erased_at.is_(None))
    return query.where(tenants.c.name == tenant) if tenant else query
