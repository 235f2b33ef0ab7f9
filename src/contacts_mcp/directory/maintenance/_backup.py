"""Copying a directory while it is in use, and bringing a copy back.

A backup is a directory in a SQLite file, whatever engine it is made from, and is restored into either: this is also
the way from a file to a server.
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, delete, func, select

from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory._opening import open_database
from contacts_mcp.directory._times import now
from contacts_mcp.directory.database import (
    DERIVED,
    Database,
    SqliteErrors,
    connect_file,
    contacts,
    create_file_tables,
    create_private_file,
    file_uri,
    groups,
    idempotency_keys,
    keys,
    memberships,
    receipt_chain,
    receipts,
    tenants,
)
from contacts_mcp.directory.maintenance._migrate import migrate
from contacts_mcp.directory.store import (
    Row,
    insert_rows,
    read_journal,
    read_journal_file,
    read_receipts,
    rebuild_index,
    receipt_chain_end,
    replay_receipts,
    verify_receipts,
)

COPIED = (tenants, keys, contacts, groups, memberships, receipts, receipt_chain)
"""What a backup holds; everything else is derived from it, or forgotten within a day."""

_LOCKED = tuple(
    table.name for table in (contacts, memberships, groups, *DERIVED, receipts, receipt_chain, keys, tenants)
)
_TOGETHER = 5_000

StepCallback = Callable[[str, int], None]
"""Gets the step under way and the number of rows it has processed so far."""


class BackupRefused(Exception):
    """The copy cannot be made, or cannot be brought back; one line with what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of bringing a backup back."""

    contacts: int
    erased_again: int
    """Contacts of the backup that had been erased since."""
    keys_revoked_again: int


async def back_up(place: Location, target: Path, report: StepCallback = lambda *_: None) -> int:
    """Write a consistent copy of the directory to a new file, whole or not at all; its size in bytes.

    Everybody goes on reading and writing meanwhile. Raises BackupRefused, DirectoryUnavailable.
    """
    _require(not target.exists(), f"There is a file {target} already; choose another name.")
    database = open_database(place)
    try:
        await database.read(lambda _: None)  # creates what is missing, and refuses what is no directory
        with _draft(target) as draft:
            if isinstance(place, PostgresServer):
                await asyncio.to_thread(create_file_tables, draft)
                with _rows_of(draft) as copy:
                    await database.read(lambda connection: _copy_rows(connection, copy, report))
            else:
                await asyncio.to_thread(_copy_file, place, draft)
            return draft.stat().st_size
    finally:
        await database.aclose()


async def restore(
    place: Location, source: Path, journals: Sequence[Path] = (), report: StepCallback = lambda *_: None
) -> Restored:
    """Bring a backup back in place of what is there, in one transaction.

    Erasures made since the backup, as the directory's own receipts, its journal and those `journals` tell of them, are
    made in it first, and keys revoked since are revoked. Raises BackupRefused, DirectoryUnavailable.
    """
    _require(source.is_file(), f"There is no file {source}.")
    with tempfile.TemporaryDirectory(prefix="contacts-restore-", dir=_beside(place)) as folder:
        draft = Path(folder) / "contacts.db"
        create_private_file(draft)
        await asyncio.to_thread(_copy_file, source, draft)
        await migrate(draft, lambda done: report("contacts indexed", done))
        database = open_database(place)
        try:
            known, revoked = await _since(database, place, journals)
            outcome = await _prepare(draft, known, revoked)
            await database.erase(_replace, draft, known, report)
        finally:
            await database.aclose()
    return outcome


async def _since(database: Database, place: Location, journals: Sequence[Path]) -> tuple[Sequence[Row], list[str]]:
    """All receipts that are known, and the keys that are revoked, before the backup takes the directory's place."""
    chains = [await asyncio.to_thread(read_journal_file, path) for path in journals]
    if isinstance(place, Path):
        chains.append(await asyncio.to_thread(read_journal, place))
    chains.append(await database.read(lambda connection: list(read_receipts(connection))))
    revoked = await database.read(_revoked)
    longest = max(chains, key=len)
    for one in chains:
        if one and one[-1]["hash"] != longest[len(one) - 1]["hash"]:
            raise BackupRefused(
                "The journals and the directory tell of different erasures; give those that belong to it."
            )
    if faults := list(verify_receipts(longest, len(longest), longest[-1]["hash"] if longest else "")):
        raise BackupRefused(f"The receipts known here are damaged: {faults[0]}.")
    return longest, revoked


async def _prepare(draft: Path, known: Sequence[Row], revoked: list[str]) -> Restored:
    """Do in the copy what was done since it was made."""

    def work(connection: Connection) -> Restored:
        length, _ = receipt_chain_end(connection)
        both = min(length, len(known))
        if both and known[both - 1]["hash"] != _nth(connection, both):
            raise BackupRefused("The backup is of another directory: its erasures are others than those known here.")
        again = replay_receipts(connection, known) if len(known) > length else 0
        revoking = keys.update().where(keys.c.prefix.in_(revoked), keys.c.revoked_at.is_(None))
        keys_again = connection.execute(revoking.values(revoked_at=now())).rowcount
        there = connection.execute(select(func.count()).where(contacts.c.deleted_at.is_(None))).scalar_one()
        return Restored(there, again, keys_again)

    database = Database(draft)
    try:
        return await database.erase(work)
    finally:
        await database.aclose()


def _require(fine: bool, why: str) -> None:
    if not fine:
        raise BackupRefused(why)


def _nth(connection: Connection, number: int) -> str | None:
    return connection.execute(select(receipts.c.hash).where(receipts.c.seq == number)).scalar()


def _revoked(connection: Connection) -> list[str]:
    return list(connection.execute(select(keys.c.prefix).where(keys.c.revoked_at.is_not(None))).scalars())


def _copy_file(source: Path, draft: Path) -> None:
    """Write what is in the file now, in order and without what was deleted from it."""
    with _explained(source), closing(sqlite3.connect(f"{file_uri(source)}?mode=ro", uri=True)) as connection:
        connection.execute("VACUUM INTO ?", [str(draft)])
    with closing(connect_file(draft)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise (SqliteErrors(path).explain(exc) or exc) from exc


def _replace(target: Connection, draft: Path, known: Sequence[Row], report: StepCallback) -> None:
    """Put what is in the copy in place of what is there, where others may be writing."""
    if target.dialect.name == "postgresql":
        # Whoever has begun is waited for: he would leave rows of what was there before, or make an erasure forgotten.
        target.exec_driver_sql(f"LOCK TABLE {', '.join(_LOCKED)} IN SHARE ROW EXCLUSIVE MODE")
    length, last = receipt_chain_end(target)
    is_known = not length or (length <= len(known) and known[length - 1]["hash"] == last)
    _require(is_known, "Somebody was erased meanwhile; bring the backup back once more.")
    with _rows_of(draft) as copy:
        _copy_rows(copy, target, report)


def _copy_rows(source: Connection, target: Connection, report: StepCallback) -> None:
    """Put all rows of one directory in place of those of another, and derive what is derived."""
    for table in (idempotency_keys, *reversed(COPIED)):
        target.execute(delete(table))
    for table in COPIED:
        done = 0
        ordered = select(table).order_by(*table.primary_key).execution_options(yield_per=_TOGETHER)
        for some in source.execute(ordered).mappings().partitions():
            insert_rows(target, table, some)
            done += len(some)
            report(f"{table.name} copied", done)
    if target.dialect.name == "postgresql":
        for table in (tenants, keys, contacts, groups, memberships):  # where the counting goes on
            last = select(func.coalesce(func.max(table.c.seq), 0) + 1).scalar_subquery()
            target.execute(select(func.setval(f"{table.name}_seq_seq", last, False)))
    rebuild_index(target, lambda done: report("contacts indexed", done))


@contextmanager
def _rows_of(path: Path) -> Iterator[Connection]:
    """A transaction in a file that nobody else uses."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _beside(place: Location) -> Path | None:
    """Where a copy is prepared: on the same disk, where the directory is a file."""
    if isinstance(place, PostgresServer):
        return None
    create_private_file(place)
    return place.absolute().parent


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A private file that takes its name when it is whole, and is gone otherwise."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.partial")
    create_private_file(draft)
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        shutil.move(draft, target)
    finally:
        draft.unlink(missing_ok=True)
