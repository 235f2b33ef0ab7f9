"""Writing many rows: the driver gets tuples, since SQLAlchemy would spend more on each row than the database does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

_TOGETHER = 500
"""Values of one IN at most: each number of them is a statement of its own to prepare."""

T = TypeVar("T")


def within(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, as many at a time as fit in a statement."""
    for start in range(0, len(values), _TOGETHER):
        yield values[start : start + _TOGETHER]


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that says what to do where the row is there already."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, all of which have the same columns."""
    if rows:
        names = [name for name in table.columns.keys() if name in rows[0]]  # noqa: SIM118 - a collection, no mapping
        insert_tuples(connection, table, ([row[name] for name in names] for row in rows), names)


def insert_tuples(
    connection: Connection, table: Table, rows: Iterable[Sequence[Any]], names: Sequence[str] | None = None
) -> None:
    """Insert rows whose values stand in the order of the table's columns, or of those with these `names`."""
    _insert(connection, table, rows, names, missing=False)


def insert_missing(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Insert those rows that are not there, by whatever is unique in them."""
    _insert(connection, table, rows, None, missing=True)


def _insert(
    connection: Connection, table: Table, rows: Iterable[Sequence[Any]], names: Sequence[str] | None, *, missing: bool
) -> None:
    columns = [table.columns[name] for name in names or table.columns.keys()]
    processors = [column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for column in columns]
    written = [tuple(row) for row in rows]
    if any(processors):
        written = [
            tuple(process(value) if process else value for process, value in zip(processors, row, strict=True))
            for row in written
        ]
    if written:
        names = tuple(column.key for column in columns)
        connection.exec_driver_sql(_statement(table, names, connection.dialect, missing=missing), written)


@lru_cache(maxsize=32)
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect, *, missing: bool) -> str:
    ending = " ON CONFLICT DO NOTHING" if missing else ""
    return str(insert(table).inline().compile(dialect=dialect, column_keys=names)) + ending
