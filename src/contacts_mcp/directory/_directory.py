"""The public face of the directory: its ASGI app, its API keys, and what an operator does with it."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from contacts_mcp.directory import maintenance, store
from contacts_mcp.directory._limits import DEFAULT_RATE_LIMIT
from contacts_mcp.directory._location import Location
from contacts_mcp.directory._opening import open_database
from contacts_mcp.directory.maintenance import ProgressCallback, RestoreResult
from contacts_mcp.directory.store import ApiKey, Row

if TYPE_CHECKING:
    from fastapi import FastAPI


class Directory:
    """An embedded Contacts API on a SQLite file, which is created with its folders if missing, or on PostgreSQL.

    `app` serves it: in process through `httpx.ASGITransport`, or by any ASGI server. The first request opens the
    database; while it cannot be used, every request gets a 503 and the next one tries again. One Directory belongs to
    one event loop; several, in one process or in many, may share a location.

    With `keys`, the app is a service of its own: callers send an API key, and each key may make `rate` requests a
    minute (0: no limit), measured by `clock`. Without, every caller is the owner.

    Every method that uses the database raises DirectoryUnavailable if that is not possible.
    """

    def __init__(
        self,
        location: Location,
        *,
        keys: bool = False,
        rate: int = DEFAULT_RATE_LIMIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._location = location
        self._database = open_database(location)
        self._has_keys = keys
        self._rate = rate
        self._clock = clock

    @cached_property
    def app(self) -> "FastAPI":
        """The ASGI app. FastAPI is imported on first use: an operator's command does not need it."""
        if self._has_keys:
            from contacts_mcp.directory.service import build_service

            return build_service(self._database, self._rate, self._clock)
        from contacts_mcp.directory.api import Tenant, build_app

        return build_app(self._database, Tenant(self._database))

    async def aclose(self) -> None:
        """Finish the running requests and close the database. Later requests get a 503. Closing again is no error."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def spend(self, nonce: str, expires: float) -> bool:
        """Mark a nonce as used until `expires` (seconds since 1970); False if any process has used it before."""
        return await self._database.write(store.spend_nonce, nonce, expires)

    async def create_key(
        self, name: str, tenant: str = "owner", scopes: Collection[str] = store.SCOPES
    ) -> tuple[str, ApiKey]:
        """Create an API key for a tenant, which is created if it is new. Returns the key, which is not stored, first.

        Raises:
            ValueError: the name or a scope is not valid.
        """
        return await self._database.write(store.create_key, name, tenant, scopes)

    async def list_keys(self) -> Sequence[ApiKey]:
        """List all API keys, revoked ones included."""
        return await self._database.read(store.list_keys)

    async def revoke_key(self, prefix: str) -> ApiKey:
        """Revoke an API key. It may work for KEY_CACHE_SECONDS more, in processes that have just used it.

        Raises:
            DirectoryNotFound: there is no such key.
        """
        return await self._database.write(store.revoke_key, prefix)

    async def list_deleted(self, tenant: str | None = None, *, before: datetime | None = None) -> Sequence[Row]:
        """List deleted contacts that are not erased, the latest first: id, name, type, deleted_at and tenant."""
        return await self._database.read(maintenance.list_deleted, tenant, before)

    async def restore_contact(self, contact_id: str) -> Row:
        """Undo a deletion, except for the contact's group memberships.

        Raises:
            DirectoryNotFound: no deleted contact has this id.
            ContactErased: the contact was erased.
        """
        return await self._database.write(maintenance.restore_contact, contact_id)

    async def purge(self, before: datetime, reason: str) -> int:
        """Erase contacts that were deleted before a time in UTC, each with a receipt. Returns their number."""
        return await self._database.erase(maintenance.purge, before, reason)

    async def receipts(self) -> list[Row]:
        """List the receipts of all erasures, the oldest first."""
        return await self._database.read(lambda connection: list(store.read_receipts(connection)))

    async def verify_receipts(self) -> tuple[int, str, list[str]]:
        """Verify the hash chain of the receipts: their number, the last hash, and one line for each fault."""
        return await self._database.read(maintenance.check_receipts)

    async def check(self) -> list[str]:
        """Check the directory for inconsistencies: one line for each, none if all is well."""
        return await self._database.read(maintenance.check)

    async def count_records(self) -> dict[str, Any]:
        """Count contacts, groups and keys by tenant, and memberships and receipts in all."""
        return await self._database.read(maintenance.count_records)

    async def add_samples(self, number: int, seed: int, report: ProgressCallback) -> None:
        """Create made-up contacts for the owner. `report` gets the number of contacts so far."""
        await maintenance.add_samples(self._database, number, seed, report)

    async def migrate(self, report: ProgressCallback) -> tuple[str, str]:
        """Migrate an older database to the current schema. Returns the revisions before and after."""
        return await maintenance.migrate(self._location, report)

    async def back_up(self, target: Path, report: ProgressCallback) -> int:
        """Write a consistent copy to a new SQLite file while the directory is in use. Returns its size in bytes.

        Raises:
            BackupRefused: the file exists.
        """
        return await maintenance.back_up(self._location, target, report)

    async def restore_backup(self, source: Path, journals: Sequence[Path], report: ProgressCallback) -> RestoreResult:
        """Replace everything in the directory by a backup, without the contacts that were erased since.

        Raises:
            BackupRefused: the backup or a journal does not belong to this directory, or is damaged.
        """
        return await maintenance.restore_backup(self._location, source, journals, report)
