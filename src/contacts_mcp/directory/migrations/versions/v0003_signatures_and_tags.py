"""Signatures beside the terms, so that an index tells who may have two words; tallies of tags beside those of types.

The tables are made anew and left empty, since what contacts are found by is derived anew after every migration.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TERM = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Put tables with the new columns in place of those without."""
    op.drop_table("contact_terms")
    op.drop_table("tallies")
    op.create_table(
        "contact_terms",
        sa.Column("tenant", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(4), primary_key=True),
        sa.Column("term", _TERM, primary_key=True),
        sa.Column("contact_seq", sa.BigInteger, primary_key=True),
        sa.Column("signature", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tallies",
        sa.Column("tenant", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(4), primary_key=True),
        sa.Column("term", _TERM, primary_key=True),
        sa.Column("slot", sa.SmallInteger, primary_key=True),
        sa.Column("live", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
