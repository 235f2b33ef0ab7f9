"""All records of a person: a contact, and the records that were merged into it, which are deleted and linked to it.

A merge remembers the link. An erasure follows it, through several merges: nothing of a person stays under another id.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, select, update

from contacts_mcp.directory._errors import Conflict, ContactErased, DirectoryNotFound, PersonalReason
from contacts_mcp.directory.database import contacts, groups, memberships, now, now_after, receipts
from contacts_mcp.directory.store._erasure import PERSONAL_FIELDS, append_receipt, clear_contact
from contacts_mcp.directory.store._groups import leave_groups
from contacts_mcp.directory.store._index import add_to_index, update_index
from contacts_mcp.directory.store._query import Query
from contacts_mcp.directory.store._rows import Row, chunks
from contacts_mcp.directory.store._search import matches_row, prepare_query
from contacts_mcp.erasure_reason import find_fault, repeats_contact

Status = Literal["live", "deleted", "erased"]

_SELECT_MANY = select(contacts).where(
    contacts.c.id.in_(bindparam("ids", expanding=True)), contacts.c.tenant == bindparam("tenant")
)
_SELECT_MANY_LOCKED = _SELECT_MANY.order_by(contacts.c.id).with_for_update()
_SELECT_RECEIPTS = select(receipts).where(
    receipts.c.contact_id.in_(bindparam("ids", expanding=True)), receipts.c.tenant == bindparam("tenant")
)
_SELECT_GROUP_IDS = (
    select(groups.c.id)
    .join(memberships, and_(memberships.c.tenant == groups.c.tenant, memberships.c.group_seq == groups.c.seq))
    .where(groups.c.tenant == bindparam("tenant"), memberships.c.contact_seq == bindparam("of_contact"))
    .order_by(groups.c.seq)
)
_SET_MERGED = (
    update(contacts)
    .where(contacts.c.tenant == bindparam("of_tenant"), contacts.c.seq == bindparam("of_contact"))
    .values(deleted_at=bindparam("deleted"), merged_into=bindparam("into"))
)
_SET_RESTORED = (
    update(contacts)
    .where(contacts.c.seq == bindparam("of_contact"), contacts.c.tenant == bindparam("of_tenant"))
    .values(deleted_at=None, merged_into=None, updated_at=bindparam("time"))
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of an erasure: its number in the chain, the contact, the time, and the fields that had a value.

    `actor` is who erased it, and `reason` is why.
    """

    number: int
    contact_id: str
    erased_at: str
    fields: Sequence[str]
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A contact as it is stored, live or not.

    Attributes:
        row: the columns; those with personal data are null after an erasure.
        receipt: the receipt of its erasure.
        merged: the records that were merged into it, also through others.
        group_ids: the groups that it is a member of.
    """

    row: Row
    receipt: Receipt | None = None
    merged: Sequence["StoredRecord"] = ()
    group_ids: Sequence[str] = ()

    @property
    def status(self) -> Status:
        return "erased" if self.row["erased_at"] else "deleted" if self.row["deleted_at"] else "live"


class Restored(NamedTuple):
    """A contact after it was restored.

    Attributes:
        record: the contact, which is live.
        was_deleted: whether it was deleted before; otherwise nothing was changed.
        merged_into: the contact that it was merged into and is separate from now.
    """

    record: StoredRecord
    was_deleted: bool
    merged_into: str | None


def read_person(connection: Connection, tenant: int, contact_id: str) -> StoredRecord:
    """Return a contact, live or not, with what was merged into it. Raises DirectoryNotFound if it never existed."""
    merged_ids = _find_merged(connection, tenant, [contact_id])
    rows = _select_rows(connection, _SELECT_MANY, tenant, {contact_id, *merged_ids})
    if contact_id not in rows:
        raise DirectoryNotFound("Contact")
    found = {each.contact_id: each for each in _read_receipts(connection, tenant, rows)}
    merged = [StoredRecord(rows[each], found.get(each)) for each in sorted(merged_ids) if each in rows]
    of_contact = {"tenant": tenant, "of_contact": rows[contact_id]["seq"]}
    group_ids = connection.execute(_SELECT_GROUP_IDS, of_contact).scalars().all()
    return StoredRecord(rows[contact_id], found.get(contact_id), merged, group_ids)


def list_deleted(
    connection: Connection, tenant: int, query: Query, *, after: int, limit: int
) -> tuple[Sequence[Row], int | None]:
    """Return deleted contacts that are not erased and match a query without tags, and the next cursor, or None.

    They are in no index, so each row is compared.
    """
    shape, parameters = prepare_query(connection, tenant, query)
    of_tenant = contacts.c.tenant == bindparam("tenant"), contacts.c.seq > after
    deleted = contacts.c.deleted_at.is_not(None), contacts.c.erased_at.is_(None)
    statement = select(contacts).where(*of_tenant, *deleted, matches_row(shape)).order_by(contacts.c.seq)
    found = connection.execute(statement.limit(limit + 1), parameters).mappings().all()
    page = found[:limit]
    return page, page[-1]["seq"] if len(page) < len(found) else None


def merge_contacts(connection: Connection, tenant: int, keep_id: str, merge_ids: Collection[str]) -> list[str]:
    """Delete contacts that were merged into a live one, and remember into which. Returns the ids that are linked to it.

    A contact that was deleted before is linked as well, unless it was erased or merged into another contact. Raises
    DirectoryNotFound if the contact to keep is not live.
    """
    rows = _select_rows(connection, _SELECT_MANY_LOCKED, tenant, {keep_id, *merge_ids})
    if keep_id not in rows or rows[keep_id]["deleted_at"]:
        raise DirectoryNotFound("Contact")
    others = [rows[each] for each in dict.fromkeys(merge_ids) if each in rows and each != keep_id]
    linked = [row for row in others if not row["erased_at"] and row["merged_into"] in (None, keep_id)]
    live = [row for row in linked if row["deleted_at"] is None]
    update_index(connection, tenant, live, [None] * len(live))
    for row in live:
        leave_groups(connection, tenant, row["seq"])
    time = now()
    for row in linked:
        values = {"deleted": row["deleted_at"] or time, "into": keep_id}
        connection.execute(_SET_MERGED, {"of_tenant": tenant, "of_contact": row["seq"], **values})
    return [row["id"] for row in linked]


def restore_contact(connection: Connection, tenant: int, contact_id: str) -> Restored:
    """Undo a deletion or a merge of a contact, except for its group memberships.

    A merged record is a contact of its own again: the contact that it was merged into keeps the values that it took
    over, and an erasure of one does not reach the other. What was merged into the restored contact stays linked to it.
    Raises DirectoryNotFound if it never existed, and ContactErased.
    """
    row = _select_rows(connection, _SELECT_MANY_LOCKED, tenant, [contact_id]).get(contact_id)
    if row is None:
        raise DirectoryNotFound("Contact")
    if row["erased_at"]:
        raise ContactErased(f"the contact {contact_id} was erased; nothing of it is left to restore")
    if row["deleted_at"] is None:
        return Restored(StoredRecord(row), was_deleted=False, merged_into=None)
    time = now_after(row["updated_at"])
    connection.execute(_SET_RESTORED, {"of_contact": row["seq"], "of_tenant": tenant, "time": time})
    restored = {**row, "deleted_at": None, "merged_into": None, "updated_at": time}
    add_to_index(connection, tenant, [restored])
    return Restored(StoredRecord(restored), was_deleted=True, merged_into=row["merged_into"])


def erase_contact(connection: Connection, tenant: int, contact_id: str, reason: str, actor: str) -> None:
    """Erase a contact as `erase_contacts` does."""
    erase_contacts(connection, tenant, [contact_id], reason, actor)


def erase_contacts(
    connection: Connection, tenant: int, contact_ids: Collection[str], reason: str, actor: str, *, only: bool = False
) -> list[Receipt]:
    """Remove all personal data of contacts, deleted or not, and of all records that were merged into them.

    A row keeps its id and times; its receipt keeps the actor, the reason and the names of the fields that had a value.
    What is erased already stays as it is. Returns the receipts of all of them, old and new. Nothing is changed on an
    error.

    Raises:
        DirectoryNotFound: an id never existed.
        Conflict: with `only`, if a record that is not in `contact_ids` would be erased, too.
        PersonalReason: the reason holds personal data, of one of these contacts or of anyone.
    """
    rows = _lock_persons(connection, tenant, contact_ids)
    to_erase = [row for _, row in sorted(rows.items()) if not row["erased_at"]]
    if only and any(row["id"] not in contact_ids for row in to_erase):
        raise Conflict("Another record was merged into one of these contacts; read them again")
    if to_erase:
        _check_reason(reason, to_erase)
    for row in to_erase:
        time = now_after(row["updated_at"])
        clear_contact(connection, row, time)
        receipt = {"contact_id": row["id"], "tenant": tenant, "erased_at": time, "actor": actor, "reason": reason}
        append_receipt(connection, {**receipt, "fields": [name for name in PERSONAL_FIELDS if row[name]]})
    return _read_receipts(connection, tenant, rows)


def _lock_persons(connection: Connection, tenant: int, contact_ids: Iterable[str]) -> dict[str, Row]:
    """Lock contacts and all records that were merged into them, in the order of their ids, and return them by id.

    What was merged while this waited for a lock is found in the next round; a merge into a locked contact waits.
    """
    wanted, locked = set(contact_ids), dict[str, Row]()
    while missing := wanted - locked.keys():
        locked |= _select_rows(connection, _SELECT_MANY_LOCKED, tenant, missing)
        if not wanted <= locked.keys():
            raise DirectoryNotFound("Contact")
        wanted |= _find_merged(connection, tenant, missing)
    return locked


def _select_rows(connection: Connection, query: Select[Any], tenant: int, ids: Collection[str]) -> dict[str, Row]:
    """Return contacts by id; all transactions lock them in the order of their ids, so that none wait for each other."""
    rows: dict[str, Row] = {}
    for some in chunks(sorted(ids)):
        found = connection.execute(query, {"ids": some, "tenant": tenant})
        rows |= {row["id"]: row for row in found.mappings()}
    return rows


def _find_merged(connection: Connection, tenant: int, ids: Collection[str]) -> set[str]:
    """Return the ids of all records that were merged into these contacts, also through others."""
    found: set[str] = set()
    for some in chunks(sorted(ids)):
        found |= set(connection.execute(_merged_query(), {"ids": some, "tenant": tenant}).scalars())
    return found


@lru_cache(1)
def _merged_query() -> Select[str]:
    of_tenant, into = contacts.c.tenant == bindparam("tenant"), contacts.c.merged_into
    first = select(contacts.c.id).where(of_tenant, into.in_(bindparam("ids", expanding=True)))
    merged = first.cte("merged", recursive=True)
    merged = merged.union(select(contacts.c.id).where(of_tenant, into == merged.c.id))
    return select(merged.c.id)


def _read_receipts(connection: Connection, tenant: int, ids: Collection[str]) -> list[Receipt]:
    found: list[Receipt] = []
    for some in chunks(sorted(ids)):
        rows = connection.execute(_SELECT_RECEIPTS, {"ids": some, "tenant": tenant}).mappings()
        found += [_to_receipt(row) for row in rows]
    return sorted(found, key=lambda receipt: receipt.number)


def _to_receipt(row: Row) -> Receipt:
    names = ("contact_id", "erased_at", "fields", "actor", "reason")
    return Receipt(row["seq"], **{name: row[name] for name in names})


def _check_reason(reason: str, rows: Sequence[Row]) -> None:
    if fault := find_fault(reason):
        raise PersonalReason(fault)
    for row in rows:
        if repeats_contact(reason, **{name: row[name] for name in ("name", "company_name", "email", "phone_number")}):
            raise PersonalReason("must not contain the contact's name, e-mail or number: the reason is kept")
