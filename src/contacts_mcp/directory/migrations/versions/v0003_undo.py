"""The tables of bulk updates that can be undone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables; they are empty, so it takes no time."""
    op.create_table(
        "undo_receipts",
        sa.Column("tenant", sa.Integer, sa.ForeignKey("tenants.seq"), primary_key=True),
        sa.Column("receipt_hash", sa.String(64), primary_key=True),
        sa.Column("contacts", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("is_full", sa.Boolean, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "undo_entries",
        sa.Column("tenant", sa.Integer, sa.ForeignKey("tenants.seq"), primary_key=True),
        sa.Column("receipt_hash", sa.String(64), primary_key=True),
        sa.Column("contact_seq", sa.BigInteger, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("undo_entries_of", "undo_entries", ["tenant", "contact_seq"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE undo_entries ALTER sealed SET STATISTICS 0")
