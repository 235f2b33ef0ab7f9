"""The SQL statements that a program executes, and whether each of them says which tenant's rows it means."""

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import sqlglot
from sqlalchemy import Engine, event
from sqlglot import exp

_QUERY = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_SCOPES = (exp.Select, exp.Update, exp.Delete)


class Statement(NamedTuple):
    """A statement, and the functions of a package that led to it as `module.function`, the innermost first.

    A function in a function has the name of the outer one.
    """

    sql: str
    dialect: str
    callers: tuple[str, ...]


@contextmanager
def record_statements(package: str) -> Iterator[list[Statement]]:
    """Record every statement of every SQLAlchemy engine, with its callers in this package."""
    recorded: list[Statement] = []

    def record(connection, _cursor, statement, *_):
        recorded.append(Statement(statement, connection.dialect.name, tuple(_callers(package))))

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield recorded
    finally:
        event.remove(Engine, "before_cursor_execute", record)


def _callers(package: str) -> Iterator[str]:
    frame = sys._getframe(2)
    while frame := frame.f_back:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(f"{package}."):
            function = frame.f_code.co_qualname.partition(".<locals>")[0]
            yield f"{module.removeprefix(f'{package}.')}.{function}"


def tables_without_tenant(sql: str, dialect: str, tables: Collection[str]) -> list[str]:
    """List those of these tables that a statement reads or writes without saying of which tenant.

    A table has a tenant if its column `tenant` must equal a parameter, or the tenant of another table that has one, in
    the same query or around it; if rows are inserted, if `tenant` is among the columns. A statement that is not a query
    and names a table, such as LOCK, has none.
    """
    if not _QUERY.match(sql):
        return sorted({*tables}.intersection(re.findall(r"\w+", sql)))
    # The parser takes two parameters of PostgreSQL for the ends of a quoted text, in some places.
    tree = sqlglot.parse_one(re.sub(r"\$\d+", "0", sql), {"postgresql": "postgres"}.get(dialect, dialect))
    return [*_inserted(tree, tables), *_unbound(tree, tables)]


def _inserted(tree: exp.Expression, tables: Collection[str]) -> Iterator[str]:
    for insert in tree.find_all(exp.Insert):
        columns = [each.name for each in insert.this.expressions] if isinstance(insert.this, exp.Schema) else []
        if insert.find(exp.Table).name in tables and "tenant" not in columns:
            yield insert.find(exp.Table).name


def _unbound(tree: exp.Expression, tables: Collection[str]) -> Iterator[str]:
    scopes = list(tree.find_all(*_SCOPES))
    bound: set[tuple[int, str]] = set()
    while new := {each for scope in scopes for each in _bind(scope, bound)} - bound:
        bound |= new
    for scope in scopes:
        for table in _tables(scope):
            if table.name in tables and (id(scope), table.alias_or_name) not in bound:
                yield table.name


def _tables(scope: exp.Expression) -> Sequence[exp.Table]:
    return [table for table in scope.find_all(exp.Table) if table.find_ancestor(*_SCOPES, exp.Insert) is scope]


def _bind(scope: exp.Expression, bound: set[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the tables of a query whose tenant follows from its conditions, given those that are known already."""
    conditions = [scope.args.get("where"), *(join.args.get("on") for join in scope.args.get("joins") or ())]
    for condition in filter(None, conditions):
        root = condition.this if isinstance(condition, exp.Where) else condition
        for each in root.flatten() if isinstance(root, exp.And) else [root]:
            if isinstance(each.unnest(), exp.EQ):
                left, right = each.unnest().this, each.unnest().expression
                for column, value in ((left, right), (right, left)):
                    if _is_tenant(column) and _is_known(value, scope, bound):
                        yield id(scope), column.table or _tables(scope)[0].alias_or_name


def _is_tenant(value: exp.Expression) -> bool:
    return isinstance(value, exp.Column) and value.name == "tenant"


def _is_known(value: exp.Expression, scope: exp.Expression | None, bound: set[tuple[int, str]]) -> bool:
    value = value.this if isinstance(value, exp.Cast) else value
    if isinstance(value, exp.Placeholder | exp.Parameter | exp.Literal):
        return True
    while _is_tenant(value) and scope:
        if (id(scope), value.table) in bound:
            return True
        scope = scope.find_ancestor(*_SCOPES)
    return False
