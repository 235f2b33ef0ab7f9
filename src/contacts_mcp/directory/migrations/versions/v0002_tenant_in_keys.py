"""The tenant in every key, the contact that a deleted one was merged into, and the time when an API key was last used.

The last development versions wrote revision 0001 with both columns, so only missing ones are added.
Memberships get the tenant of their group; one between tenants, which `check` would have reported, is left out.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_REBUILT = ("contacts", "contact_groups", "memberships")  # in the order of their references
_DROPPED_INDEXES = (
    *("contacts_live", "contacts_deleted", "contacts_merged", "memberships_of"),
    *("ix_contact_groups_tenant", "ix_idempotency_keys_expires", "ix_idempotency_keys_record_id"),
)
_INDEXES = (
    "CREATE INDEX contacts_live ON contacts (tenant, seq, type) WHERE deleted_at IS NULL",
    "CREATE INDEX contacts_deleted ON contacts (tenant, deleted_at) WHERE deleted_at IS NOT NULL",
    "CREATE INDEX contacts_merged ON contacts (tenant, merged_into) WHERE merged_into IS NOT NULL",
    "CREATE INDEX ix_contact_groups_tenant ON contact_groups (tenant)",
    "CREATE INDEX memberships_of ON memberships (tenant, contact_seq)",
    "CREATE INDEX idempotency_keys_of ON idempotency_keys (tenant, record_id)",
    "CREATE INDEX idempotency_keys_expire ON idempotency_keys (tenant, expires)",
)

_POSTGRES = """
ALTER TABLE memberships ADD COLUMN tenant INTEGER;
UPDATE memberships SET tenant = g.tenant FROM contact_groups AS g, contacts AS c
    WHERE g.seq = group_seq AND c.seq = contact_seq AND c.tenant = g.tenant;
DELETE FROM memberships WHERE tenant IS NULL;
ALTER TABLE memberships ALTER tenant SET NOT NULL,
    DROP CONSTRAINT memberships_group_seq_fkey, DROP CONSTRAINT memberships_contact_seq_fkey,
    DROP CONSTRAINT memberships_group_seq_contact_seq_key, DROP CONSTRAINT memberships_pkey;
ALTER TABLE contacts DROP CONSTRAINT contacts_pkey, DROP CONSTRAINT contacts_id_key,
    ADD PRIMARY KEY (tenant, seq), ADD UNIQUE (id, tenant);
ALTER TABLE contact_groups DROP CONSTRAINT contact_groups_pkey, DROP CONSTRAINT contact_groups_id_key,
    ADD PRIMARY KEY (tenant, seq), ADD UNIQUE (id, tenant);
ALTER TABLE memberships ADD PRIMARY KEY (tenant, seq), ADD UNIQUE (tenant, group_seq, contact_seq),
    ADD FOREIGN KEY (tenant, group_seq) REFERENCES contact_groups (tenant, seq),
    ADD FOREIGN KEY (tenant, contact_seq) REFERENCES contacts (tenant, seq)
"""

_SQLITE_TABLES = """
CREATE TABLE contacts (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    id VARCHAR(36) NOT NULL,
    type VARCHAR(7),
    name VARCHAR(255),
    company_name VARCHAR(255),
    phone_number VARCHAR(64),
    phone_digits VARCHAR,
    email VARCHAR(320),
    tags JSON,
    words VARCHAR,
    notes VARCHAR,
    created_at VARCHAR(27) NOT NULL,
    updated_at VARCHAR(27) NOT NULL,
    deleted_at VARCHAR(27),
    erased_at VARCHAR(27),
    merged_into VARCHAR(36),
    UNIQUE (id, tenant),
    UNIQUE (seq, tenant),
    FOREIGN KEY(tenant) REFERENCES tenants (seq)
);
CREATE TABLE contact_groups (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    id VARCHAR(36) NOT NULL,
    name VARCHAR(255) NOT NULL,
    description VARCHAR,
    created_at VARCHAR(27) NOT NULL,
    previous_name VARCHAR(255),
    renamed_at VARCHAR(27),
    UNIQUE (id, tenant),
    UNIQUE (seq, tenant),
    FOREIGN KEY(tenant) REFERENCES tenants (seq)
);
CREATE TABLE memberships (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    group_seq INTEGER NOT NULL,
    contact_seq INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    UNIQUE (tenant, group_seq, contact_seq),
    FOREIGN KEY(tenant, group_seq) REFERENCES contact_groups (tenant, seq),
    FOREIGN KEY(tenant, contact_seq) REFERENCES contacts (tenant, seq)
)
"""


def upgrade() -> None:
    """Add the columns, and replace the keys and indexes. The time it takes grows with the number of rows."""
    _add_missing("api_keys", sa.Column("last_used_at", sa.String(27)))
    _add_missing("contacts", sa.Column("merged_into", sa.String(36)))
    for index in _DROPPED_INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {index}")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _rebuild_on_sqlite() if is_sqlite else _POSTGRES.split(";"):
        op.execute(statement)
    for statement in _INDEXES:
        op.execute(statement)


def _add_missing(table: str, column: sa.Column[str]) -> None:
    if column.name not in _columns(table):
        op.add_column(table, column)


def _columns(table: str) -> list[str]:
    return [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]


def _rebuild_on_sqlite() -> Iterator[str]:
    """Yield the statements that copy the rows into new tables, because SQLite cannot change the keys of a table."""
    for table in _REBUILT:
        yield f"ALTER TABLE {table} RENAME TO old_{table}"
    yield from _SQLITE_TABLES.split(";")
    for table in ("contacts", "contact_groups"):
        columns = ", ".join(_columns(f"old_{table}"))
        yield f"INSERT INTO {table} ({columns}) SELECT {columns} FROM old_{table} ORDER BY seq"  # noqa: S608 - constants
    yield (
        "INSERT INTO memberships (seq, group_seq, contact_seq, tenant)"
        " SELECT m.seq, m.group_seq, m.contact_seq, g.tenant FROM old_memberships AS m"
        " JOIN contact_groups AS g ON g.seq = m.group_seq"
        " JOIN contacts AS c ON c.seq = m.contact_seq AND c.tenant = g.tenant ORDER BY m.seq"
    )
    for table in reversed(_REBUILT):
        # The numbers go on from the highest that was ever used, also if its row was deleted.
        yield f"DELETE FROM sqlite_sequence WHERE name = '{table}'"  # noqa: S608 - constants
        yield f"UPDATE sqlite_sequence SET name = '{table}' WHERE name = 'old_{table}'"  # noqa: S608 - constants
        yield f"DROP TABLE old_{table}"
