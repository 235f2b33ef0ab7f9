"""The tables. `seq` counts up and never repeats, so that the order is total and lasts; `id` is what the API shows.

Times are text as the API writes them (RFC 3339, UTC, microseconds, `Z`), which sorts as time does. `DERIVED_TABLES`
are derived from the rows of the others, and rebuilt after a migration.

A change of the tables needs a new revision: change this module, raise `REVISION`, add a script to `migrations/versions`
and add the new schema to the snapshots of tests/directory/maintenance.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
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
from sqlalchemy.schema import CreateIndex, CreateTable

from contacts_mcp.directory._errors import DirectoryUnavailable

REVISION = "0001"
"""The revision that `migrations` leads to. Revisions sort in their order."""

REVISION_TABLE = "directory_revision"

OWNER = 1
"""The tenant that always exists: callers without an API key."""

metadata = MetaData()

_JSON = JSON(none_as_null=True)
_TERM = String().with_variant(String(collation="C"), "postgresql")  # compared by bytes, as SQLite does


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
    # Null after an erasure, from here to `notes`:
    Column("type", String(7)),
    Column("name", String(255)),
    Column("company_name", String(255)),
    Column("phone_number", String(64)),
    Column("phone_digits", String),
    Column("email", String(320)),
    Column("tags", _JSON),
    Column("words", String),  # the contact's index words between spaces, to check them without `contact_terms`
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
    _seq(),  # the order in which members joined
    Column("group_seq", ForeignKey(groups.c.seq), nullable=False),
    Column("contact_seq", ForeignKey(contacts.c.seq), nullable=False),
    UniqueConstraint("group_seq", "contact_seq"),
    sqlite_autoincrement=True,
)
"""Live contacts in groups; deleted and erased contacts leave every group."""
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
"""One receipt per erasure, numbered from 1, in a hash chain."""

receipt_chain = Table(
    "receipt_chain",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("length", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row: the end of the hash chain. A transaction that adds a receipt locks it."""

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
"""Keys of the served API. Of the key itself only the prefix and the hash are stored."""

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("expires", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""Nonces that were used, until they expire (seconds since 1970)."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _tenant(primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("request_hash", String(64), nullable=False),  # of key and body together, so that it reveals no value
    Column("record_id", String(36), nullable=False, index=True),
    Column("expires", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""Records that requests with an `Idempotency-Key` created, until the key expires (seconds since 1970)."""

terms = Table(
    "contact_terms",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", String(4), primary_key=True),
    Column("term", _TERM, primary_key=True),
    Column("contact_seq", BigInteger, primary_key=True),
    Column("signature", BigInteger, primary_key=True),  # in the key, so that a query reads only the index
    sqlite_with_rowid=False,
)
"""The inverted index of live contacts: folded words (kind `word`), their three-letter prefixes (`head`), case-folded
tags (`tag`), and the suffixes of phone numbers (`end`). `signature` is a Bloom filter of the contact's prefixes."""

spellings = Table(
    "spellings",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("form", _TERM, primary_key=True),
    Column("word", _TERM, primary_key=True),
    sqlite_with_rowid=False,
)
"""Words of names under each of their deletion variants (SymSpell); the word itself is one of the variants."""

counters = Table(
    "counters",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("kind", String(4), primary_key=True),
    Column("term", _TERM, primary_key=True),
    Column("slot", SmallInteger, primary_key=True),  # several per number, so that writers do not wait for each other
    Column("live", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The number of live contacts with a type (kind `type`) or a tag (kind `tag`): the sum of all slots."""

DERIVED_TABLES = (terms, spellings, counters)
"""Further derived: on SQLite, the index of phone numbers."""

_PHONE_INDEX = {
    # Pieces of four digits; `store` maintains it. It holds no copy of the digits.
    "sqlite": "CREATE VIRTUAL TABLE contact_phones"
    " USING fts5(digits, content='', detail=none, columnsize=0, tokenize='ascii')",
    "postgresql": "CREATE INDEX contacts_phones ON contacts USING gin (phone_digits gin_trgm_ops)"
    " WHERE deleted_at IS NULL",
}


def now() -> str:
    """Return the current time, such as `2025-01-15T09:30:00.000000Z`."""
    return format_time(datetime.now(UTC))


def now_after(earlier: str) -> str:
    """Return the current time, or 1 µs after `earlier` if the clock was set back: a change always moves the time on."""
    return max(now(), format_time(datetime.fromisoformat(earlier) + timedelta(microseconds=1)))


def format_time(time: datetime) -> str:
    """Return a time as the API writes it."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def create_statements(dialect: Dialect) -> Iterator[str]:
    """Yield the statements that make an empty database a directory of the current revision."""
    for table in metadata.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index).compile(dialect=dialect))
    yield _PHONE_INDEX[dialect.name]
    yield f"CREATE TABLE {REVISION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
    yield f"INSERT INTO {REVISION_TABLE} VALUES ('{REVISION}')"  # noqa: S608 - constants
    yield f"INSERT INTO tenants (seq, name, created_at) VALUES ({OWNER}, 'owner', '{now()}')"  # noqa: S608 - constants
    yield "INSERT INTO receipt_chain (id, length, hash) VALUES (1, 0, '')"


def require_known_revision(name: str, revision: str) -> None:
    """Raise DirectoryUnavailable if a newer version of this program wrote the database."""
    if revision > REVISION:
        raise DirectoryUnavailable(
            f"The {name} was written by a newer version of this program (schema {revision}, known up to {REVISION});"
            " update the program or choose another."
        )


def require_current_revision(name: str, revision: str) -> None:
    """Raise DirectoryUnavailable if another version of this program wrote the database."""
    require_known_revision(name, revision)
    if revision < REVISION:
        raise DirectoryUnavailable(
            f"The {name} was written by an older version of this program (schema {revision}, now {REVISION});"
            " run `contacts-mcp directory migrate`."
        )
