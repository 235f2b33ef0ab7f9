"""What leaves with a contact that is deleted, and all that goes with one that is erased."""

from sqlalchemy import Connection, delete, update

from contacts_mcp.directory.database.tables import contacts, created, memberships
from contacts_mcp.directory.store import index
from contacts_mcp.directory.store.rows import Row

PERSONAL = ("name", "company_name", "phone_number", "email", "tags", "notes")
"""Columns that say something of somebody."""


def clear(connection: Connection, row: Row, moment: str) -> None:
    """Remove everything personal of a contact that was not erased yet."""
    if row["deleted_at"] is None:
        leave(connection, row)
    connection.execute(delete(created).where(created.c.made == row["id"]))
    kept = {"erased_at": moment, "deleted_at": row["deleted_at"] or moment, "updated_at": moment}
    nothing = dict.fromkeys((*PERSONAL, "type", "phone_digits", "words"))
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values({**nothing, **kept}))


def leave(connection: Connection, row: Row) -> None:
    """Take a live contact out of lists, searches and groups."""
    index.remove(connection, row["tenant"], [row])
    connection.execute(delete(memberships).where(memberships.c.contact_seq == row["seq"]))
