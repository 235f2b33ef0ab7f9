"""What was created by requests with an `Idempotency-Key`: a day long, a repeat is answered with the same record.

Nothing personal is kept of a request but a hash of its key, and one of key and values together.
"""

import time
from collections.abc import Callable
from hashlib import sha256

from pydantic_core import to_json
from sqlalchemy import Connection, delete, select, update

from contacts_mcp.directory._errors import Conflict
from contacts_mcp.directory.database.tables import created
from contacts_mcp.directory.store.bulk import upsert
from contacts_mcp.directory.store.rows import Row

_KEPT_SECONDS = 24 * 60 * 60


def create_once(
    connection: Connection,
    tenant: int,
    key: str,
    values: Row,
    make: Callable[[Connection, int, Row], Row],
    get: Callable[[Connection, int, str], Row],
) -> tuple[Row, bool]:
    """Make a record, or get the one that was made with this key before, as it is now, and whether that was so.

    Who comes with the same key meanwhile waits until this transaction has ended. Raises Conflict where the values are
    others than then, and DirectoryNotFound where the record is gone; a contact's erasure makes its key a new one.
    """
    connection.execute(delete(created).where(created.c.expires <= time.time()))
    mine = created.c.tenant == tenant, created.c.key == _hash(key)
    body = _hash(key + to_json(dict(sorted(values.items()))).decode())  # a group's values have other names
    while not _claim(connection, tenant, key, body):
        before = connection.execute(select(created.c.body, created.c.made).where(*mine)).one_or_none()
        if before is None:
            continue  # it was forgotten since
        if before.body != body:
            raise Conflict
        return get(connection, tenant, before.made), True
    row = make(connection, tenant, values)
    connection.execute(update(created).where(*mine).values(made=row["id"]))
    return row, False


def _claim(connection: Connection, tenant: int, key: str, body: str) -> bool:
    """Take the key, unless somebody has."""
    expires = time.time() + _KEPT_SECONDS
    new = upsert(connection.dialect.name, created).values(
        tenant=tenant, key=_hash(key), body=body, made="", expires=expires
    )
    return connection.execute(new.on_conflict_do_nothing().returning(created.c.key)).first() is not None


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
