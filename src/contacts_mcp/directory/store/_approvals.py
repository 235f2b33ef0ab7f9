"""Records of questions that a person decides, for all servers that share the directory; see `guard.ApprovalStore`.

Their contents are encrypted with a key of the servers, which the directory does not have.
"""

import time

from sqlalchemy import Connection, delete, select

from contacts_mcp.directory.database import approvals
from contacts_mcp.directory.store._rows import insert_on_conflict


def create_approval(connection: Connection, name: str, content: str, expires: float) -> bool:
    """Store a record until `expires`, in seconds since 1970; return False if any process has stored one of this name.

    Expired records are deleted.
    """
    connection.execute(delete(approvals).where(approvals.c.expires <= time.time()))
    new = insert_on_conflict(connection, approvals).values(name=name, content=content, expires=expires)
    created = new.on_conflict_do_nothing().returning(approvals.c.name)
    return connection.execute(created).first() is not None


def read_approval(connection: Connection, name: str) -> str | None:
    """Return a record's content; None if there is none of this name."""
    content: str | None = connection.execute(
        select(approvals.c.content).where(approvals.c.name == name)
    ).scalar_one_or_none()
    return content


def approval_names(connection: Connection, prefix: str) -> list[str]:
    """Return the names of the records that begin with `prefix`."""
    begins = approvals.c.name.startswith(prefix, autoescape=True)
    return list(connection.execute(select(approvals.c.name).where(begins)).scalars())
