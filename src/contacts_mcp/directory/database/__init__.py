"""The directory's tables and transactions, on SQLite and on PostgreSQL."""

from contacts_mcp.directory.database.database import Database
from contacts_mcp.directory.database.schema import REVISION, REVISION_TABLE
from contacts_mcp.directory.database.sqlite_faults import SqliteErrors
from contacts_mcp.directory.database.sqlite_file import connect as connect_file
from contacts_mcp.directory.database.sqlite_file import create_private as create_private_file
from contacts_mcp.directory.database.sqlite_file import settle as create_file_tables
from contacts_mcp.directory.database.sqlite_file import uri as file_uri
from contacts_mcp.directory.database.tables import (
    DERIVED,
    OWNER,
    contacts,
    groups,
    keys,
    memberships,
    metadata,
    receipts,
    spellings,
    tenants,
    terms,
)
from contacts_mcp.directory.database.tables import chain as receipt_chain
from contacts_mcp.directory.database.tables import created as idempotency_keys
from contacts_mcp.directory.database.tables import spent as nonces
from contacts_mcp.directory.database.tables import tallies as counters

__all__ = [
    "DERIVED",
    "OWNER",
    "REVISION",
    "REVISION_TABLE",
    "Database",
    "SqliteErrors",
    "connect_file",
    "contacts",
    "counters",
    "create_file_tables",
    "create_private_file",
    "file_uri",
    "groups",
    "idempotency_keys",
    "keys",
    "memberships",
    "metadata",
    "nonces",
    "receipt_chain",
    "receipts",
    "spellings",
    "tenants",
    "terms",
]
