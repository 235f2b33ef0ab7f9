"""An operator's commands for a directory, as methods of one object."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Table, func, select

from contacts_mcp.directory import store
from contacts_mcp.directory._location import Location
from contacts_mcp.directory.database import (
    OWNER,
    REVISION,
    Database,
    contacts,
    groups,
    keys,
    memberships,
    receipt_chain,
    tenants,
)
from contacts_mcp.directory.maintenance import _backup, _check, _contacts, _migrate, _summary
from contacts_mcp.directory.maintenance._backup import RestoreResult
from contacts_mcp.directory.maintenance._contacts import ContactList, TenantContact
from contacts_mcp.directory.maintenance._migrate import Migration
from contacts_mcp.directory.maintenance._sample import sample_contacts
from contacts_mcp.directory.maintenance._summary import Summary
from contacts_mcp.directory.maintenance._upgrade import ProgressCallback
from contacts_mcp.directory.store import Receipt, Row, Status

_SAMPLE_BATCH_SIZE = 2_000
_LIVE: tuple[Status, ...] = ("live",)


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

    async def list_contacts(
        self,
        statuses: Collection[Status] = _LIVE,
        tenant: str | None = None,
        search: str = "",
        limit: int = _contacts.ALL,
    ) -> ContactList:
        """List contacts of these statuses, by default of all tenants.

        Live ones come first, the newest before others, then deleted and erased ones, the last deleted or erased first.
        A search matches the words of live and deleted contacts as the API does; erased contacts have none.
        """
        return await self._database.read(_contacts.list_contacts, statuses, tenant, search, limit)

    async def list_deleted(self, tenant: str | None = None, *, before: datetime | None = None) -> Sequence[Row]:
        """List contacts that were deleted (before a time in UTC) and are not erased, the last deleted first."""
        return await self._database.read(_contacts.list_deleted, tenant, before)

    async def read_contacts(self, contact_ids: Sequence[str]) -> list[TenantContact]:
        """Read contacts of any tenants in this order, live or not; ids that never existed are left out."""
        return await self._database.read(_contacts.read_contacts, contact_ids)

    async def restore_contact(self, contact_id: str) -> Row:
        """Undo a deletion or a merge, except for the contact's group memberships. Returns the contact.

        It is no longer linked to the contact that it was merged into, `was_merged_into`, which keeps what it got.

        Raises:
            DirectoryNotFound: no deleted contact has this id.
            ContactErased: the contact was erased.
        """
        return await self._database.write(_contacts.restore_contact, contact_id)

    async def erase_contacts(self, contact_ids: Collection[str], reason: str) -> list[Receipt]:
        """Erase contacts of any tenants, live or deleted, in one transaction. Returns their receipts, old and new.

        `contact_ids` must have every record that was merged into one of them. Nothing is changed on an error.

        Raises:
            DirectoryNotFound: an id never existed.
            Conflict: another record was merged into one of these.
            PersonalReason: the reason holds personal data, of one of these contacts or of anyone.
        """
        return await self._database.erase(_contacts.erase_contacts, contact_ids, reason)

    async def purge(self, before: datetime, reason: str, tenant: str | None = None) -> int:
        """Erase contacts, by default of all tenants, that were deleted before a time in UTC. Returns their number.

        Each erasure leaves a receipt.
        """
        return await self._database.erase(_contacts.purge, before, reason, tenant)

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


def _count_records(connection: Connection) -> dict[str, Any]:
    by_tenant = select(
        tenants.c.name.label("tenant"),
        _count_of(contacts, contacts.c.deleted_at.is_(None)).label("contacts"),
        _count_of(contacts, _contacts.is_deleted).label("deleted"),
        _count_of(contacts, _contacts.was_deleted, contacts.c.erased_at.is_not(None)).label("erased"),
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
