"""The file: created for its owner alone, checked before anything is written to it, and given its tables."""

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.dialects import sqlite as dialects

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database.schema import REVISION, REVISION_TABLE, must_migrate, statements
from contacts_mcp.directory.database.sqlite_faults import SqliteErrors

BUSY_SECONDS = 10.0
"""How long a connection waits for another process before SQLite gives up."""

APPLICATION_ID = 0x57434354  # 'WCCT', which `file` and other programs can tell a directory by
_FIRST_REVISION = "0001"  # which kept no note of it
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700
_BETWEEN_TRIES = 0.01

# To close any descriptor of a file drops all POSIX locks this process has on it, those of SQLite's own descriptors
# included. So nobody in this process may open a new file before the descriptor that created it is closed.
_creating = threading.Lock()


def uri(path: Path) -> str:
    """Name the file so that opening it never creates it: only `prepare` does, with the right mode."""
    return f"file:{quote(str(path.absolute()))}"


def prepare(path: Path) -> None:
    """Create the file where it is missing, check that it is a directory of this revision, and give it its tables.

    Several processes may do this to one file at once. Blocks for as long as another one is in the way, at most about
    `BUSY_SECONDS`. Raises DirectoryUnavailable; a file of something else is left as it is.
    """
    create_private(path)
    revision = settle(path)
    if revision != REVISION:
        raise DirectoryUnavailable(must_migrate(f"file {path}", revision))


def settle(path: Path) -> str:
    """The revision of the directory in the file; an empty file is given the tables of the present one.

    Raises DirectoryUnavailable where the file is no directory, or cannot be used.
    """
    faults = SqliteErrors(path)
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with closing(connect(path)) as connection:
                return _settle(connection, path)
        except sqlite3.Error as exc:
            # SQLite does not wait where the journal mode is switched, which every creator tries at the same time.
            if not faults.is_transient(exc) or time.monotonic() > deadline:
                raise (faults.explain(exc) or exc) from exc
        time.sleep(_BETWEEN_TRIES)


def create_private(path: Path) -> None:
    """Create an empty file, with its folders, where there is none. Raises DirectoryUnavailable."""
    try:
        _create_private(path)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "not a path"
        raise DirectoryUnavailable(f"The file {path} cannot be opened ({reason}); choose another path.") from exc


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, which has to be there, for transactions that are begun and ended by hand."""
    return sqlite3.connect(f"{uri(path)}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _create_private(path: Path) -> None:
    missing = [folder for folder in path.absolute().parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(_PRIVATE_FOLDER, exist_ok=True)
    with _creating:
        try:
            # SQLite gives `-wal` and `-shm` the mode of the file itself.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE))
        except FileExistsError:
            if not os.access(path, os.R_OK | os.W_OK):
                raise PermissionError(0, "no permission to read and write it") from None


def _settle(connection: sqlite3.Connection, path: Path) -> str:
    if revision := _revision(connection, path):  # before the first write
        return revision
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    revision = _revision(connection, path)  # another process may have been first
    if not revision:
        for statement in statements(dialects.dialect()):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")
    return revision or REVISION


def _revision(connection: sqlite3.Connection, path: Path) -> str | None:
    """Of the directory in the file; None where the file is empty."""
    ((application,),) = connection.execute("PRAGMA application_id")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application == 0 and not tables:
        return None
    if application != APPLICATION_ID:
        raise DirectoryUnavailable(f"The file {path} belongs to another program; choose another path.")
    if REVISION_TABLE not in tables:
        return _FIRST_REVISION
    ((revision,),) = connection.execute(f"SELECT version_num FROM {REVISION_TABLE}")  # noqa: S608 - a constant
    return str(revision)
