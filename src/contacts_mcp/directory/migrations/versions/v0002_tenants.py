"""Tenants and their keys, receipts of erasures in a chain, and search among a million.

The tables are made anew, under the names they had, and the rows moved over: nearly every column's type or constraint
changes. What contacts are found by is left empty, since it is derived anew after every migration.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

from contacts_mcp.directory.store.receipts import hash_of

revision = "0002"
down_revision = "0001"

_MOVED = ("contacts", "contact_groups", "memberships")
_OWNER = 1
_FIRST_MOMENT = "2025-01-01T00:00:00.000000Z"

Rows = Sequence[Mapping[Any, Any]]


def upgrade() -> None:
    """Move everything to the first tenant, and what was kept of erasures into the chain."""
    connection = op.get_bind()
    old = sa.MetaData()
    old.reflect(connection, only=_MOVED)
    kept = {name: connection.execute(sa.select(old.tables[name])).mappings().all() for name in _MOVED}
    for name in ("memberships", "contact_terms", "contact_groups", "contacts"):
        op.drop_table(name)
    connection.execute(sa.text("DROP TABLE IF EXISTS spent"))
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    for statement in Path(__file__).with_name(f"0002.{connection.dialect.name}.sql").read_text().split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    new = sa.MetaData()
    new.reflect(connection)
    new.tables["contacts"].c.tags.type = sa.JSON(none_as_null=True)
    _move(connection, new.tables, kept)


def _move(connection: sa.Connection, tables: Mapping[str, sa.Table], kept: Mapping[str, Rows]) -> None:
    began = min((row["created_at"] for row in kept["contacts"]), default=_FIRST_MOMENT)
    connection.execute(sa.insert(tables["tenants"]).values(seq=_OWNER, name="owner", created_at=began))
    for name in _MOVED:
        columns = [name for name in tables[name].columns.keys() if name != "words"]  # noqa: SIM118 - no mapping
        rows = [{key: {**row, "tenant": _OWNER}[key] for key in columns} for row in kept[name]]
        if rows:
            connection.execute(sa.insert(tables[name]), rows)
    receipts = _chained([row for row in kept["contacts"] if row["erased_at"]])
    if receipts:
        connection.execute(sa.insert(tables["receipts"]), receipts)
    last = receipts[-1]["hash"] if receipts else ""
    connection.execute(sa.insert(tables["receipt_chain"]).values(one=1, length=len(receipts), hash=last))


def _chained(erased: Rows) -> list[dict[str, Any]]:
    """What the rows of erased contacts kept, as receipts in the order of their time."""
    receipts: list[dict[str, Any]] = []
    for row in sorted(erased, key=lambda row: (row["erased_at"], row["seq"])):
        receipt = {
            "seq": len(receipts) + 1,
            "contact_id": row["id"],
            "tenant": _OWNER,
            "erased_at": row["erased_at"],
            "actor": "embedded",
            "reason": row["erasure_reason"],
            "fields": row["erased_fields"],
            "previous": receipts[-1]["hash"] if receipts else "",
        }
        receipts.append({**receipt, "hash": hash_of(receipt)})
    return receipts
