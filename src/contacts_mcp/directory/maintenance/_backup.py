"""Write a backup of a directory while it is in use, and restore one.

A backup is a directory in a SQLite file, whichever engine it comes from, and can be restored into either: this is also
the way from a file to a server.
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import aclosing, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, create_engine, delete, func, select

from contacts_mcp.directory import database as db
from contacts_mcp.directory import store
from contacts_mcp.directory._errors import BackupRefused
from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory.maintenance._upgrade import ProgressCallback, explained, run_scripts, upgrade
from contacts_mcp.hash_chain import ChainEnd, ChainRecord, end_of

_COPIED = (db.tenants, db.keys, db.contacts, db.groups, db.memberships, db.receipts, db.receipt_chain)
"""The tables of a backup. All others are derived from these, or expire within a day."""

_LEFT_OUT = (db.undo_entries, db.undo_receipts, db.approvals)
"""Tables with values that were replaced, or that a person is asked about: a backup has none of them, so a restored
directory undoes nothing and runs no call that was made before."""

_RECORDS = (db.contacts, db.memberships, db.groups)
_NUMBERED = (*_RECORDS, db.keys, db.tenants)
_LOCKED = (*_RECORDS, *db.DERIVED_TABLES, db.receipts, db.receipt_chain, db.keys, db.tenants)
_BATCH_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restored backup contains, and what was repeated in it."""

    contacts: int
    erased_again: int
    """Contacts of the backup that had been erased since."""
    keys_revoked_again: int
    created: bool = False
    """Whether there was no directory before."""


class _Copied(Exception):
    """Ends the transaction in which an older directory was migrated for a copy; it is rolled back."""


async def back_up(location: Location, target: Path, report: ProgressCallback = lambda _: None) -> int:
    """Write a consistent copy of the directory to a new file, completely or not at all. Returns its size in bytes.

    Callers can read and write meanwhile. A directory of an older version is copied as well. Raises BackupRefused,
    DirectoryUnavailable.
    """
    _require(not target.exists(), f"The file {target} exists already; choose another name.")
    if await _is_older(location):
        return await _back_up_older(location, target, report)
    async with aclosing(store.open_database(location, create=False)) as database:
        await database.read(lambda _: None)  # brings the journal up to date
        with _draft(target) as draft:
            if isinstance(location, PostgresServer):
                await asyncio.to_thread(db.prepare_file, draft)
                with _file_transaction(draft) as copy:
                    await database.read(lambda connection: _copy_rows(connection, copy, report))
            else:
                await asyncio.to_thread(_copy_file, location, draft)
            return draft.stat().st_size


async def _is_older(location: Location) -> bool:
    """Whether an older version of this program wrote the directory. Raises DirectoryUnavailable."""
    async with aclosing(db.build_engine(location)) as engine:
        with explained(engine):
            revision = (await engine.prepare(create=False)).revision
        db.require_known_revision(engine.name, revision)
        return revision != db.REVISION


async def _back_up_older(location: Location, target: Path, report: ProgressCallback) -> int:
    """Copy a directory of an older version: a file as it is, the rows of a server as the migrations change them."""
    with _draft(target) as draft:
        if isinstance(location, Path):
            await asyncio.to_thread(_copy_file, location, draft)
            return draft.stat().st_size
        await asyncio.to_thread(db.prepare_file, draft)

        def work(connection: Connection) -> None:
            run_scripts(connection)
            with _file_transaction(draft) as copy:
                _copy_rows(connection, copy, report)
            raise _Copied

        async with aclosing(db.build_engine(location)) as engine:
            with suppress(_Copied), explained(engine):
                await engine.write(work)
        return draft.stat().st_size


async def restore_backup(
    location: Location, source: Path, journals: Sequence[Path] = (), report: ProgressCallback = lambda _: None
) -> RestoreResult:
    """Replace the contents of the directory by a backup, in one transaction.

    Erasures since the backup are repeated in it first, as far as the directory's own receipts, its journal and
    `journals` know them, and keys that were revoked since are revoked. Raises BackupRefused, DirectoryUnavailable.
    """
    _require(source.is_file(), f"There is no file {source}.")
    with tempfile.TemporaryDirectory(prefix="contacts-restore-", dir=_work_folder(location)) as folder:
        draft = Path(folder) / "contacts.db"
        db.create_private_file(draft)
        await asyncio.to_thread(_copy_file, source, draft)
        await _migrate_draft(draft)
        await asyncio.to_thread(_require_own_contents, draft, source)
        async with aclosing(store.open_database(location)) as database:
            known, revoked = await _changes_since(database, location, journals)
            result = await _update_draft(draft, known, revoked)
            await database.erase(_replace, draft, known, report)
            return replace(result, created=database.is_new)


async def _migrate_draft(draft: Path) -> None:
    """Bring the copy of a backup to the current revision."""
    if await _is_older(draft):
        async with aclosing(db.build_engine(draft)) as engine:
            with explained(engine):
                await engine.write(upgrade)


async def _changes_since(
    database: db.Database, location: Location, journals: Sequence[Path]
) -> tuple[Sequence[ChainRecord], list[str]]:
    """Collect all known receipts, and the prefixes of the revoked keys, before the backup replaces the directory."""
    chains = [await asyncio.to_thread(store.read_journal_file, path) for path in journals]
    if isinstance(location, Path):
        chains.append(await asyncio.to_thread(store.read_journal, location))
    chains.append(await database.read(lambda connection: list(store.read_receipts(connection))))
    of_revoked = select(db.keys.c.prefix).where(db.keys.c.revoked_at.is_not(None))
    revoked = await database.read(lambda connection: list(connection.execute(of_revoked).scalars()))
    longest = max(chains, key=len)
    for chain in chains:
        if chain and chain[-1]["hash"] != longest[len(chain) - 1]["hash"]:
            raise BackupRefused(
                "The journals and the directory record different erasures; give only journals of this directory."
            )
    if faults := list(store.verify_receipts(longest, end_of(longest[-1]) if longest else ChainEnd())):
        raise BackupRefused(f"The receipts of this directory are damaged: {faults[0]}.")
    return longest, revoked


async def _update_draft(draft: Path, known: Sequence[ChainRecord], revoked: list[str]) -> RestoreResult:
    """Repeat in the draft the erasures and revocations since the backup."""

    def work(connection: Connection) -> RestoreResult:
        length, _ = end = store.receipt_chain_end(connection)
        if fault := next(store.verify_receipts(store.read_receipts(connection), end), None):
            raise BackupRefused(f"The receipts of the backup are damaged: {fault}; use another backup.")
        common = min(length, len(known))
        of_common = select(db.receipts.c.hash).where(db.receipts.c.seq == common)
        if common and known[common - 1]["hash"] != connection.execute(of_common).scalar():
            raise BackupRefused("The backup is of another directory: it records different erasures.")
        erased = store.replay_receipts(connection, known) if len(known) > length else 0
        revoking = db.keys.update().where(db.keys.c.prefix.in_(revoked), db.keys.c.revoked_at.is_(None))
        keys_revoked = connection.execute(revoking.values(revoked_at=db.now())).rowcount
        live = connection.execute(select(func.count()).where(db.contacts.c.deleted_at.is_(None))).scalar_one()
        return RestoreResult(live, erased, keys_revoked)

    async with aclosing(db.Database(draft)) as database:
        return await database.erase(work)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BackupRefused(message)


def _copy_file(source: Path, draft: Path) -> None:
    """Copy the current contents of a SQLite file, without remains of deleted rows, and without `_LEFT_OUT`."""
    try:
        with closing(sqlite3.connect(f"{db.file_uri(source)}?mode=ro", uri=True)) as connection:
            db.inspect_backup(connection, source)
            connection.execute("VACUUM INTO ?", [str(draft)])
    except sqlite3.Error as exc:
        raise (db.explain_sqlite_error(exc, source) or exc) from exc
    with closing(db.connect_file(draft)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("PRAGMA secure_delete = ON")
        found = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in _LEFT_OUT:
            if table.name in found:  # an older revision has none
                copy.execute(f"DELETE FROM {table.name}")  # noqa: S608 - constants


def _require_own_contents(draft: Path, source: Path) -> None:
    """Raise BackupRefused unless the contents of a copied backup are those of a directory."""
    with closing(db.connect_file(draft)) as connection:
        fault = next(db.content_faults(connection), None)
    _require(fault is None, f"The backup {source} is not restored: {fault}; use another backup.")


def _replace(target: Connection, draft: Path, known: Sequence[ChainRecord], report: ProgressCallback) -> None:
    """Replace all rows of the directory by those of the draft, while other processes may be writing."""
    if target.dialect.name == "postgresql":
        # Waits for running transactions, which would otherwise leave old rows behind, or an erasure unrecorded.
        names = ", ".join(table.name for table in _LOCKED)
        target.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
    length, last = store.receipt_chain_end(target)
    is_known = not length or (length <= len(known) and known[length - 1]["hash"] == last)
    _require(is_known, "A contact was erased meanwhile; restore the backup again.")
    with _file_transaction(draft) as copy:
        _copy_rows(copy, target, report)


def _copy_rows(source: Connection, target: Connection, report: ProgressCallback) -> None:
    """Replace all rows of one directory by those of another, and rebuild the derived tables."""
    for table in (db.idempotency_keys, *_LEFT_OUT, *reversed(_COPIED)):
        target.execute(delete(table))
    for table in _COPIED:
        copied = 0
        ordered = select(table).order_by(*table.primary_key).execution_options(yield_per=_BATCH_ROWS)
        for rows in source.execute(ordered).mappings().partitions():
            store.insert_rows(target, table, rows)
            copied += len(rows)
            report(copied)
    if target.dialect.name == "postgresql":
        for table in _NUMBERED:  # continue their sequences
            following = select(func.coalesce(func.max(table.c.seq), 0) + 1).scalar_subquery()
            target.execute(select(func.setval(f"{table.name}_seq_seq", following, False)))
    store.rebuild_index(target, report)


@contextmanager
def _file_transaction(path: Path) -> Iterator[Connection]:
    """Run a transaction on a file that no other process uses."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _work_folder(location: Location) -> Path | None:
    """The folder for the draft: next to the directory's file, or where its folder will be, so on the same disk."""
    if isinstance(location, PostgresServer):
        return None
    return next(folder for folder in location.absolute().parents if folder.is_dir())


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Create a private file that gets its final name once it is complete, and is removed otherwise."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.partial")
    db.create_private_file(draft)
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        shutil.move(draft, target)
    finally:
        draft.unlink(missing_ok=True)
