"""Contacts, groups and members of one person: the schema that files had before revisions were noted."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create what a new database lacks. Files of this revision are told by having no note of it."""
    op.create_table(
        "contacts",
        sa.Column("seq", _SEQ, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        *(sa.Column(name, sa.String) for name in ("type", "name", "company_name", "phone_number", "phone_digits")),
        *(sa.Column(name, kind) for name, kind in (("email", sa.String), ("tags", sa.JSON), ("notes", sa.String))),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("updated_at", sa.String(27), nullable=False),
        *(sa.Column(name, sa.String) for name in ("deleted_at", "erased_at", "erasure_reason")),
        sa.Column("erased_fields", sa.JSON),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "contact_terms",
        sa.Column("kind", sa.String(4), primary_key=True),
        sa.Column("term", sa.String, primary_key=True),
        sa.Column("contact_seq", sa.ForeignKey("contacts.seq"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contact_groups",
        sa.Column("seq", _SEQ, primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.String),
        sa.Column("created_at", sa.String(27), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "memberships",
        sa.Column("seq", _SEQ, primary_key=True),
        sa.Column("group_seq", sa.ForeignKey("contact_groups.seq"), nullable=False),
        sa.Column("contact_seq", sa.ForeignKey("contacts.seq"), nullable=False),
        sa.UniqueConstraint("group_seq", "contact_seq"),
        sqlite_autoincrement=True,
    )
