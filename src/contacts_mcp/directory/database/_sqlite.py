"""SQLite: connections, threads, and removal of erased bytes."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database._engine import Work
from contacts_mcp.directory.database._sqlite_file import (
    BUSY_TIMEOUT_SECONDS,
    explain_sqlite_error,
    file_uri,
    is_busy,
    prepare_file,
)

_READERS = 4
_SCRUB_TIMEOUT_MILLISECONDS = 1000  # no process can write while a scrub waits

_PRAGMAS = (
    "foreign_keys = ON",
    "synchronous = FULL",  # what was acknowledged survives a power cut
    "secure_delete = ON",  # deleted rows are overwritten
    "temp_store = MEMORY",  # no copies of personal data in temporary files
)
_WRITER_PRAGMAS = (
    *_PRAGMAS,
    "cache_size = -81920",  # kibibytes: batches write all over the inverted index
    "wal_autocheckpoint = 16000",  # pages: a checkpoint writes each page once, however often it changed
)
_READER_PRAGMAS = (
    *_PRAGMAS,
    "query_only = ON",
    "mmap_size = 1073741824",  # bytes: pages are read in the system's page cache, without a copy
)

T = TypeVar("T")

_log = logging.getLogger(__name__)


class SqliteEngine:
    """A directory in a file: several readers at a time, one writer, who locks the file first."""

    max_writers = 1
    max_attempts = 3  # each has waited for `BUSY_TIMEOUT_SECONDS` already

    def __init__(self, path: Path) -> None:
        """No connection is made before the first transaction."""
        self.name = f"file {path}"
        self._path = path
        self._reader = _ConnectionPool(path, "BEGIN", _READER_PRAGMAS, connections=_READERS)
        # IMMEDIATE: a transaction that reads first and writes later could fail without waiting.
        self._writer = _ConnectionPool(path, "BEGIN IMMEDIATE", _WRITER_PRAGMAS, connections=1)
        self._needs_scrub = False

    async def prepare(self) -> str:
        """Create the file and its tables if they are missing; return the revision. Raises DirectoryUnavailable."""
        return await asyncio.to_thread(prepare_file, self._path)  # another process may be creating the same file

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._reader.threads, self._reader.transact, work)

    # In a file, a transaction costs nothing, and a plan never depends on the values.
    query = look_up = read

    async def write(self, work: Work[T]) -> T:
        """Run `work` as the only writer."""
        return await asyncio.get_running_loop().run_in_executor(self._writer.threads, self._writer.transact, work)

    async def scrub(self) -> None:
        """Remove deleted bytes from the file and its write-ahead log.

        `secure_delete` overwrites deleted rows, but if SQLite moved a row between pages earlier, the old page can keep
        a copy: only a VACUUM is sure to leave none. A reader in another process or a full disk can prevent it. The
        erasure has taken effect then; a warning is logged, and the next scrub or the closing of the directory removes
        the bytes.
        """
        problem = await self._writer.run(_scrub)
        self._needs_scrub = problem is not None
        if self._needs_scrub:
            _log.warning(
                "A contact is erased, but its bytes could not be removed from the file or its write-ahead log yet"
            )

    async def close(self) -> None:
        """Close every connection; the last one of all processes folds the write-ahead log into the file."""
        await self._reader.close()
        if self._needs_scrub:
            await self._writer.run(_scrub)
        await self._writer.close()

    def is_transient(self, error: BaseException) -> bool:
        """Whether another process held the lock for too long."""
        return is_busy(error)

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        """Return what an error means for the operator and what to do; None if it is a bug of this program."""
        return explain_sqlite_error(error, self._path)


class _ConnectionPool:
    """Connections and threads of their own: a transaction is one call in a thread, whatever it does."""

    def __init__(self, path: Path, begin: str, pragmas: tuple[str, ...], *, connections: int) -> None:
        self.threads = ThreadPoolExecutor(connections, thread_name_prefix="contacts-directory")
        self._engine = create_engine(
            URL.create("sqlite+pysqlite", database=file_uri(path), query={"mode": "rw", "uri": "true"}),
            # isolation_level None: `begin` begins a transaction, not the driver. Threads share connections, one at a
            # time.
            connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None, "check_same_thread": False},
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_reset_on_return=None,  # a connection is returned after its transaction has ended
            hide_parameters=True,  # errors may be logged, personal data may not
        )

        @event.listens_for(self._engine, "connect")
        def _configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(self._engine, "begin")
        def _begin(connection: Connection) -> None:
            cast("sqlite3.Connection", connection.connection.driver_connection).execute(begin)

    def transact(self, work: Work[T]) -> T:
        """Run `work` in one transaction, in one of the threads."""
        with self._engine.begin() as connection:
            return work(connection)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` outside of any transaction."""

        def run() -> T:
            with self._engine.connect() as connection:
                return work(cast("sqlite3.Connection", connection.connection.driver_connection))

        return await asyncio.get_running_loop().run_in_executor(self.threads, run)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self.threads, self._engine.dispose)
        self.threads.shutdown(wait=False)


def _scrub(connection: sqlite3.Connection) -> str | None:
    """Return what prevented the scrub, None if it is complete."""
    connection.execute(f"PRAGMA busy_timeout = {_SCRUB_TIMEOUT_MILLISECONDS}")
    try:
        # `optimize` rewrites the full-text index, which keeps deleted numbers otherwise.
        connection.execute("INSERT INTO contact_phones(contact_phones) VALUES ('optimize')")
        connection.execute("VACUUM")
        ((is_blocked, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as exc:
        return exc.sqlite_errorname
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}")
    return "SQLITE_BUSY" if is_blocked else None
