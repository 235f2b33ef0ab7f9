"""The contact that a deleted one was merged into, and the time when a key was last used.

The last development versions wrote revision 0001 with these columns, so only missing ones are added.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add both columns and the index of merged contacts."""
    _add_missing("api_keys", sa.Column("last_used_at", sa.String(27)))
    _add_missing("contacts", sa.Column("merged_into", sa.String(36)))
    condition = sa.text("merged_into IS NOT NULL")
    op.create_index(
        "contacts_merged",
        "contacts",
        ["tenant", "merged_into"],
        sqlite_where=condition,
        postgresql_where=condition,
        if_not_exists=True,
    )


def _add_missing(table: str, column: sa.Column[str]) -> None:
    if column.name not in {each["name"] for each in sa.inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)
