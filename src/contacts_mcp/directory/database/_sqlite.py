"""SQLite: the file and its creation, connections, threads, removal of erased bytes, and what errors mean."""

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database._database import MAX_COMPILED_STATEMENTS, Work
from contacts_mcp.directory.database._inspection import schema_faults
from contacts_mcp.directory.database._schema import REVISION, REVISION_TABLE, Prepared, create_statements, not_created
from contacts_mcp.operating_system import make_folders, open_file

BUSY_TIMEOUT_SECONDS = 10.0
"""How long a connection waits for a lock of another process before SQLite gives up."""

APPLICATION_ID = 0x57434354  # 'WCCT', by which `file` and other programs recognize a directory
_RETRY_SECONDS = 0.01

_ERRORS = {
    sqlite3.SQLITE_BUSY: (503, "is in use by another process", "try again"),
    sqlite3.SQLITE_LOCKED: (503, "is in use", "try again"),
    sqlite3.SQLITE_FULL: (507, "is on a full disk and nothing was changed", "free some space"),
    sqlite3.SQLITE_READONLY: (503, "is read-only and nothing was changed", "make it writable or choose another path"),
    sqlite3.SQLITE_CANTOPEN: (503, "cannot be opened", "check that it exists and that its folder is writable"),
    sqlite3.SQLITE_PERM: (503, "may not be opened", "check its permissions"),
    sqlite3.SQLITE_NOTADB: (503, "is not a directory of contacts", "choose another path; the file was not changed"),
    sqlite3.SQLITE_CORRUPT: (503, "is damaged", "move it away and restore a backup"),
    sqlite3.SQLITE_IOERR: (503, "cannot be read or written", "check the disk"),
}

# Closing any descriptor of a file drops all POSIX locks that this process holds on it, also those of SQLite's own
# descriptors. So no thread may open a new file before the descriptor that created it is closed.
_creating = threading.Lock()

_READERS = 4
_SCRUB_TIMEOUT_MILLISECONDS = 1000  # no process can write while a scrub waits

_PRAGMAS = (
    "foreign_keys = ON",
    "trusted_schema = OFF",  # the file may come from somebody else
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
    max_attempts = 2  # each has waited for `BUSY_TIMEOUT_SECONDS`; together less than callers wait
    waits_for_locks = True

    def __init__(self, path: Path) -> None:
        """No connection is made before the first transaction."""
        self.name = f"file {path}"
        self._path = path
        self._reader = _ConnectionPool(path, "BEGIN", _READER_PRAGMAS, connections=_READERS)
        # IMMEDIATE: a transaction that reads first and writes later could fail without waiting.
        self._writer = _ConnectionPool(path, "BEGIN IMMEDIATE", _WRITER_PRAGMAS, connections=1)
        self._needs_scrub = False

    async def prepare(self, *, create: bool = True) -> Prepared:
        return await asyncio.to_thread(
            prepare_file, self._path, create=create
        )  # another process may be creating the same file

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader.threads, self._reader.transact, work)

    # In a file, a transaction costs nothing, and a plan never depends on the values.
    query = look_up = read

    async def write(self, work: Work[T]) -> T:
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

    async def aclose(self) -> None:
        await self._reader.close()
        if self._needs_scrub:
            await self._writer.run(_scrub)
        await self._writer.close()

    def is_transient(self, error: BaseException) -> bool:
        return _is_busy(error)

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        return explain_sqlite_error(error, self._path)


class _ConnectionPool:
    """Connections with a thread pool for them: each transaction is one call in a thread."""

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
            query_cache_size=MAX_COMPILED_STATEMENTS,
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


# The file.


def file_uri(path: Path) -> str:
    """Return a URI with which SQLite opens the file but never creates it: only `create_private_file` may."""
    name = path.absolute().as_posix()
    return f"file://{quote(name if name.startswith('/') else f'/{name}')}"  # a drive of Windows needs the slash


def connect_file(path: Path) -> sqlite3.Connection:
    """Open an existing file, without implicit transactions."""
    return sqlite3.connect(f"{file_uri(path)}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)


def create_private_file(path: Path) -> None:
    """Create an empty file for its owner only, with its folders, if it is missing. Raises DirectoryUnavailable."""
    try:
        make_folders(path.absolute().parent)
        with _creating:
            _create_or_access(path)
    except (OSError, ValueError) as exc:
        raise _not_opened(path, exc) from exc


def inspect_backup(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DirectoryUnavailable unless a file is a directory whose tables only this program has created."""
    connection.execute("PRAGMA cell_size_check = ON")
    if _revision_of(connection, path) is None:
        raise DirectoryUnavailable(f"The file {path} is empty; choose another backup.")


def prepare_file(path: Path, *, create: bool = True) -> Prepared:
    """Return the revision of a directory's file. If the file or its tables are missing, create them or refuse that.

    Several processes may do this to one file at the same time. Blocks while another one holds the lock, for about
    `BUSY_TIMEOUT_SECONDS` at most.

    Raises:
        DirectoryUnavailable: the file cannot be used, or belongs to another program; it is not changed.
    """
    if create:
        create_private_file(path)
    else:
        _require_file(path)
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            with closing(connect_file(path)) as connection:
                return _create_tables(connection, path, create)
        except sqlite3.Error as exc:
            # SQLite does not wait when the journal mode changes, which every creator does at the same time.
            if not _is_busy(exc) or time.monotonic() > deadline:
                raise (explain_sqlite_error(exc, path) or exc) from exc
        time.sleep(_RETRY_SECONDS)


def _require_file(path: Path) -> None:
    """Raise DirectoryUnavailable unless there is a file that can be read and written."""
    try:
        path.stat()
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(0, "no permission to read and write it")
    except FileNotFoundError:
        raise not_created(path) from None
    except (OSError, ValueError) as exc:
        raise _not_opened(path, exc) from exc


def _not_opened(path: Path, error: OSError | ValueError) -> DirectoryUnavailable:
    reason = getattr(error, "strerror", None) or "not a path"
    return DirectoryUnavailable(f"The file {path} cannot be opened ({reason}); choose another path.")


def _is_busy(error: BaseException) -> bool:
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def explain_sqlite_error(error: BaseException, path: Path) -> DirectoryUnavailable | None:
    """Return what an error means for the operator and what to do; None if it is a bug of this program."""
    code = _primary_code(error)
    if code not in _ERRORS:
        return None
    status, problem, advice = _ERRORS[code]
    return DirectoryUnavailable(f"The file {path} {problem}; {advice}.", status=status)


def _primary_code(error: BaseException) -> int | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # the upper bits are the kind of, for example, an I/O error


def _create_or_access(path: Path) -> None:
    try:
        # SQLite gives `-wal` and `-shm` the mode of the file itself.
        os.close(open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(0, "no permission to read and write it") from None


def _create_tables(connection: sqlite3.Connection, path: Path, create: bool) -> Prepared:
    if revision := _revision_of(connection, path):  # before the first write
        return Prepared(revision)
    if not create:
        raise not_created(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    revision = _revision_of(connection, path)  # another process may have created the tables meanwhile
    if not revision:
        for statement in create_statements(dialects.dialect()):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")
    return Prepared(revision or REVISION, is_new=not revision)


def _revision_of(connection: sqlite3.Connection, path: Path) -> str | None:
    """Return the revision of the directory in the file, None if the file is empty."""
    ((application,),) = connection.execute("PRAGMA application_id")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application == 0 and not tables:
        return None
    if application != APPLICATION_ID or REVISION_TABLE not in tables:
        raise DirectoryUnavailable(f"The file {path} belongs to another program; choose another path.")
    revisions = connection.execute(f"SELECT version_num FROM {REVISION_TABLE}").fetchall()  # noqa: S608 - a constant
    revision = str(revisions[0][0]) if len(revisions) == 1 else ""
    fault = next(schema_faults(connection, revision), None) if revision else "it does not have one revision"
    if fault and revision <= REVISION:  # a newer version may have other tables, and is refused as such
        raise DirectoryUnavailable(
            f"The file {path} is not used, because another program changed its tables: {fault}; restore a backup."
        )
    return revision
