"""Inserting many rows: the driver gets tuples, since SQLAlchemy would spend more on each row than the database does."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, all of which have the same columns."""
    if rows:
        names = [name for name in table.columns.keys() if name in rows[0]]  # noqa: SIM118 - a collection, no mapping
        insert_tuples(connection, table, ([row[name] for name in names] for row in rows), names)


def insert_tuples(
    connection: Connection, table: Table, rows: Iterable[Sequence[Any]], names: Sequence[str] | None = None
) -> None:
    """Insert rows whose values stand in the order of the table's columns, or of those with these `names`."""
    columns = [table.columns[name] for name in names or table.columns.keys()]
    processors = [column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for column in columns]
    written = [tuple(row) for row in rows]
    if any(processors):
        written = [
            tuple(process(value) if process else value for process, value in zip(processors, row, strict=True))
            for row in written
        ]
    if written:
        connection.exec_driver_sql(
            _statement(table, tuple(column.key for column in columns), connection.dialect), written
        )


@lru_cache(maxsize=16)
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    return str(insert(table).compile(dialect=dialect, column_keys=names))
