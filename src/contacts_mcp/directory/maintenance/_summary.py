"""What a directory or a backup holds, in a few numbers and a date, for the question before one replaces the other."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from contacts_mcp.directory import database as db
from contacts_mcp.directory._errors import BackupRefused

_QUERY = """
SELECT (SELECT count(*) FROM contacts WHERE deleted_at IS NULL),
       (SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL AND erased_at IS NULL),
       (SELECT count(*) FROM contact_groups),
       (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL),
       (SELECT count(*) FROM receipts),
       (SELECT max(updated_at) FROM contacts),
       (SELECT max(deleted_at) FROM contacts),
       (SELECT max(created_at) FROM contact_groups)
"""
"""In SQL of both engines, and with columns of every revision: a backup is summarized before it is migrated."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of live and deleted contacts, groups, working keys and receipts, and the time of the last change."""

    contacts: int
    deleted: int
    groups: int
    keys: int
    receipts: int
    changed_at: str | None


def summarize(connection: Connection) -> Summary:
    """Summarize a directory."""
    return _to_summary(connection.exec_driver_sql(_QUERY).one())


def summarize_backup(source: Path) -> Summary:
    """Summarize a file that `back_up` wrote, which is not changed. Raises BackupRefused, DirectoryUnavailable."""
    if not source.is_file():
        raise BackupRefused(f"There is no file {source}.")
    try:
        with closing(sqlite3.connect(f"{db.file_uri(source)}?mode=ro", uri=True)) as connection:
            db.inspect_backup(connection, source)
            return _to_summary(connection.execute(_QUERY).fetchone())
    except sqlite3.Error as exc:
        raise (db.explain_sqlite_error(exc, source) or exc) from exc


def _to_summary(row: "tuple[int, int, int, int, int, str | None, str | None, str | None]") -> Summary:
    contacts, deleted, groups, keys, receipts, *times = row
    return Summary(contacts, deleted, groups, keys, receipts, max(filter(None, times), default=None))
