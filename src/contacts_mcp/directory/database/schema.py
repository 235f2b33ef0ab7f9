"""The schema in SQL: what a new database is given in one go, and how its revision is told."""

from collections.abc import Iterator

from sqlalchemy import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from contacts_mcp.directory._times import now
from contacts_mcp.directory.database.tables import OWNER, metadata

REVISION = "0004"
"""What `migrations` leads to. Revisions sort as they follow each other."""

REVISION_TABLE = "directory_revision"

PHONES = {
    # Digits in fours, kept by this program (see `store.phones`): the file has no other copy of them.
    "sqlite": "CREATE VIRTUAL TABLE contact_phones"
    " USING fts5(digits, content='', detail=none, columnsize=0, tokenize='ascii')",
    "postgresql": "CREATE INDEX contacts_phones ON contacts USING gin (phone_digits gin_trgm_ops)"
    " WHERE deleted_at IS NULL",
}
"""What fragments of phone numbers are found by."""


def statements(dialect: Dialect) -> Iterator[str]:
    """Everything a new, empty database needs, in order."""
    for table in metadata.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index).compile(dialect=dialect))
    yield PHONES[dialect.name]
    yield f"CREATE TABLE {REVISION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
    yield f"INSERT INTO {REVISION_TABLE} VALUES ('{REVISION}')"  # noqa: S608 - constants
    yield from seeds()


def seeds() -> Iterator[str]:
    """The rows that are always there."""
    yield f"INSERT INTO tenants (seq, name, created_at) VALUES ({OWNER}, 'owner', '{now()}')"  # noqa: S608 - constants
    yield "INSERT INTO receipt_chain (one, length, hash) VALUES (1, 0, '')"


def must_migrate(name: str, revision: str) -> str:
    """What is said of a database that is not of this revision."""
    if revision > REVISION:
        return (
            f"The {name} was written by a newer version of this program (schema {revision}, known up to {REVISION});"
            " update the program or choose another."
        )
    return (
        f"The {name} was written by an older version of this program (schema {revision}, now {REVISION});"
        " run `contacts-mcp directory migrate`."
    )
