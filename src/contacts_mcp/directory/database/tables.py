"""The tables. `seq` counts up and never repeats, so that order is total and lasts; `id` is what the API shows.

Times are text as the API writes them (RFC 3339, UTC, microseconds, `Z`), which sorts as time does. What stands below
`groups` is derived from what stands above it, and is written anew after a migration.
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
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

OWNER = 1
"""The tenant that is always there: whoever works without a key."""

metadata = MetaData()

_JSON = JSON(none_as_null=True)
_TERM = String().with_variant(String(collation="C"), "postgresql")  # compared byte by byte, as SQLite does


def _seq() -> Column[int]:
    return Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def _tenant(**options: Any) -> Column[int]:
    return Column("tenant", ForeignKey("tenants.seq"), nullable=False, **options)


tenants = Table(
    "tenants",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("created_at", String(27), nullable=False),
)

contacts = Table(
    "contacts",
    metadata,
    _seq(),
    _tenant(),
    Column("id", String(36), nullable=False, unique=True),
    # From here to notes: null once erased.
    Column("type", String(7)),
    Column("name", String(255)),
    Column("company_name", String(255)),
    Column("phone_number", String(64)),
    Column("phone_digits", String),
    Column("email", String(320)),
    Column("tags", _JSON),
    Column("words", String),  # between spaces: what the contact is found by, for those found by something else first
    Column("notes", String),
    Column("created_at", String(27), nullable=False),
    Column("updated_at", String(27), nullable=False),
    Column("deleted_at", String(27)),
    Column("erased_at", String(27)),
    sqlite_autoincrement=True,
)
_live = text("deleted_at IS NULL")
_where_live: dict[str, Any] = {"sqlite_where": _live, "postgresql_where": _live}
Index("contacts_live", contacts.c.tenant, contacts.c.seq, contacts.c.type, **_where_live)  # pages
Index(
    "contacts_deleted",
    contacts.c.tenant,
    contacts.c.deleted_at,
    sqlite_where=text("deleted_at IS NOT NULL"),
    postgresql_where=text("deleted_at IS NOT NULL"),
)

groups = Table(
    "contact_groups",
    metadata,
    _seq(),
    _tenant(index=True),
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

receipts = Table(
    "receipts",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("contact_id", String(36), nullable=False, unique=True),
    Column("tenant", Integer, nullable=False),
    Column("erased_at", String(27), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("fields", _JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""What is kept of each erasure: 1, 2, 3 and so on, each with the hash of the one before."""

chain = Table(
    "receipt_chain",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("length", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row: the end of the chain, which whoever adds to it locks."""

keys = Table(
    "api_keys",
    metadata,
    Column("seq", Integer, primary_key=True),
    _tenant(),
    Column("prefix", String(16), nullable=False, unique=True),
    Column("hash", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("scopes", _JSON, nullable=False),
    Column("created_at", String(27), nullable=False),
    Column("revoked_at", String(27)),
)
"""Who may use the served API. Of the key itself only its beginning and its hash are kept."""

spent = Table(
    "spent",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("expires", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""What may be presented once among all who share the directory, until it expires (seconds since 1970)."""

created = Table(
    "created",
    metadata,
    _tenant(primary_key=True),
    Column("key", String(64), primary_key=True),  # the hash of an Idempotency-Key
    Column("body", String(64), nullable=False),  # the hash of both, so that it says nothing of the contact
    Column("made", String(36), nullable=False, index=True),
    Column("expires", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""What was created by requests with an `Idempotency-Key`, until it expires (seconds since 1970)."""

terms = Table(
    "contact_terms",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", String(4), primary_key=True),
    Column("term", _TERM, primary_key=True),
    Column("contact_seq", BigInteger, primary_key=True),
    Column(
        "signature", BigInteger, primary_key=True
    ),  # of the contact's words, so that the index answers (see `words`)
    sqlite_with_rowid=False,
)
"""What a live contact is found by: folded words (kind `word`), their beginnings (`head`), case-folded tags (`tag`), and
what its number ends in (`end`)."""

spellings = Table(
    "spellings",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("form", _TERM, primary_key=True),
    Column("word", _TERM, primary_key=True),
    sqlite_with_rowid=False,
)
"""The words of names, under every form they take with letters left out; the word itself is one of the forms."""

tallies = Table(
    "tallies",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", String(4), primary_key=True),
    Column("term", _TERM, primary_key=True),
    Column("slot", SmallInteger, primary_key=True),  # of several, so that writers do not wait for each other
    Column("live", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many live contacts are of a type (kind `type`) or have a tag (kind `tag`): the sum of all slots."""

DERIVED = (terms, spellings, tallies)
"""And, on SQLite, the index of phone numbers (see `schema`)."""
