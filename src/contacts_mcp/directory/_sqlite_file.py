"""The file: created for its owner alone, checked before anything is written to it, and given its tables."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.dialects import sqlite as dialects
from sqlalchemy.schema import CreateIndex, CreateTable

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._sqlite_faults import is_busy, unavailable
from contacts_mcp.directory._tables import SCHEMA_VERSION, metadata

BUSY_SECONDS = 10.0
"""How long a connection waits for another process before SQLite gives up."""

APPLICATION_ID = 0x57434354  # 'WCCT', which `file` and other programs can tell a directory by
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700
_BETWEEN_TRIES = 0.01

# To close any descriptor of a file drops all POSIX locks this process has on it, those of SQLite's own descriptors
# included. So nobody in this process may open a new file before the descriptor that created it is closed.
_creating = threading.Lock()


def uri(path: Path) -> str:
    """Name the file so that opening it never creates it: only `prepare` does, with the right mode."""
    return f"file:{quote(str(path.absolute()))}"


def prepare(path: Path) -> None:
    """Create the file where it is missing, check that it is a directory, and give it its tables.

    Several processes may do this to one file at once. Blocks for as long as another one is in the way, at most about
    `BUSY_SECONDS`. Raises DirectoryUnavailable; a file of something else is left as it is.
    """
    try:
        _create_private(path)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "not a path"
        raise DirectoryUnavailable(f"The file {path} cannot be opened ({reason}); choose another path.") from exc
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with closing(_connect(path)) as connection:
                return _set_up(connection, path)
        except sqlite3.Error as exc:
            # SQLite does not wait where the journal mode is switched, which every creator tries at the same time.
            if not is_busy(exc) or time.monotonic() > deadline:
                raise (unavailable(exc, path) or exc) from exc
        time.sleep(_BETWEEN_TRIES)


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


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{uri(path)}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    _is_new(connection, path)  # before the first write
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    new = _is_new(connection, path)  # another process may have been first
    for statement in _schema():  # of which an older file may lack the latest
        connection.execute(statement)
    if new:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    application, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application == version == tables == 0:
        return True
    if application != APPLICATION_ID:
        raise DirectoryUnavailable(f"The file {path} belongs to another program; choose another path.")
    if version > SCHEMA_VERSION:
        raise DirectoryUnavailable(
            f"The file {path} was written by a newer version of this program (schema {version}, known up to"
            f" {SCHEMA_VERSION}); update the program or choose another path."
        )
    return False


def _schema() -> Iterator[str]:
    dialect = dialects.dialect()
    for table in metadata.sorted_tables:
        yield str(CreateTable(table, if_not_exists=True).compile(dialect=dialect))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))
