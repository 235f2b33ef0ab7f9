"""Erasures: what they remove, and their receipts.

A receipt proves that an erasure took place and keeps nothing of what was erased. Receipts form a hash chain: none can
be changed, removed or inserted later without a trace.
"""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.database import contacts, idempotency_keys, receipt_chain, receipts, undo_entries
from contacts_mcp.directory.store._groups import leave_groups
from contacts_mcp.directory.store._index import update_index
from contacts_mcp.directory.store._rows import Row
from contacts_mcp.hash_chain import ChainEnd, ChainRecord, ChainVerifier, link_record

PERSONAL_FIELDS = ("name", "company_name", "phone_number", "email", "tags", "notes")
"""Columns with personal data."""


def clear_contact(connection: Connection, row: Row, time: str) -> None:
    """Remove all personal data of a contact that is not erased yet."""
    tenant = row["tenant"]
    if row["deleted_at"] is None:
        update_index(connection, tenant, [row], [None])
        leave_groups(connection, tenant, row["seq"])
    of_record = idempotency_keys.c.tenant == tenant, idempotency_keys.c.record_id == row["id"]
    connection.execute(delete(idempotency_keys).where(*of_record))
    connection.execute(
        delete(undo_entries).where(undo_entries.c.tenant == tenant, undo_entries.c.contact_seq == row["seq"])
    )
    times = {"erased_at": time, "deleted_at": row["deleted_at"] or time, "updated_at": time}
    cleared = dict.fromkeys((*PERSONAL_FIELDS, "type", "phone_digits", "words"))
    this = contacts.c.tenant == tenant, contacts.c.seq == row["seq"]
    connection.execute(update(contacts).where(*this).values({**cleared, **times}))


def append_receipt(connection: Connection, values: ChainRecord) -> None:
    """Add a receipt with these values to the chain. Other transactions that add one wait until this one has ended."""
    end = connection.execute(select(receipt_chain).with_for_update()).one()
    _insert_receipts(connection, [link_record(values, ChainEnd(end.length, end.hash))])


def replay_receipts(connection: Connection, known: Sequence[ChainRecord]) -> int:
    """Repeat the erasures of receipts that the directory lacks and add these receipts.

    `known` begins with the first receipt of the directory. Returns how many contacts were erased.
    """
    missing = known[receipt_chain_end(connection).seq :]
    erased = 0
    for receipt in missing:
        query = select(contacts).where(contacts.c.id == receipt["contact_id"], contacts.c.erased_at.is_(None))
        if row := connection.execute(query.with_for_update()).mappings().one_or_none():
            clear_contact(connection, row, receipt["erased_at"])
            erased += 1
    if missing:
        _insert_receipts(connection, missing)
    return erased


def read_receipts(connection: Connection, after: int = 0, limit: int | None = None) -> Iterator[ChainRecord]:
    """Yield the receipts after number `after`, at most `limit` of them."""
    query = select(receipts).where(receipts.c.seq > after).order_by(receipts.c.seq).limit(limit)
    for row in connection.execute(query).mappings():
        yield dict(row)


def read_receipt(connection: Connection, tenant: int, number: int) -> ChainRecord:
    """Return the tenant's receipt with this number. Raises DirectoryNotFound."""
    query = select(receipts).where(receipts.c.seq == number, receipts.c.tenant == tenant)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise DirectoryNotFound("Receipt")
    return dict(row)


def read_latest_receipts(
    connection: Connection, tenant: int, before: int, limit: int
) -> tuple[Sequence[ChainRecord], int]:
    """Return a tenant's receipts with numbers below `before` (0: all), the newest first, and how many it has in all."""
    query = select(receipts).where(receipts.c.tenant == tenant).order_by(receipts.c.seq.desc()).limit(limit)
    if before:
        query = query.where(receipts.c.seq < before)
    total = connection.execute(select(func.count()).where(receipts.c.tenant == tenant)).scalar_one()
    return [dict(row) for row in connection.execute(query).mappings()], total


def receipt_chain_end(connection: Connection) -> ChainEnd:
    """Return the number and the hash of the last receipt."""
    row = connection.execute(select(receipt_chain)).one()
    return ChainEnd(row.length, row.hash)


def verify_receipts(rows: Iterable[ChainRecord], end: ChainEnd) -> Iterator[str]:
    """Yield what is wrong with a chain that must end with `end`, one sentence per fault."""
    verifier = ChainVerifier(noun="receipt")
    for row in rows:
        yield from verifier.check(row)
    yield from check_receipt_end(verifier.end, end)


def check_receipt_end(found: ChainEnd, end: ChainEnd) -> Iterator[str]:
    """Yield what is wrong if the last receipt of a verified chain is not `end`."""
    if found != end:
        yield f"the chain must end with receipt {end.seq:,} but ends with receipt {found.seq:,}"


def _insert_receipts(connection: Connection, missing: Sequence[ChainRecord]) -> None:
    rows = [{name: receipt[name] for name in receipts.columns.keys()} for receipt in missing]  # noqa: SIM118
    connection.execute(insert(receipts), rows)
    connection.execute(update(receipt_chain).values(length=rows[-1]["seq"], hash=rows[-1]["hash"]))
