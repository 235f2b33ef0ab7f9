"""An operator's commands for a directory, as methods of one object."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Table, func, select, update

from contacts_mcp.directory import store
from contacts_mcp.directory._errors import ContactErased, DirectoryNotFound
from contacts_mcp.directory._location import Location
from contacts_mcp.directory.database import (
    OWNER,
    REVISION,
    Database,
    contacts,
    format_time,
    groups,
    keys,
    memberships,
    now_after,
    receipt_chain,
    tenants,
)
from contacts_mcp.directory.maintenance import _backup, _check, _migrate, _summary
from contacts_mcp.directory.maintenance._backup import RestoreResult
from contacts_mcp.directory.maintenance._migrate import Migration
from contacts_mcp.directory.maintenance._sample import sample_contacts
from contacts_mcp.directory.maintenance._summary import Summary
from contacts_mcp.directory.maintenance._upgrade import ProgressCallback
from contacts_mcp.directory.store import Row

_ACTOR = "operator"
"""Who erased a contact, as receipts name them."""

_SAMPLE_BATCH_SIZE = 2_000
_LISTED = (contacts.c.id, contacts.c.name, contacts.c.type, contacts.c.deleted_at, tenants.c.name.label("tenant"))
_was_deleted = contacts.c.deleted_at.is_not(None)
_is_deleted = _was_deleted & contacts.c.erased_at.is_(None)


class Maintenance:
    """The maintenance of one directory: see `Directory.maintenance`. Every method may raise DirectoryUnavailable."""

    def __init__(self, location: Location, database: Database) -> None:
        self._location = location
        self._database = database

    async def check(self, report: ProgressCallback = lambda _: None) -> list[str]:
        """Check the directory for inconsistencies: returns one line for each. `report` gets the percentage done."""
        return await self._database.read(_check.check, report)

    async def summarize(self) -> Summary:
        """Summarize the directory: counts, and the time of the last change."""
        return await self._database.read(_summary.summarize)

    async def summarize_backup(self, source: Path) -> Summary:
        """Summarize a backup, without opening the directory.

        Raises:
            BackupRefused: there is no such file.
        """
        return await asyncio.to_thread(_summary.summarize_backup, source)

    async def count_records(self) -> dict[str, Any]:
        """Count contacts, groups and working keys by tenant, and memberships and receipts in all."""
        return await self._database.read(_count_records)

    async def list_receipts(self) -> list[Row]:
        """List the receipts of all erasures, the oldest first."""
        return await self._database.read(lambda connection: list(store.read_receipts(connection)))

    async def verify_receipts(self) -> tuple[int, str, list[str]]:
        """Verify the hash chain of the receipts: their number, the last hash, and one line for each fault."""
        return await self._database.read(_check.check_receipts)

    async def list_deleted(self, tenant: str | None = None, *, before: datetime | None = None) -> Sequence[Row]:
        """List deleted contacts that are not erased, the latest first: id, name, type, deleted_at and tenant."""
        return await self._database.read(_list_deleted, tenant, before)

    async def restore_contact(self, contact_id: str) -> Row:
        """Undo a deletion or a merge, except for the contact's group memberships. Returns the contact.

        It is no longer linked to the contact that it was merged into, `was_merged_into`, which keeps what it got.

        Raises:
            DirectoryNotFound: no deleted contact has this id.
            ContactErased: the contact was erased.
        """
        return await self._database.write(_restore_contact, contact_id)

    async def purge(self, before: datetime, reason: str, tenant: str | None = None) -> int:
        """Erase contacts, by default of all tenants, that were deleted before a time in UTC. Returns their number.

        Each erasure leaves a receipt.
        """
        return await self._database.erase(_purge, before, reason, tenant)

    async def add_samples(self, number: int, seed: int, report: ProgressCallback) -> None:
        """Create made-up contacts for the owner."""
        samples, created = sample_contacts(number, seed), 0
        while batch := list(islice(samples, _SAMPLE_BATCH_SIZE)):
            await self._database.write(store.create_contacts, OWNER, batch)
            created += len(batch)
            report(created)

    async def migrate(self, report: ProgressCallback, *, copy: bool = True, dry_run: bool = False) -> Migration:
        """Migrate an older database to the current schema, after a copy; see Migration. A dry run changes nothing."""
        copy_to = _migrate.find_copy_path(self._location) if copy else None
        return await _migrate.migrate(self._location, report, copy_to=copy_to, dry_run=dry_run)

    async def back_up(self, target: Path, report: ProgressCallback) -> int:
        """Write a consistent copy to a new SQLite file while the directory is in use. Returns its size in bytes.

        Raises:
            BackupRefused: the file exists.
            DirectoryUnavailable: also if there is no directory.
        """
        return await _backup.back_up(self._location, target, report)

    async def restore_backup(self, source: Path, journals: Sequence[Path], report: ProgressCallback) -> RestoreResult:
        """Replace everything in the directory by a backup, without the contacts that were erased since.

        Raises:
            BackupRefused: the backup or a journal does not belong to this directory, or is damaged.
        """
        return await _backup.restore_backup(self._location, source, journals, report)


def _list_deleted(connection: Connection, tenant: str | None = None, before: datetime | None = None) -> Sequence[Row]:
    query = select(*_LISTED).join(tenants, tenants.c.seq == contacts.c.tenant).where(_is_deleted)
    if tenant:
        query = query.where(tenants.c.name == tenant)
    if before is not None:
        query = query.where(contacts.c.deleted_at < format_time(before))
    ordered = query.order_by(contacts.c.deleted_at.desc(), contacts.c.seq.desc())
    return connection.execute(ordered).mappings().all()


def _restore_contact(connection: Connection, contact_id: str) -> Row:
    query = select(contacts).where(contacts.c.id == contact_id, _was_deleted).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise DirectoryNotFound("Deleted contact")
    if row["erased_at"]:
        raise ContactErased(f"the contact {contact_id} was erased; nothing of it is left to restore")
    values = {"deleted_at": None, "merged_into": None, "updated_at": now_after(row["updated_at"])}
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values(values))
    restored = {**row, **values}
    store.add_to_index(connection, row["tenant"], [restored])
    return {**restored, "was_merged_into": row["merged_into"]}


def _purge(connection: Connection, before: datetime, reason: str, tenant_name: str | None) -> int:
    query = select(contacts.c.id, contacts.c.tenant).where(_is_deleted, contacts.c.deleted_at < format_time(before))
    if tenant_name is not None:
        query = query.where(contacts.c.tenant.in_(select(tenants.c.seq).where(tenants.c.name == tenant_name)))
    # Every writer locks contacts before the chain of receipts, so all of them are locked first.
    found = connection.execute(query.order_by(contacts.c.id).with_for_update()).all()
    for tenant in sorted({tenant for _, tenant in found}):
        ids = [contact_id for contact_id, owner in found if owner == tenant]
        store.erase_contacts(connection, tenant, ids, reason, _ACTOR)
    return len(found)


def _count_records(connection: Connection) -> dict[str, Any]:
    by_tenant = select(
        tenants.c.name.label("tenant"),
        _count_of(contacts, contacts.c.deleted_at.is_(None)).label("contacts"),
        _count_of(contacts, _is_deleted).label("deleted"),
        _count_of(contacts, _was_deleted, contacts.c.erased_at.is_not(None)).label("erased"),
        _count_of(groups).label("groups"),
        _count_of(keys, keys.c.revoked_at.is_(None)).label("keys"),
    )
    return {
        "schema": REVISION,
        "tenants": [dict(row) for row in connection.execute(by_tenant.order_by(tenants.c.seq)).mappings()],
        "memberships": connection.execute(select(func.count()).select_from(memberships)).scalar_one(),
        "receipts": connection.execute(select(receipt_chain.c.length)).scalar_one(),
    }


def _count_of(table: Table, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return the query for the number of rows of the tenant that the enclosing query reads."""
    return select(func.count()).where(table.c.tenant == tenants.c.seq, *conditions).scalar_subquery()
