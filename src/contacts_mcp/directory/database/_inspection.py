"""Inspect a SQLite file that may come from somebody else, before anything in it is run or believed.

Triggers, views, virtual tables and generated columns run code of whoever made the file. Values of another kind than the
columns declare would fail or mislead later. Messages never quote the file.
"""

import re
import sqlite3
from collections.abc import Iterator

import sqlalchemy as sa

from contacts_mcp.directory.database._schema import (
    DERIVED_TABLES,
    PHONE_INDEX,
    REVISION,
    REVISION_TABLE,
    contacts,
    groups,
    metadata,
    receipts,
    tenants,
)

_SHADOW_TABLES = {f"contact_phones_{suffix}" for suffix in ("data", "idx", "config", "docsize", "content")}
_TABLES = {REVISION_TABLE, "contact_phones", *metadata.tables, *_SHADOW_TABLES}
_INDEXES_OF_0001 = {"ix_idempotency_keys_expires", "ix_idempotency_keys_record_id"}
_INDEXES = _INDEXES_OF_0001 | {str(index.name) for table in metadata.tables.values() for index in table.indexes}
_CODE = re.compile(r"\b(CHECK|COLLATE|GENERATED|AS\s*\()", re.IGNORECASE)
_MAX_SEQ = 2**53
_HEX = "[0-9a-f]"
_ID = "-".join(_HEX * length for length in (8, 4, 4, 4, 12))
_DIGIT = "[0-9]"
_TIME = f"{_DIGIT * 4}-{_DIGIT * 2}-{_DIGIT * 2}T{_DIGIT * 2}:{_DIGIT * 2}:{_DIGIT * 2}.{_DIGIT * 6}Z"
_IDS = {(contacts.name, "id"), (contacts.name, "merged_into"), (groups.name, "id"), (receipts.name, "contact_id")}


def schema_faults(connection: sqlite3.Connection, revision: str) -> Iterator[str]:
    """Yield what the schema of a directory's file has that this program did not create, or lacks."""
    connection.execute("PRAGMA trusted_schema = OFF")
    objects = connection.execute("SELECT type, name, rootpage, sql FROM sqlite_master").fetchall()
    kinds = {kind for kind, *_ in objects}
    yield from (f"it has a {kind}" for kind in ("trigger", "view") if kind in kinds)
    names = {kind: {name for each, name, *_ in objects if each == kind} for kind in ("table", "index")}
    if any(not _is_known(name) for name in names["table"]):
        yield "it has a table of another program"
    if any(name not in _INDEXES and not name.startswith("sqlite_autoindex_") for name in names["index"]):
        yield "it has an index of another program"
    if revision == REVISION and not metadata.tables.keys() <= names["table"]:
        yield "it lacks a table"
    pages = [page for _, _, page, _ in objects if page]
    if len(pages) != len(set(pages)):
        yield "two of its tables are stored in the same place"
    for kind, name, _, sql in objects:
        if kind == "table" and name in _TABLES - _SHADOW_TABLES:
            yield from _table_faults(connection, name, sql or "")


def _is_known(name: str) -> bool:
    return name in _TABLES or name in ("sqlite_sequence", "sqlite_stat1")


def _table_faults(connection: sqlite3.Connection, name: str, sql: str) -> Iterator[str]:
    if name == "contact_phones":
        if sql != PHONE_INDEX["sqlite"]:
            yield "its index of phone numbers is not one of this program"
        return
    if re.match(r"\s*CREATE\s+VIRTUAL", sql, re.IGNORECASE):
        yield "it has a virtual table in the place of a table"
        return
    if _CODE.search(sql) or any(hidden for *_, hidden in connection.execute(f"PRAGMA table_xinfo({name})")):
        yield "it has a generated column or a constraint of another program"


def content_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong with the contents of a file whose schema is that of the current revision."""
    try:
        if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            yield "it is damaged"
        elif connection.execute("PRAGMA foreign_key_check").fetchone():
            yield "it has a row that refers to a missing one"
        else:
            yield from _value_faults(connection)
    except sqlite3.Error as exc:  # for example text that is not UTF-8
        yield f"it cannot be read ({getattr(exc, 'sqlite_errorname', None) or type(exc).__name__})"


def _value_faults(connection: sqlite3.Connection) -> Iterator[str]:
    for table in metadata.sorted_tables:
        if table in DERIVED_TABLES:
            continue
        for column in table.columns:
            query = f"SELECT 1 FROM {table.name} WHERE NOT coalesce({_condition(column)}, 0) LIMIT 1"  # noqa: S608
            if connection.execute(query).fetchone():
                yield f"a value of {table.name}.{column.name} is not one of a directory"
        for _ in connection.execute(f"SELECT * FROM {table.name}"):  # noqa: S608 - decodes every text
            pass
    for description, query in _REQUIRED:
        if not connection.execute(query).fetchone():
            yield description


def _condition(column: sa.Column[object]) -> str:
    """Return the SQL condition that each value of a column meets."""
    name = column.name
    parts = [_type_condition(column)]
    if (column.table.name, name) in _IDS:
        parts.append(f"{name} GLOB '{_ID}'")
    if name.endswith("_at"):
        parts.append(f"{name} GLOB '{_TIME}' AND datetime({name}) IS NOT NULL")
    if name == "type":
        parts.append("type IN ('person', 'company')")
    condition = " AND ".join(f"({part})" for part in parts)
    return f"{name} IS NULL OR ({condition})" if column.nullable else condition


def _type_condition(column: sa.Column[object]) -> str:
    name, kind = column.name, column.type
    if isinstance(kind, sa.JSON):
        return f"typeof({name}) = 'text' AND json_valid({name}) AND json_type({name}) = 'array'"
    if isinstance(kind, sa.String):
        length = f" AND length({name}) <= {kind.length}" if kind.length else ""
        return f"typeof({name}) = 'text' AND instr(CAST({name} AS BLOB), x'00') = 0{length}"
    if isinstance(kind, sa.LargeBinary):
        return f"typeof({name}) = 'blob'"
    if isinstance(kind, sa.Float):
        return f"typeof({name}) IN ('real', 'integer')"
    return f"typeof({name}) = 'integer' AND {name} BETWEEN 0 AND {_MAX_SEQ}"


_INCOMPLETE = "erased_at IS NULL AND (name IS NULL OR type IS NULL OR tags IS NULL)"
_REQUIRED = (
    ("it has no owner", f"SELECT 1 FROM {tenants.name} WHERE seq = 1"),  # noqa: S608 - constants
    (
        "it does not have one end of its receipts",
        "SELECT 1 FROM (SELECT count(*) AS n, max(id) AS id FROM receipt_chain) WHERE (n, id) = (1, 1)",
    ),
    (
        "a contact that is not erased lacks its name, type or tags",
        f"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM contacts WHERE {_INCOMPLETE})",  # noqa: S608 - constants
    ),
)
