"""Operations that may happen only once: creating a record with an `Idempotency-Key`, and using a nonce.

A repeated request with the same key returns the same record for a day. Of a request, only a hash of its key and a hash
of key and values together are stored.
"""

import time
from collections.abc import Callable
from hashlib import sha256

from pydantic_core import to_json
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from contacts_mcp.directory._errors import Conflict
from contacts_mcp.directory.database import idempotency_keys, nonces
from contacts_mcp.directory.store._rows import Row, insert_on_conflict

KEY_TTL_SECONDS = 24 * 60 * 60
_CLOCK_SKEW_SECONDS = 60.0
"""Between two servers: one that is behind still accepts an answer that has expired for the other."""


def create_once(
    connection: Connection,
    tenant: int,
    key: str,
    values: Row,
    create: Callable[[Connection, int, Row], Row],
    get: Callable[[Connection, int, str], Row],
) -> tuple[Row, bool]:
    """Create a record, or get the one that this key created before; return it and whether it is a repetition.

    Other requests with the same key wait until this transaction has ended. After the erasure of a contact, its key is
    unused again.

    Raises:
        Conflict: the key was used with other values.
        DirectoryNotFound: the record was deleted.
    """
    of_tenant = idempotency_keys.c.tenant == tenant
    connection.execute(delete(idempotency_keys).where(of_tenant, idempotency_keys.c.expires <= time.time()))
    key_hash = _hash(key)
    # The values of contacts and groups have different names, so that their requests never have the same hash.
    request_hash = _hash(key + to_json(dict(sorted(values.items()))).decode())
    of_key = of_tenant, idempotency_keys.c.key_hash == key_hash
    while not _insert_key(connection, tenant, key_hash, request_hash):
        first = connection.execute(
            select(idempotency_keys.c.request_hash, idempotency_keys.c.record_id).where(*of_key)
        ).one_or_none()
        if first is None:
            continue  # it expired meanwhile
        if first.request_hash != request_hash:
            raise Conflict("This Idempotency-Key was used with another body; send a new one")
        return get(connection, tenant, first.record_id), True
    row = create(connection, tenant, values)
    connection.execute(update(idempotency_keys).where(*of_key).values(record_id=row["id"]))
    return row, False


def spend_nonce(connection: Connection, nonce: str, expires: float) -> bool:
    """Use a nonce until `expires`, in seconds since 1970; return False if any process has used it before."""
    connection.execute(delete(nonces).where(nonces.c.expires <= time.time() - _CLOCK_SKEW_SECONDS))
    try:
        with connection.begin_nested():
            connection.execute(insert(nonces).values(nonce=nonce, expires=expires))
    except IntegrityError:
        return False
    return True


def _insert_key(connection: Connection, tenant: int, key_hash: str, request_hash: str) -> bool:
    """Insert the key; return False if it exists."""
    new = insert_on_conflict(connection, idempotency_keys).values(
        tenant=tenant, key_hash=key_hash, request_hash=request_hash, record_id="", expires=time.time() + KEY_TTL_SECONDS
    )
    inserted = new.on_conflict_do_nothing().returning(idempotency_keys.c.key_hash)
    return connection.execute(inserted).first() is not None


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
