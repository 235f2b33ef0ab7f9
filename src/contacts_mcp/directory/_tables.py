"""The tables. `seq` counts up and never repeats, so that order is total and lasts; `id` is what the API shows.

Times are text as the API writes them (RFC 3339, UTC, microseconds, `Z`), which sorts as time does.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION = 1

metadata = MetaData()


def _seq() -> Column[int]:
    return Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


contacts = Table(
    "contacts",
    metadata,
    _seq(),
    Column("id", String(36), nullable=False, unique=True),
    # From here to notes: null once erased.
    Column("type", String(7)),
    Column("name", String(255)),
    Column("company_name", String(255)),
    Column("phone_number", String(64)),
    Column("phone_digits", String(64)),
    Column("email", String(320)),
    Column("tags", JSON(none_as_null=True)),
    Column("notes", String),
    Column("created_at", String(27), nullable=False),
    Column("updated_at", String(27), nullable=False),
    Column("deleted_at", String(27)),
    Column("erased_at", String(27)),
    Column("erasure_reason", String(1000)),
    Column("erased_fields", JSON(none_as_null=True)),
    sqlite_autoincrement=True,
)
_live = text("deleted_at IS NULL")
_where_live: dict[str, Any] = {"sqlite_where": _live, "postgresql_where": _live}
Index("contacts_live", contacts.c.type, contacts.c.seq, **_where_live)  # counts
Index("contacts_live_phones", contacts.c.phone_digits, contacts.c.seq, **_where_live)  # fragments of numbers

contact_terms = Table(
    "contact_terms",
    metadata,
    Column("kind", String(4), primary_key=True),
    Column("term", String, primary_key=True),
    Column("contact_seq", ForeignKey(contacts.c.seq), primary_key=True),
    sqlite_with_rowid=False,
)
"""What a live contact is found by: folded words (kind `word`) and case-folded tags (kind `tag`)."""
Index("contact_terms_of", contact_terms.c.contact_seq, contact_terms.c.kind, contact_terms.c.term)

groups = Table(
    "contact_groups",
    metadata,
    _seq(),
    Column("id", String(36), nullable=False, unique=True),
    Column("name", String(255), nullable=False),
    Column("description", String),
    Column("created_at", String(27), nullable=False),
    sqlite_autoincrement=True,
)

memberships = Table(
    "memberships",
    metadata,
    _seq(),  # the order of joining
    Column("group_seq", ForeignKey(groups.c.seq), nullable=False),
    Column("contact_seq", ForeignKey(contacts.c.seq), nullable=False),
    UniqueConstraint("group_seq", "contact_seq"),
    sqlite_autoincrement=True,
)
"""Live contacts in groups; a contact that is deleted or erased has left."""
Index("memberships_of", memberships.c.contact_seq)

spent = Table(
    "spent",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("expires", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""What may be presented once among all who share the directory, until it expires (seconds since 1970)."""
