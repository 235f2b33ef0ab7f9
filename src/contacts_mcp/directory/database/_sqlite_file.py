"""The SQLite file: its creation, its revision, and what SQLite's errors mean."""

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.exc import DBAPIError

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database._schema import REVISION, REVISION_TABLE, create_statements

BUSY_TIMEOUT_SECONDS = 10.0
"""How long a connection waits for a lock of another process before SQLite gives up."""

APPLICATION_ID = 0x57434354  # 'WCCT', by which `file` and other programs recognize a directory
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
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


def file_uri(path: Path) -> str:
    """Return a URI with which SQLite opens the file but never creates it: only `create_private_file` may."""
    return f"file:{quote(str(path.absolute()))}"


def connect_file(path: Path) -> sqlite3.Connection:
    """Open an existing file, without implicit transactions."""
    return sqlite3.connect(f"{file_uri(path)}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)


def create_private_file(path: Path) -> None:
    """Create an empty file for its owner only, with its folders, if it is missing. Raises DirectoryUnavailable."""
    try:
        _create_private_file(path)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "not a path"
        raise DirectoryUnavailable(f"The file {path} cannot be opened ({reason}); choose another path.") from exc


def prepare_file(path: Path) -> str:
    """Create the file and its tables if they are missing; return its revision.

    Several processes may do this to one file at the same time. Blocks while another one holds the lock, for about
    `BUSY_TIMEOUT_SECONDS` at most.

    Raises:
        DirectoryUnavailable: the file cannot be used, or belongs to another program; it is not changed.
    """
    create_private_file(path)
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            with closing(connect_file(path)) as connection:
                return _create_tables(connection, path)
        except sqlite3.Error as exc:
            # SQLite does not wait when the journal mode changes, which every creator does at the same time.
            if not is_busy(exc) or time.monotonic() > deadline:
                raise (explain_sqlite_error(exc, path) or exc) from exc
        time.sleep(_RETRY_SECONDS)


def is_busy(error: BaseException) -> bool:
    """Whether another process held the lock for too long."""
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


def _create_private_file(path: Path) -> None:
    missing = [folder for folder in path.absolute().parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(_FOLDER_MODE, exist_ok=True)
    with _creating:
        try:
            # SQLite gives `-wal` and `-shm` the mode of the file itself.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE))
        except FileExistsError:
            if not os.access(path, os.R_OK | os.W_OK):
                raise PermissionError(0, "no permission to read and write it") from None


def _create_tables(connection: sqlite3.Connection, path: Path) -> str:
    if revision := _revision_of(connection, path):  # before the first write
        return revision
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    revision = _revision_of(connection, path)  # another process may have created the tables meanwhile
    if not revision:
        for statement in create_statements(dialects.dialect()):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")
    return revision or REVISION


def _revision_of(connection: sqlite3.Connection, path: Path) -> str | None:
    """Return the revision of the directory in the file, None if the file is empty."""
    ((application,),) = connection.execute("PRAGMA application_id")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application == 0 and not tables:
        return None
    if application != APPLICATION_ID or REVISION_TABLE not in tables:
        raise DirectoryUnavailable(f"The file {path} belongs to another program; choose another path.")
    ((revision,),) = connection.execute(f"SELECT version_num FROM {REVISION_TABLE}")  # noqa: S608 - a constant
    return str(revision)
