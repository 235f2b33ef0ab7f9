"""The tables. `seq` counts up and never repeats, so that the order is total and lasts; `id` is what the API shows.

Times are text as the API writes them (RFC 3339, UTC, microseconds, `Z`), which sorts as time does. `DERIVED_TABLES`
are derived from the rows of the others, and rebuilt after a migration.

Every row of a tenant has its `tenant`, and so do all keys, foreign keys and indexes of these tables: PostgreSQL can be
distributed by tenant with Citus (docs/citus.md). What the whole directory shares:
- `tenants`, and `api_keys`: a key is found by its prefix before its tenant is known.
- `nonces` and `approvals`: the server uses them, for calls of any tenant.
- `receipts` and `receipt_chain`: one hash chain proves that no receipt of the directory was removed.
- The index of phone numbers: it finds rows whose tenant is then compared. With the tenant in it, PostgreSQL would need
  another extension (`btree_gin`), and SQLite would read an entry for each contact of the tenant.
- On SQLite, the primary key `seq`: it is the address of a row, by which the index of phone numbers finds it, and only
  such a key counts up without repeating (AUTOINCREMENT).

A change of the tables needs a new revision: change this module, raise `REVISION`, add a script to `migrations/versions`
and add the new schema to the snapshots of tests/directory/maintenance.
"""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex, CreateTable

from contacts_mcp.directory._errors import NO_DIRECTORY, DirectoryUnavailable
from contacts_mcp.directory._location import Location

REVISION = "0004"
"""The revision that `migrations` leads to. Revisions sort in their order."""

REVISION_TABLE = "directory_revision"

OWNER = 1
"""The tenant that always exists: callers without an API key."""

metadata = sa.MetaData()

_JSON = sa.JSON(none_as_null=True)
_TERM = sa.String().with_variant(sa.String(collation="C"), "postgresql")  # compared by bytes, as SQLite does


class _RowKey(sa.PrimaryKeyConstraint):
    """The primary key of a tenant's rows: `seq` on SQLite, `tenant` and `seq` on PostgreSQL."""


@compiles(_RowKey, "postgresql")
def _create_row_key(*_: Any, **__: Any) -> str:
    return "PRIMARY KEY (tenant, seq)"


def _seq() -> sa.Column[int]:
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"))


def _tenant(**options: Any) -> sa.Column[int]:
    return sa.Column("tenant", sa.ForeignKey("tenants.seq"), nullable=False, **options)


def _record_keys() -> tuple[sa.Constraint, ...]:
    """Return the keys of contacts or groups.

    `id` comes first in its key: it finds a row even without the tenant. The last key is what memberships refer to on
    SQLite. There, `seq` comes first, or SQLite would read all rows of a tenant by it instead of those that match.
    """
    referred = sa.UniqueConstraint("seq", "tenant").ddl_if(dialect="sqlite")
    return _RowKey("seq"), sa.UniqueConstraint("id", "tenant"), referred


def _where(condition: str) -> dict[str, Any]:
    """Return the options of an index of the rows that meet a condition."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("created_at", sa.String(27), nullable=False),
)

contacts = sa.Table(
    "contacts",
    metadata,
    _seq(),
    _tenant(),
    sa.Column("id", sa.String(36), nullable=False),
    # Null after an erasure, from here to `notes`:
    sa.Column("type", sa.String(7)),
    sa.Column("name", sa.String(255)),
    sa.Column("company_name", sa.String(255)),
    sa.Column("phone_number", sa.String(64)),
    sa.Column("phone_digits", sa.String),
    sa.Column("email", sa.String(320)),
    sa.Column("tags", _JSON),
    sa.Column("words", sa.String),  # the contact's index words between spaces, to check them without `contact_terms`
    sa.Column("notes", sa.String),
    sa.Column("created_at", sa.String(27), nullable=False),
    sa.Column("updated_at", sa.String(27), nullable=False),
    sa.Column("deleted_at", sa.String(27)),
    sa.Column("erased_at", sa.String(27)),
    sa.Column("merged_into", sa.String(36)),  # the id of the contact that this one, now deleted, was merged into
    *_record_keys(),
    sqlite_autoincrement=True,
)
sa.Index("contacts_live", contacts.c.tenant, contacts.c.seq, contacts.c.type, **_where("deleted_at IS NULL"))  # pages
sa.Index("contacts_deleted", contacts.c.tenant, contacts.c.deleted_at, **_where("deleted_at IS NOT NULL"))
sa.Index("contacts_merged", contacts.c.tenant, contacts.c.merged_into, **_where("merged_into IS NOT NULL"))

groups = sa.Table(
    "contact_groups",
    metadata,
    _seq(),
    _tenant(index=True),
    sa.Column("id", sa.String(36), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.String),
    sa.Column("created_at", sa.String(27), nullable=False),
    sa.Column("previous_name", sa.String(255)),  # before the last change of the name, at `renamed_at`
    sa.Column("renamed_at", sa.String(27)),
    *_record_keys(),
    sqlite_autoincrement=True,
)

memberships = sa.Table(
    "memberships",
    metadata,
    _seq(),  # the order in which members joined
    sa.Column("group_seq", groups.c.seq.type, nullable=False),
    sa.Column("contact_seq", contacts.c.seq.type, nullable=False),
    sa.Column("tenant", sa.Integer, nullable=False),
    _RowKey("seq"),
    sa.UniqueConstraint("tenant", "group_seq", "contact_seq"),
    sa.ForeignKeyConstraint(["tenant", "group_seq"], [groups.c.tenant, groups.c.seq]),
    sa.ForeignKeyConstraint(["tenant", "contact_seq"], [contacts.c.tenant, contacts.c.seq]),
    sqlite_autoincrement=True,
)
"""Live contacts in groups of their tenant; deleted and erased contacts leave every group."""
sa.Index("memberships_of", memberships.c.tenant, memberships.c.contact_seq)

receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("contact_id", sa.String(36), nullable=False, unique=True),
    sa.Column("tenant", sa.Integer, nullable=False),
    sa.Column("erased_at", sa.String(27), nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("reason", sa.String(1000), nullable=False),
    sa.Column("fields", _JSON, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
"""One receipt per erasure, numbered from 1, in a hash chain."""

receipt_chain = sa.Table(
    "receipt_chain",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
"""One row: the end of the hash chain. A transaction that adds a receipt locks it."""

keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    _tenant(),
    sa.Column("prefix", sa.String(16), nullable=False, unique=True),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("scopes", _JSON, nullable=False),
    sa.Column("created_at", sa.String(27), nullable=False),
    sa.Column("revoked_at", sa.String(27)),
    sa.Column("last_used_at", sa.String(27)),  # to the minute or so
)
"""Keys of the served API. Of the key itself only the prefix and the hash are stored."""

nonces = sa.Table(
    "nonces",
    metadata,
    sa.Column("nonce", sa.String(64), primary_key=True),
    sa.Column("expires", sa.Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""Nonces that were used, until they expire (seconds since 1970)."""

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("content", sa.String, nullable=False),
    sa.Column("expires", sa.Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)
"""Questions that a person decides and their decisions, until they expire (seconds since 1970). `content` is encrypted
with a key of the servers."""

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    _tenant(primary_key=True),
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("request_hash", sa.String(64), nullable=False),  # of key and body together, so that it reveals no value
    sa.Column("record_id", sa.String(36), nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
"""Records that requests with an `Idempotency-Key` created, until the key expires (seconds since 1970). Expired keys are
deleted when their tenant uses another."""
sa.Index("idempotency_keys_of", idempotency_keys.c.tenant, idempotency_keys.c.record_id)
sa.Index("idempotency_keys_expire", idempotency_keys.c.tenant, idempotency_keys.c.expires)

undo_receipts = sa.Table(
    "undo_receipts",
    metadata,
    _tenant(primary_key=True),
    sa.Column("receipt_hash", sa.String(64), primary_key=True),
    sa.Column("contacts", sa.Integer, nullable=False),  # that were recorded and not undone, erased ones included
    sa.Column("size", sa.BigInteger, nullable=False),  # of all sealed values that were recorded, in bytes
    sa.Column("is_full", sa.Boolean, nullable=False),  # nothing is recorded any more, and nothing can be undone
    sa.Column("expires", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
"""Bulk updates that can be undone by the receipt, of which only a hash is stored, until it expires (seconds since
1970)."""

undo_entries = sa.Table(
    "undo_entries",
    metadata,
    _tenant(primary_key=True),
    sa.Column("receipt_hash", sa.String(64), primary_key=True),
    sa.Column("contact_seq", sa.BigInteger, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The contacts of an update that can be undone. `sealed` holds their values before it, encrypted: see `store._undo`."""
sa.Index("undo_entries_of", undo_entries.c.tenant, undo_entries.c.contact_seq)

terms = sa.Table(
    "contact_terms",
    metadata,
    sa.Column("tenant", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(4), primary_key=True),
    sa.Column("term", _TERM, primary_key=True),
    sa.Column("contact_seq", sa.BigInteger, primary_key=True),
    sa.Column("signature", sa.BigInteger, primary_key=True),  # in the key, so that a query reads only the index
    sqlite_with_rowid=False,
)
"""The inverted index of live contacts: folded words (kind `word`), their three-letter prefixes (`head`), case-folded
tags (`tag`), and the suffixes of phone numbers (`end`). `signature` is a Bloom filter of the contact's prefixes."""

spellings = sa.Table(
    "spellings",
    metadata,
    sa.Column("tenant", sa.Integer, primary_key=True),
    sa.Column("form", _TERM, primary_key=True),
    sa.Column("word", _TERM, primary_key=True),
    sqlite_with_rowid=False,
)
"""Words of names under each of their deletion variants (SymSpell); the word itself is one of the variants."""

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("tenant", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(4), primary_key=True),
    sa.Column("term", _TERM, primary_key=True),
    sa.Column(
        "slot", sa.SmallInteger, primary_key=True
    ),  # several per number, so that writers do not wait for each other
    sa.Column("live", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The number of live contacts with a type (kind `type`) or a tag (kind `tag`): the sum of all slots."""

DERIVED_TABLES = (terms, spellings, counters)
"""Further derived: on SQLite, the index of phone numbers."""

PHONE_INDEX = {
    # Pieces of four digits; `store` maintains it. It holds no copy of the digits.
    "sqlite": "CREATE VIRTUAL TABLE contact_phones"
    " USING fts5(digits, content='', detail=none, columnsize=0, tokenize='ascii')",
    "postgresql": "CREATE INDEX contacts_phones ON contacts USING gin (phone_digits gin_trgm_ops)"
    " WHERE deleted_at IS NULL",
}

NO_STATISTICS = "ALTER TABLE undo_entries ALTER sealed SET STATISTICS 0"
"""Keeps sealed values out of the statistics of PostgreSQL's planner, where they would outlive their row."""


def now() -> str:
    """Return the current time, such as `2025-01-15T09:30:00.000000Z`."""
    return format_time(datetime.now(UTC))


def now_after(earlier: str) -> str:
    """Return the current time, or 1 µs after `earlier` if the clock was set back: a change always moves the time on."""
    return max(now(), format_time(datetime.fromisoformat(earlier) + timedelta(microseconds=1)))


def format_time(time: datetime) -> str:
    """Return a time as the API writes it."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def format_seconds(seconds: float) -> str:
    """Return a time in seconds since 1970 as the API writes it."""
    return format_time(datetime.fromtimestamp(seconds, UTC))


def create_statements(dialect: sa.Dialect) -> Iterator[str]:
    """Yield the statements that make an empty database a directory of the current revision."""
    for table in metadata.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index).compile(dialect=dialect))
    yield PHONE_INDEX[dialect.name]
    if dialect.name == "postgresql":
        yield NO_STATISTICS
    yield f"CREATE TABLE {REVISION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
    yield f"INSERT INTO {REVISION_TABLE} VALUES ('{REVISION}')"  # noqa: S608 - constants
    yield f"INSERT INTO tenants (seq, name, created_at) VALUES ({OWNER}, 'owner', '{now()}')"  # noqa: S608 - constants
    yield "INSERT INTO receipt_chain (id, length, hash) VALUES (1, 0, '')"


class Prepared(NamedTuple):
    """A database that can be used: the revision of its schema, and whether it was created now."""

    revision: str
    is_new: bool = False


def not_created(location: Location) -> DirectoryUnavailable:
    """Return the error of a command that creates no directory, if there is none."""
    error = DirectoryUnavailable(
        f"{NO_DIRECTORY} {location}; name another with --directory, or create this one with"
        f" {cli_command('migrate', location)}."
    )
    error.is_missing = True
    return error


def cli_command(name: str, location: Location) -> str:
    """Return a command of `contacts-mcp directory` that names this directory."""
    return f"`contacts-mcp directory {name} --directory {shlex.quote(str(location))}`"


def require_known_revision(name: str, revision: str) -> None:
    """Raise DirectoryUnavailable if a newer version of this program wrote the database."""
    if revision > REVISION:
        raise DirectoryUnavailable(
            f"The {name} was written by a newer version of this program (schema {revision}, known up to {REVISION});"
            " update the program or choose another."
        )


def require_current_revision(name: str, revision: str, location: Location) -> None:
    """Raise DirectoryUnavailable if another version of this program wrote the database."""
    require_known_revision(name, revision)
    if revision < REVISION:
        raise DirectoryUnavailable(
            f"The {name} was written by an older version of this program (schema {revision}, now {REVISION});"
            f" run {cli_command('migrate', location)}."
        )
