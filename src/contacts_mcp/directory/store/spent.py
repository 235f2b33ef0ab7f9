"""What may be presented once, among all processes that share the directory."""

import time

from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import IntegrityError

from contacts_mcp.directory.database.tables import spent


def spend(connection: Connection, nonce: str, expires: float) -> bool:
    """Whether `nonce` is presented for the first time; what has expired is forgotten."""
    connection.execute(delete(spent).where(spent.c.expires <= time.time()))
    try:
        with connection.begin_nested():
            connection.execute(insert(spent).values(nonce=nonce, expires=expires))
    except IntegrityError:
        return False
    return True
