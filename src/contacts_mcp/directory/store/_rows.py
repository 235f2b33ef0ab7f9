"""Write many rows: the driver gets them directly, because SQLAlchemy takes longer per row than the database.

SQLite gets one row after another; PostgreSQL gets all rows in one statement, as an array per column.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable, RowMapping, String, Table, bindparam, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from contacts_mcp.directory._errors import DirectoryNotFound

Row = Mapping[str, Any] | RowMapping
"""Columns by name."""

_MAX_IN_VALUES = 512
_IN_LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, _MAX_IN_VALUES)

T = TypeVar("T")


def require_row(connection: Connection, noun: str, query: Executable, **parameters: Any) -> Row:
    """Return the only row of a query. Raises DirectoryNotFound, which names the `noun`, if there is none."""
    row = connection.execute(query, parameters).mappings().one_or_none()
    if row is None:
        raise DirectoryNotFound(noun)
    return row


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the values in parts for one IN each (see `pad`)."""
    for start in range(0, len(values), _MAX_IN_VALUES):
        yield pad(values[start : start + _MAX_IN_VALUES])


def pad(values: Sequence[T]) -> Sequence[T]:
    """Repeat the last value up to the next usual length: few lengths of IN lists are few statements to prepare."""
    length = next((length for length in _IN_LENGTHS if length >= len(values)), len(values))
    return [*values, *[values[-1]] * (length - len(values))] if values else values


def insert_on_conflict(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT with the methods for ON CONFLICT."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def insert_with_seq(connection: Connection, table: Table, rows: Sequence[Row]) -> Sequence[int]:
    """Insert rows with the same columns into a table that numbers them; return the `seq` of each."""
    if len(rows) == 1:
        return [connection.execute(_insert_returning_seq(table), {**rows[0]}).scalar_one()]
    seqs = _reserve_seqs(connection, table, len(rows))
    names = ["seq", *(name for name in table.columns.keys() if name in rows[0])]  # noqa: SIM118 - not a mapping
    values = ([seq, *(row[name] for name in names[1:])] for seq, row in zip(seqs, rows, strict=True))
    insert_tuples(connection, table, values, names)
    return seqs


@lru_cache
def _insert_returning_seq(table: Table) -> Executable:
    return insert(table).returning(table.c.seq)


def _reserve_seqs(connection: Connection, table: Table, number: int) -> Sequence[int]:
    if connection.dialect.name == "sqlite":  # there is only one writer
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
    connection: Connection,
    table: Table,
    rows: Iterable[Sequence[Any]],
    names: Sequence[str] | None = None,
    *,
    on_conflict: str = "",
) -> None:
    """Insert rows whose values are in the order of the table's columns, or of the columns with these `names`."""
    columns = [table.columns[name] for name in names or table.columns.keys()]
    processors = [column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for column in columns]
    values = [tuple(row) for row in rows]
    if values and any(processors):
        by_column = zip(processors, zip(*values, strict=True), strict=True)
        values = list(zip(*(map(process, column) if process else column for process, column in by_column), strict=True))
    if values:
        statement = _insert_statement(table, tuple(column.key for column in columns), connection.dialect, on_conflict)
        as_arrays = connection.dialect.name == "postgresql"
        connection.exec_driver_sql(statement, tuple(map(list, zip(*values, strict=True))) if as_arrays else values)


@lru_cache(maxsize=32)
def _insert_statement(table: Table, names: tuple[str, ...], dialect: Dialect, on_conflict: str) -> str:
    ending = f" ON CONFLICT {on_conflict}" if on_conflict else ""
    new = insert(table).inline()
    if dialect.name == "sqlite":
        return str(new.compile(dialect=dialect, column_keys=names)) + ending
    arrays = (bindparam(name, type_=postgresql.ARRAY(_without_length(table.columns[name].type))) for name in names)
    rows = func.unnest(*arrays).table_valued(*names, name="new").render_derived()
    return str(new.from_select(names, select(rows)).compile(dialect=dialect)) + ending


def _without_length(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """A cast to a text of limited length truncates the text; the column would refuse it."""
    return String() if isinstance(type_, String) else type_
