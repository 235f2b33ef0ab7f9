"""Tables and transactions, on SQLite and on PostgreSQL."""

from contacts_mcp.directory.database.database import Database

__all__ = ["Database"]
