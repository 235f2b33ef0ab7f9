"""The SQLite side of the database: its connections, and the removal of erased bytes."""

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import aiosqlite
from sqlalchemy import URL, AdaptedConnection, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from contacts_mcp.directory._sqlite_file import BUSY_SECONDS, uri

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
_READER_PRAGMAS = (*_PRAGMAS, "query_only = ON")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engines:
    """`reader` hands out snapshots to several at once; `writer` has one connection and locks the file first."""

    reader: AsyncEngine
    writer: AsyncEngine

    async def dispose(self) -> None:
        """Close every connection; the last one of all processes folds the write-ahead log into the file."""
        await self.reader.dispose()
        await self.writer.dispose()


def engines(path: Path) -> Engines:
    """Engines over the prepared file at `path`. No connection is made before the first transaction."""
    return Engines(
        reader=_engine(path, "BEGIN", _READER_PRAGMAS, connections=_READERS),
        # IMMEDIATE: a transaction that reads first and writes later could be refused without waiting.
        writer=_engine(path, "BEGIN IMMEDIATE", _WRITER_PRAGMAS, connections=1),
    )


async def scrub(engine: AsyncEngine) -> None:
    """Remove deleted bytes from the file and from its write-ahead log.

    `secure_delete` overwrites what is deleted, but where SQLite moved a row between pages before, the old page can
    keep a copy: only writing the file anew is sure to leave none. A process that reads for long, or a full disk, can
    hold this up. The erasure itself has taken effect then; that is logged, and the next erasure removes both.
    """
    async with engine.connect() as connection:
        driver = cast("aiosqlite.Connection", (await connection.get_raw_connection()).driver_connection)
        await driver.execute_fetchall(f"PRAGMA busy_timeout = {_SCRUB_MILLISECONDS}")
        try:
            await driver.execute_fetchall("VACUUM")
            ((held_up, *_),) = await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as exc:
            held_up = exc.sqlite_errorname
        finally:
            await driver.execute_fetchall(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    if held_up:
        _log.warning("A contact is erased, but its bytes could not be removed from the file or its write-ahead log yet")


def _engine(path: Path, begin: str, pragmas: tuple[str, ...], *, connections: int) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=uri(path), query={"mode": "rw", "uri": "true"}),
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},  # None: `begin` begins, not the driver
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,  # every transaction has been ended when its connection comes back
        hide_parameters=True,  # errors may be logged, people's data may not
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # Straight to the driver: a cursor of SQLAlchemy's would cost three errands to the connection's thread.
        adapted = cast("AdaptedConnection", connection.connection.dbapi_connection)
        adapted.run_async(lambda driver: driver.execute_fetchall(begin))

    return engine
