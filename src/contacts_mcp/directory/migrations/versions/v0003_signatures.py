"""Signatures beside the terms: of two words that many contacts have, those with both are found by the index alone.

The table is made anew and left empty, since what contacts are found by is derived anew after every migration.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TERM = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Put the table of terms with signatures in place of the one without."""
    op.drop_table("contact_terms")
    op.create_table(
        "contact_terms",
        sa.Column("tenant", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(4), primary_key=True),
        sa.Column("term", _TERM, primary_key=True),
        sa.Column("contact_seq", sa.BigInteger, primary_key=True),
        sa.Column("signature", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
