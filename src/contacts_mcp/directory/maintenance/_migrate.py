"""Migrate a directory of an older version, or try it; a copy is written first."""

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from contacts_mcp.directory import database as db
from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import Location, PostgresServer, default_path
from contacts_mcp.directory.maintenance._backup import back_up
from contacts_mcp.directory.maintenance._upgrade import ProgressCallback, explained, upgrade

_MAX_COPIES = 1_000


@dataclass(frozen=True, slots=True)
class Migration:
    """What `migrate` did, or would do."""

    before: str | None
    """The revision of the schema; None if there was no directory."""
    after: str
    contacts: int
    """Contacts that were migrated, deleted ones included."""
    copy: Path | None
    """The copy that was written before, if there was anything to migrate."""


class _Tried(Exception):
    """Ends the transaction of a trial, which is rolled back."""


async def migrate(
    location: Location, report: ProgressCallback = lambda _: None, *, copy_to: Path | None = None, dry_run: bool = False
) -> Migration:
    """Migrate a database in one transaction, after a copy to `copy_to` if that is given.

    An empty database is created, and one of the current revision is not changed. `report` gets the number of contacts
    that are indexed. A dry run migrates and rolls back. Raises DirectoryUnavailable, BackupRefused.
    """
    async with aclosing(db.build_engine(location)) as engine:
        with explained(engine):
            before = await _find_revision(engine, create=not dry_run)
            if before is None or before == db.REVISION:
                return Migration(before, db.REVISION, 0, None)
            if copy_to and not dry_run:
                await back_up(location, copy_to, report)
            contacts = await _run(engine, report, dry_run)
    return Migration(before, db.REVISION, contacts, None if dry_run else copy_to)


def find_copy_path(location: Location) -> Path:
    """Return an unused name for the copy before a migration: next to a file, or in this user's folder for a server."""
    file = default_path() if isinstance(location, PostgresServer) else location.absolute()
    names = (f"{file.stem}.before-{db.REVISION}{number}{file.suffix}" for number in _numbers())
    return next(path for name in names if not (path := file.with_name(name)).exists())


def _numbers() -> Iterator[str]:
    yield ""
    yield from (f"-{number}" for number in range(2, _MAX_COPIES))


async def _find_revision(engine: db.Engine, *, create: bool) -> str | None:
    """Return the revision before the migration, None if there is no directory or it was created now."""
    try:
        revision, is_new = await engine.prepare(create=create)
    except DirectoryUnavailable as exc:
        if exc.is_missing and not create:
            return None
        raise
    db.require_known_revision(engine.name, revision)
    return None if is_new else revision


async def _run(engine: db.Engine, report: ProgressCallback, dry_run: bool) -> int:
    contacts = 0

    def work(connection: Connection) -> None:
        nonlocal contacts
        upgrade(connection, report)
        contacts = connection.execute(select(func.count()).select_from(db.contacts)).scalar_one()
        if dry_run:
            raise _Tried

    try:
        await engine.write(work)
    except _Tried:
        return contacts
    await engine.scrub()
    return contacts
