"""Undo a bulk update: its contacts get the values back that it replaced, for a day, by the update's receipt.

Whoever updates makes up a receipt, a random id, and sends it with each part of the update. The directory stores a hash
of it, and for each contact an entry, in the transaction that changes the contact: the values before, and a hash of the
values after, by which a later change is noticed. Entries are encrypted with AES-256-GCM by a key that takes the receipt
and the directory's key, and bound to tenant, receipt and contact.

An entry is deleted when it is used, when it expires, and when its contact is erased.
"""

import hmac
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy import Row as ResultRow
from sqlalchemy.exc import IntegrityError

from contacts_mcp.directory._errors import Conflict, DirectoryNotFound
from contacts_mcp.directory.database import contacts, undo_entries, undo_receipts
from contacts_mcp.directory.store._contacts import Changed, change_contacts, lock_contacts
from contacts_mcp.directory.store._erasure import PERSONAL_FIELDS
from contacts_mcp.directory.store._rows import Row, chunks, insert_on_conflict, insert_tuples
from contacts_mcp.directory.store._undo_keys import UndoKeys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

UNDO_TTL_SECONDS = 24 * 60 * 60
MAX_UNDO_CONTACTS = 20_000
"""Most contacts of an update that can be undone."""
MAX_TENANT_UNDO_CONTACTS, MAX_TENANT_UNDO_BYTES = 100_000, 256 * 1024 * 1024
"""Most contacts of all updates of a tenant that can be undone, and most bytes of their values."""
_MAX_PAGE_BYTES = 2_000_000
"""Size of the values from which on a page ends: its client would refuse a much larger answer."""

_NONCE_BYTES = 12
_FIELDS = ("type", *PERSONAL_FIELDS)

UndoStatus = Literal["unchanged", "changed", "deleted"]
"""What happened to a contact since the update: nothing to the fields that it changed, a change of them, a deletion."""

_of_entry = (undo_entries.c.tenant == bindparam("of_tenant"), undo_entries.c.receipt_hash == bindparam("of_receipt"))
_SELECT_RECEIPT = select(undo_receipts).where(
    undo_receipts.c.tenant == bindparam("of_tenant"), undo_receipts.c.receipt_hash == bindparam("of_receipt")
)
_SELECT_ENTRIES = (
    select(undo_entries.c.sealed, contacts)
    .join(contacts, (contacts.c.tenant == undo_entries.c.tenant) & (contacts.c.seq == undo_entries.c.contact_seq))
    .where(*_of_entry, undo_entries.c.contact_seq > bindparam("after"))
    .order_by(undo_entries.c.contact_seq)
    .limit(bindparam("limit"))
)
_SELECT_IDS = (
    select(undo_entries.c.contact_seq, contacts.c.id)
    .join(contacts, (contacts.c.tenant == undo_entries.c.tenant) & (contacts.c.seq == undo_entries.c.contact_seq))
    .where(*_of_entry)
    .order_by(undo_entries.c.contact_seq)
    .limit(bindparam("limit"))
)
_COUNT_ENTRIES = select(func.count()).select_from(undo_entries).where(*_of_entry)
_TAKE_ENTRIES = (
    delete(undo_entries)
    .where(*_of_entry, undo_entries.c.contact_seq.in_(bindparam("seqs", expanding=True)))
    .returning(undo_entries.c.contact_seq, undo_entries.c.sealed)
)
_DELETE_ENTRIES = delete(undo_entries).where(*_of_entry)
_DELETE_RECEIPT = delete(undo_receipts).where(
    undo_receipts.c.tenant == bindparam("of_tenant"), undo_receipts.c.receipt_hash == bindparam("of_receipt")
)
_SET_CONTACTS = (
    update(undo_receipts)
    .where(undo_receipts.c.tenant == bindparam("of_tenant"), undo_receipts.c.receipt_hash == bindparam("of_receipt"))
    .values(contacts=undo_receipts.c.contacts - bindparam("taken"))
)
_SET_FULL = (
    update(undo_receipts)
    .where(undo_receipts.c.tenant == bindparam("of_tenant"), undo_receipts.c.receipt_hash == bindparam("of_receipt"))
    .values(is_full=True, size=0)
)
_SUM_OF_TENANT = select(
    func.coalesce(func.sum(undo_receipts.c.contacts), 0), func.coalesce(func.sum(undo_receipts.c.size), 0)
).where(undo_receipts.c.tenant == bindparam("of_tenant"), ~undo_receipts.c.is_full)


@dataclass(frozen=True, slots=True)
class UndoneContact:
    """A contact of an update that can be undone.

    Attributes:
        row: the contact as it is now.
        before: the values that the update replaced, by field.
    """

    row: Row
    status: UndoStatus
    before: Mapping[str, Any]


class UndoPage(NamedTuple):
    """Contacts of an update in the order in which they were created.

    Attributes:
        cursor: the next page's; None on the last page.
        total: how many contacts the update has, pages before and after included, and erased ones.
        erased: how many of them were erased.
        expires: until when the update can be undone, in seconds since 1970.
    """

    contacts: Sequence[UndoneContact]
    cursor: int | None
    total: int
    erased: int
    expires: float


class UndoResult(NamedTuple):
    """What was done with some contacts of an update, and how many of its contacts remain."""

    restored: Sequence[str]
    changed: int
    deleted: int
    remaining: int


def update_with_undo(
    connection: Connection, tenant: int, receipt: str, keys: UndoKeys, changes: Sequence[tuple[str, Row]], now: float
) -> tuple[dict[str, Row], float | None]:
    """Update contacts as `update_contacts` does, so that it can be undone by `receipt`.

    The receipt must be secret and random. Also returns until when the update can be undone, in seconds since 1970: None
    without a key, and if the update changes too many contacts.

    Raises:
        Conflict: a contact was changed under this receipt before.
    """
    found, changed = change_contacts(connection, tenant, changes)
    return found, _record(connection, tenant, receipt, keys, changed, now)


def read_undo(
    connection: Connection, tenant: int, receipt: str, keys: UndoKeys, *, now: float, after: int, limit: int
) -> UndoPage:
    """Return a page of the contacts that an update changed, without those that were erased.

    Raises:
        DirectoryNotFound: the tenant has no such receipt; or it was used, or has expired.
        Conflict: the values cannot be decrypted, because the key was lost.
    """
    of = {"of_tenant": tenant, "of_receipt": _hash(receipt)}
    header = _require_receipt(connection, of, now)
    left = connection.execute(_COUNT_ENTRIES, of).scalar_one()
    rows = connection.execute(_SELECT_ENTRIES, {**of, "after": after, "limit": limit + 1}).mappings().all()
    ciphers = _ciphers(keys.for_opening(), receipt)
    page: list[UndoneContact] = []
    size = 0
    for row in rows[:limit]:
        before, hash_after = _open(ciphers, row["sealed"], _bind(of, row["id"]))
        page.append(UndoneContact(row, _status(row, before, hash_after), before))
        size += len(row["sealed"]) + len(row["notes"] or "")
        if size > _MAX_PAGE_BYTES:
            break
    cursor = page[-1].row["seq"] if len(page) < len(rows) else None
    return UndoPage(page, cursor, header.contacts, header.contacts - left, header.expires)


def undo_update(
    connection: Connection, tenant: int, receipt: str, keys: UndoKeys, *, now: float, limit: int
) -> UndoResult:
    """Give up to `limit` contacts of an update their values back, and delete their entries.

    A contact stays as it is if a field that the update changed was changed again, or if the contact was deleted. After
    the last contact, the receipt is used up. Raises as `read_undo` does; then nothing is changed.
    """
    of = {"of_tenant": tenant, "of_receipt": _hash(receipt)}
    _require_receipt(connection, of, now)
    ids = {row.contact_seq: row.id for row in connection.execute(_SELECT_IDS, {**of, "limit": limit})}
    live = lock_contacts(connection, tenant, ids.values())
    # Another call may have used entries until the locks were free: only those that this one deletes are its own.
    taken = [row for seqs in chunks(sorted(ids)) for row in connection.execute(_TAKE_ENTRIES, {**of, "seqs": seqs})]
    ciphers = _ciphers(keys.for_opening(), receipt)
    changes: list[tuple[str, Row]] = []
    counts = {"changed": 0, "deleted": 0}
    for entry in taken:
        contact_id = ids[entry.contact_seq]
        before, hash_after = _open(ciphers, entry.sealed, _bind(of, contact_id))
        status = _status(live[contact_id], before, hash_after) if contact_id in live else "deleted"
        if status == "unchanged":
            changes.append((contact_id, before))
        else:
            counts[status] += 1
    change_contacts(connection, tenant, changes)
    remaining = connection.execute(_COUNT_ENTRIES, of).scalar_one()
    if remaining:
        connection.execute(_SET_CONTACTS, {**of, "taken": len(taken)})
    else:
        connection.execute(_DELETE_RECEIPT, of)
    return UndoResult([contact_id for contact_id, _ in changes], **counts, remaining=remaining)


def find_undo_expiry(connection: Connection) -> float | None:
    """Return when the replaced values of an update, of any tenant, expire first; None if there are none."""
    first: float | None = connection.execute(select(func.min(undo_receipts.c.expires))).scalar()
    return first


def delete_expired_undo(connection: Connection, now: float) -> float | None:
    """Delete the replaced values of all updates, of any tenant, that can no longer be undone.

    Returns when the next ones expire; None if there are none.
    """
    expired = undo_receipts.c.expires <= now
    found = connection.execute(select(undo_receipts.c.tenant, undo_receipts.c.receipt_hash).where(expired)).all()
    for tenant, receipt_hash in found:
        of = {"of_tenant": tenant, "of_receipt": receipt_hash}
        connection.execute(_DELETE_ENTRIES, of)
        connection.execute(_DELETE_RECEIPT, of)
    return find_undo_expiry(connection)


def _record(
    connection: Connection, tenant: int, receipt: str, keys: UndoKeys, changed: Sequence[Changed], now: float
) -> float | None:
    """Store the entries of contacts that were changed; see `update_with_undo` for the result."""
    key = keys.for_sealing()
    if key is None:
        return None
    if not changed:
        return now + UNDO_TTL_SECONDS
    delete_expired_undo(connection, now)
    of = {"of_tenant": tenant, "of_receipt": _hash(receipt)}
    (cipher,) = _ciphers([key], receipt)
    rows = [
        (tenant, of["of_receipt"], each.after["seq"], _seal(cipher, each, _bind(of, each.after["id"])))
        for each in changed
    ]
    header = _count_in(connection, of, len(rows), sum(len(row[3]) for row in rows), now)
    if header.is_full or _is_too_much(connection, of, header.contacts):
        connection.execute(_DELETE_ENTRIES, of)
        connection.execute(_SET_FULL, of)
        return None
    try:
        insert_tuples(connection, undo_entries, rows)
    except IntegrityError:
        raise Conflict("A contact was changed under this undo receipt before; send another one") from None
    expires: float = header.expires
    return expires


def _count_in(
    connection: Connection, of: Mapping[str, Any], number: int, size: int, now: float
) -> ResultRow[*tuple[Any, ...]]:
    """Add contacts to a receipt, which is created by the first part of its update. Other parts wait for its end."""
    values = {"contacts": number, "size": size, "is_full": False, "expires": now + UNDO_TTL_SECONDS}
    key = {"tenant": of["of_tenant"], "receipt_hash": of["of_receipt"]}
    new = insert_on_conflict(connection, undo_receipts).values(**key, **values)
    counted = {name: undo_receipts.c[name] + new.excluded[name] for name in ("contacts", "size")}
    counted_in = new.on_conflict_do_update(index_elements=[*key], set_=counted)
    return connection.execute(counted_in.returning(*undo_receipts.c)).one()


def _is_too_much(connection: Connection, of: Mapping[str, Any], number: int) -> bool:
    """Whether an update of so many contacts, or all updates of its tenant together, cannot be kept."""
    in_all, size = connection.execute(_SUM_OF_TENANT, {"of_tenant": of["of_tenant"]}).one()
    return number > MAX_UNDO_CONTACTS or in_all > MAX_TENANT_UNDO_CONTACTS or size > MAX_TENANT_UNDO_BYTES


def _require_receipt(connection: Connection, of: Mapping[str, Any], now: float) -> ResultRow[*tuple[Any, ...]]:
    found = connection.execute(_SELECT_RECEIPT, of).one_or_none()
    if found is None or found.is_full or found.expires <= now:
        raise DirectoryNotFound("Undo receipt")
    return found


def _status(row: Row, before: Mapping[str, Any], hash_after: str) -> UndoStatus:
    if row["deleted_at"] is not None:
        return "deleted"
    return "unchanged" if _hash_values({name: row[name] for name in before}) == hash_after else "changed"


# Encryption.


def _hash(receipt: str) -> str:
    return sha256(receipt.encode()).hexdigest()


def _hash_values(values: Mapping[str, Any]) -> str:
    return sha256(to_json(dict(sorted(values.items())))).hexdigest()


def _ciphers(keys: Sequence[bytes], receipt: str) -> "list[AESGCM]":
    """Return a cipher for each key of the directory, together with the receipt."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return [AESGCM(hmac.digest(key, receipt.encode(), "sha256")) for key in keys]


def _bind(of: Mapping[str, Any], contact_id: str) -> bytes:
    """Return the data to which an entry is bound: without them, it cannot be decrypted."""
    return to_json([of["of_tenant"], of["of_receipt"], contact_id])


def _seal(cipher: "AESGCM", change: Changed, bound_to: bytes) -> bytes:
    """Encrypt the values before a change, and the hash of those after it."""
    names = [name for name in _FIELDS if change.before[name] != change.after[name]]
    before, after = ({name: row[name] for name in names} for row in change)
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, to_json([before, _hash_values(after)]), bound_to)


def _open(ciphers: "Sequence[AESGCM]", sealed: bytes, bound_to: bytes) -> tuple[dict[str, Any], str]:
    """Decrypt an entry. Raises Conflict if no key fits."""
    from cryptography.exceptions import InvalidTag

    for cipher in ciphers:
        with suppress(InvalidTag):
            before, hash_after = from_json(cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to))
            return before, hash_after
    raise Conflict("This update can no longer be undone: the key of its values was lost")
