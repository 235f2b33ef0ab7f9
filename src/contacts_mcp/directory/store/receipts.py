"""Receipts of erasures: proof that one took place, and nothing of what was erased.

Each carries the hash of the one before and its own, over everything it says, so that none can be changed, left out or
put in later without every later one being wrong.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from pydantic_core import to_json
from sqlalchemy import Connection, insert, select, update

from contacts_mcp.directory.database.tables import chain, contacts, receipts
from contacts_mcp.directory.store import erasure
from contacts_mcp.directory.store.rows import Row

SAYS = ("seq", "contact_id", "tenant", "erased_at", "actor", "reason", "fields", "previous")
"""What a receipt says, in the order in which it is hashed."""


def append(
    connection: Connection,
    tenant: int,
    contact_id: str,
    erased_at: str,
    *,
    actor: str,
    reason: str,
    fields: Sequence[str],
) -> None:
    """Add a receipt. Whoever else adds one waits until this transaction has ended."""
    end = connection.execute(select(chain).with_for_update()).one()
    receipt = {
        "seq": end.length + 1,
        "contact_id": contact_id,
        "tenant": tenant,
        "erased_at": erased_at,
        "actor": actor,
        "reason": reason,
        "fields": list(fields),
        "previous": end.hash,
    }
    add(connection, [{**receipt, "hash": hash_of(receipt)}])


def add(connection: Connection, following: Sequence[Row]) -> None:
    """Add receipts that follow the last one, with their hashes."""
    if following:
        connection.execute(insert(receipts), [{name: row[name] for name in (*SAYS, "hash")} for row in following])
        last = following[-1]
        connection.execute(update(chain).values(length=last["seq"], hash=last["hash"]))


def replay(connection: Connection, known: Sequence[Row]) -> int:
    """Erase again whom these receipts tell of and the directory has live, and take over those that follow its own.

    The receipts begin with the first there ever was. Returns how many contacts were erased.
    """
    length, _ = end(connection)
    again = 0
    for row in known[length:]:
        query = select(contacts).where(contacts.c.id == row["contact_id"], contacts.c.erased_at.is_(None))
        if found := connection.execute(query.with_for_update()).mappings().one_or_none():
            erasure.clear(connection, found, row["erased_at"])
            again += 1
    add(connection, known[length:])
    return again


def read(connection: Connection, after: int = 0) -> Iterator[Row]:
    """Receipts from the one that follows `after`."""
    query = select(receipts).where(receipts.c.seq > after).order_by(receipts.c.seq)
    for row in connection.execute(query).mappings():
        yield {name: row[name] for name in (*SAYS, "hash")}


def end(connection: Connection) -> tuple[int, str]:
    """How many receipts there are, and the hash of the last."""
    row = connection.execute(select(chain)).one()
    return row.length, row.hash


def hash_of(receipt: Row) -> str:
    """The hash of what a receipt says."""
    return sha256(to_json([receipt[name] for name in SAYS])).hexdigest()


def faults(rows: Iterable[Row], length: int, last: str) -> Iterator[str]:
    """What is wrong with a chain that should have this length and last hash: one line for each receipt."""
    previous, number = "", 0
    for number, row in enumerate(rows, 1):
        if row["seq"] != number:
            yield f"receipt {number} is missing"
            return
        if row["previous"] != previous:
            yield f"receipt {number} does not follow the one before it"
        if row["hash"] != hash_of(row):
            yield f"receipt {number} was changed"
        previous = row["hash"]
    if (number, previous) != (length, last):
        yield f"the chain should end with receipt {length} and ends with {number}"
