"""What SQLite's errors mean to somebody who keeps contacts."""

import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from contacts_mcp.directory._errors import DirectoryUnavailable

_ADVICE = {
    sqlite3.SQLITE_BUSY: (503, "is in use by another process", "try again"),
    sqlite3.SQLITE_LOCKED: (503, "is in use", "try again"),
    sqlite3.SQLITE_FULL: (507, "is on a full disk and nothing was changed", "free some space"),
    sqlite3.SQLITE_READONLY: (503, "is read-only and nothing was changed", "make it writable or choose another path"),
    sqlite3.SQLITE_CANTOPEN: (503, "cannot be opened", "check that it exists and that its folder is writable"),
    sqlite3.SQLITE_PERM: (503, "may not be opened", "check its permissions"),
    sqlite3.SQLITE_NOTADB: (503, "is not a directory of contacts", "choose another path; the file was left alone"),
    sqlite3.SQLITE_CORRUPT: (503, "is damaged", "move it away and bring a backup back"),
    sqlite3.SQLITE_IOERR: (503, "cannot be read or written", "check the disk"),
}


class SqliteErrors:
    """What the driver raises, with or without SQLAlchemy around it, about the file at `path`."""

    tries = 3  # each has waited for long already

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_transient(self, error: BaseException) -> bool:
        """Whether another process was in the way, so that the same work may succeed in a moment."""
        return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        """Say what a fault of the file means and what to do; None where the fault is the program's own."""
        code = _primary_code(error)
        if code not in _ADVICE:
            return None
        status, what, advice = _ADVICE[code]
        return DirectoryUnavailable(f"The file {self._path} {what}; {advice}.", status=status)


def _primary_code(error: BaseException) -> int | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # the upper bits say which kind of, say, an I/O error
