"""What an operator does with a directory, as methods of one object."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from contacts_mcp.directory import store
from contacts_mcp.directory._location import Location
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.maintenance import _backup, _check, _migrate, _records, _sample
from contacts_mcp.directory.maintenance._backup import ProgressCallback, RestoreResult
from contacts_mcp.directory.store import Row


class Maintenance:
    """The maintenance of one directory: see `Directory.maintenance`. Every method may raise DirectoryUnavailable."""

    def __init__(self, location: Location, database: Database) -> None:
        self._location = location
        self._database = database

    async def check(self) -> list[str]:
        """Check the directory for inconsistencies: one line for each, none if there is none."""
        return await self._database.read(_check.check)

    async def count_records(self) -> dict[str, Any]:
        """Count contacts, groups and working keys by tenant, and memberships and receipts in all."""
        return await self._database.read(_records.count_records)

    async def list_receipts(self) -> list[Row]:
        """List the receipts of all erasures, the oldest first."""
        return await self._database.read(lambda connection: list(store.read_receipts(connection)))

    async def verify_receipts(self) -> tuple[int, str, list[str]]:
        """Verify the hash chain of the receipts: their number, the last hash, and one line for each fault."""
        return await self._database.read(_check.check_receipts)

    async def list_deleted(self, tenant: str | None = None, *, before: datetime | None = None) -> Sequence[Row]:
        """List deleted contacts that are not erased, the latest first: id, name, type, deleted_at and tenant."""
        return await self._database.read(_records.list_deleted, tenant, before)

    async def restore_contact(self, contact_id: str) -> Row:
        """Undo a deletion, except for the contact's group memberships.

        Raises:
            DirectoryNotFound: no deleted contact has this id.
            ContactErased: the contact was erased.
        """
        return await self._database.write(_records.restore_contact, contact_id)

    async def purge(self, before: datetime, reason: str) -> int:
        """Erase contacts that were deleted before a time in UTC, each with a receipt. Returns their number."""
        return await self._database.erase(_records.purge, before, reason)

    async def add_samples(self, number: int, seed: int, report: ProgressCallback) -> None:
        """Create made-up contacts for the owner."""
        await _sample.add_samples(self._database, number, seed, report)

    async def migrate(self, report: ProgressCallback) -> tuple[str, str]:
        """Migrate an older database to the current schema. Returns the revisions before and after."""
        return await _migrate.migrate(self._location, report)

    async def back_up(self, target: Path, report: ProgressCallback) -> int:
        """Write a consistent copy to a new SQLite file while the directory is in use. Returns its size in bytes.

        Raises:
            BackupRefused: the file exists.
        """
        return await _backup.back_up(self._location, target, report)

    async def restore_backup(self, source: Path, journals: Sequence[Path], report: ProgressCallback) -> RestoreResult:
        """Replace everything in the directory by a backup, without the contacts that were erased since.

        Raises:
            BackupRefused: the backup or a journal does not belong to this directory, or is damaged.
        """
        return await _backup.restore_backup(self._location, source, journals, report)
