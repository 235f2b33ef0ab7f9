"""The table of questions that a person decides."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table; it is empty, so it takes no time."""
    op.create_table(
        "approvals",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_approvals_expires", "approvals", ["expires"])
