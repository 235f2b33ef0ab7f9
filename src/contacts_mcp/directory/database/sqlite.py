"""The SQLite side of the database: its connections, and the removal of erased bytes."""

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar, cast

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy import Engine as SyncEngine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from contacts_mcp.directory.database.engine import Work
from contacts_mcp.directory.database.sqlite_file import BUSY_SECONDS, prepare, uri

_READERS = 4
_SCRUB_MILLISECONDS = 1000  # no writer of any process can go on while this waits

_PRAGMAS = (
    "foreign_keys = ON",
    "synchronous = FULL",  # what was acknowledged survives a power cut
    "secure_delete = ON",  # what is deleted is overwritten
    "temp_store = MEMORY",  # no copies of anybody's data in temporary files
)
_WRITER_PRAGMAS = (
    *_PRAGMAS,
    "cache_size = -81920",  # kibibytes: batches write all over the index of words
    "wal_autocheckpoint = 16000",  # pages: each checkpoint writes such pages once, however often they changed
)
_READER_PRAGMAS = (
    *_PRAGMAS,
    "query_only = ON",
    "mmap_size = 1073741824",  # bytes: pages are looked at where the system has them, and copied nowhere
)

T = TypeVar("T")

_log = logging.getLogger(__name__)


class SqliteEngine:
    """A directory in a file: many read at once, one writes, and locks the file first."""

    writers = 1

    def __init__(self, path: Path) -> None:
        """Engine over the prepared file at `path`. No connection is made before the first transaction."""
        self._reader = _Connections.to(path, "BEGIN", _READER_PRAGMAS, connections=_READERS)
        # IMMEDIATE: a transaction that reads first and writes later could be refused without waiting.
        self._writer = _Connections.to(path, "BEGIN IMMEDIATE", _WRITER_PRAGMAS, connections=1)
        self._left_over = False

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Prepare the file, in a thread: another process may be creating the same one and has to be waited for."""
        await asyncio.to_thread(prepare, path)
        return cls(path)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""
        return await self._reader.run(work)

    async def ask(self, work: Work[T]) -> T:
        """Run `work` on a snapshot: to begin and to end costs nothing in a file."""
        return await self.read(work)

    async def look_up(self, work: Work[T]) -> T:
        """Run `work` on a snapshot: a statement is always carried out in the same way, whatever its values are."""
        return await self.read(work)

    async def write(self, work: Work[T]) -> T:
        """Run `work` as the only writer."""
        return await self._writer.run(work)

    async def scrub(self) -> None:
        """Remove deleted bytes from the file and from its write-ahead log.

        `secure_delete` overwrites what is deleted, but where SQLite moved a row between pages before, the old page can
        keep a copy: only writing the file anew is sure to leave none. A process that reads for long, or a full disk,
        can hold this up. The erasure itself has taken effect then; that is logged, and the next one removes both, or
        whoever closes the directory.
        """
        self._left_over = bool(await self._writer.lend(_scrub))
        if self._left_over:
            _log.warning(
                "A contact is erased, but its bytes could not be removed from the file or its write-ahead log yet"
            )

    async def close(self) -> None:
        """Close every connection; the last one of all processes folds the write-ahead log into the file."""
        await self._reader.close()
        if self._left_over:
            await self._writer.lend(_scrub)
        await self._writer.close()


@dataclass(frozen=True, slots=True)
class _Connections:
    """Connections, and threads of their own to work in: a transaction is one errand to a thread, whatever it does."""

    engine: SyncEngine
    threads: ThreadPoolExecutor

    @classmethod
    def to(cls, path: Path, begin: str, pragmas: tuple[str, ...], *, connections: int) -> Self:
        engine = create_engine(
            URL.create("sqlite+pysqlite", database=uri(path), query={"mode": "rw", "uri": "true"}),
            # isolation_level None: `begin` begins, not the driver. A connection goes from thread to thread, one at a
            # time.
            connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_reset_on_return=None,  # every transaction has been ended when its connection comes back
            hide_parameters=True,  # errors may be logged, people's data may not
        )

        @event.listens_for(engine, "connect")
        def _configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            cast("sqlite3.Connection", connection.connection.driver_connection).execute(begin)

        return cls(engine, ThreadPoolExecutor(connections, thread_name_prefix="contacts-directory"))

    async def run(self, work: Work[T]) -> T:
        """Run `work` in one transaction, which is rolled back where it raises."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._transact, work)

    async def lend(self, work: Work[T]) -> T:
        """Run `work` outside of any transaction."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, self._lend, work)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self.threads, self.engine.dispose)
        self.threads.shutdown(wait=False)

    def _transact(self, work: Work[T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)

    def _lend(self, work: Work[T]) -> T:
        with self.engine.connect() as connection:
            return work(connection)


def _scrub(connection: Connection) -> object:
    """What held it up, if anything did."""
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    driver.execute(f"PRAGMA busy_timeout = {_SCRUB_MILLISECONDS}")
    try:
        driver.execute("INSERT INTO contact_phones(contact_phones) VALUES ('optimize')")  # or old ones stay in it
        driver.execute("VACUUM")
        ((held_up, *_),) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as exc:
        held_up = exc.sqlite_errorname
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    return held_up
