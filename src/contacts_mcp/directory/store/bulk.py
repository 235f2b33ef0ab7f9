"""Writing many rows: the driver gets them as they are, since SQLAlchemy would take longer for each than the database.

SQLite gets one row after another; PostgreSQL gets all in one statement, an array for each column.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable, String, Table, bindparam, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from contacts_mcp.directory.store.rows import Row

_TOGETHER = 512
"""Values of one IN at most: each number of them is a statement of its own to prepare."""

_LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

T = TypeVar("T")


def within(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, as many at a time as fit in a statement."""
    for start in range(0, len(values), _TOGETHER):
        yield padded(values[start : start + _TOGETHER])


def padded(values: Sequence[T]) -> Sequence[T]:
    """The values for an IN, the last one repeated: lists of few lengths are few statements to prepare."""
    length = next((each for each in _LENGTHS if each >= len(values)), len(values))
    return [*values, *[values[-1]] * (length - len(values))] if values else values


def upsert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what to do where the row is there already."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_counted(connection: Connection, table: Table, rows: Sequence[Row]) -> Sequence[int]:
    """Insert rows, all of which have the same columns, into a table that counts them up; the `seq` of each."""
    if len(rows) == 1:
        return [connection.execute(_counting(table), {**rows[0]}).scalar_one()]
    seqs = _next_seqs(connection, table, len(rows))
    names = ["seq", *(name for name in table.columns.keys() if name in rows[0])]  # noqa: SIM118 - a collection, no mapping
    written = ([seq, *(row[name] for name in names[1:])] for seq, row in zip(seqs, rows, strict=True))
    insert_tuples(connection, table, written, names)
    return seqs


@lru_cache
def _counting(table: Table) -> Executable:
    return insert(table).returning(table.c.seq)


def _next_seqs(connection: Connection, table: Table, number: int) -> Sequence[int]:
    """Places for new rows, which nobody else gets."""
    if connection.dialect.name == "sqlite":  # whoever writes is alone
        last = connection.execute(_LAST_SEQ, {"table": table.name}).scalar() or 0
        return range(last + 1, last + 1 + number)
    return connection.execute(_NEXT_SEQS, {"sequence": f"{table.name}_seq_seq", "number": number}).scalars().all()


_LAST_SEQ = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
_NEXT_SEQS = text("SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :number)")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that have all columns of the table."""
    names = table.columns.keys()
    insert_tuples(connection, table, ([row[name] for name in names] for row in rows))


def insert_tuples(
    connection: Connection, table: Table, rows: Iterable[Sequence[Any]], names: Sequence[str] | None = None
) -> None:
    """Insert rows whose values stand in the order of the table's columns, or of those with these `names`."""
    _insert(connection, table, rows, names)


def insert_missing(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Insert those rows that are not there, by whatever is unique in them."""
    _insert(connection, table, rows, where_there="DO NOTHING")


def add_up(connection: Connection, table: Table, number: str, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows with different keys; what is in the column `number` is added to that of a row that is there."""
    key = ", ".join(column.name for column in table.primary_key)
    extension = f"({key}) DO UPDATE SET {number} = {table.name}.{number} + excluded.{number}"
    _insert(connection, table, rows, where_there=extension)


def _insert(
    connection: Connection,
    table: Table,
    rows: Iterable[Sequence[Any]],
    names: Sequence[str] | None = None,
    *,
    where_there: str = "",
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
        statement = _statement(table, tuple(column.key for column in columns), connection.dialect, where_there)
        arrays = connection.dialect.name == "postgresql"
        connection.exec_driver_sql(statement, tuple(map(list, zip(*written, strict=True))) if arrays else written)


@lru_cache(maxsize=32)
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect, where_there: str) -> str:
    ending = f" ON CONFLICT {where_there}" if where_there else ""
    new = insert(table).inline()
    if dialect.name == "sqlite":
        return str(new.compile(dialect=dialect, column_keys=names)) + ending
    arrays = (bindparam(name, type_=postgresql.ARRAY(_unbounded(table.columns[name].type))) for name in names)
    rows = func.unnest(*arrays).table_valued(*names, name="new").render_derived()
    return str(new.from_select(names, select(rows)).compile(dialect=dialect)) + ending


def _unbounded(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """A text that is cast to a length is cut to it, where the column would refuse it."""
    return String() if isinstance(type_, String) else type_
