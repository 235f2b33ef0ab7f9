"""Contacts of all tenants as an operator sees them: list, read, restore and erase them, live or not."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from contacts_mcp.directory import store
from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.database import contacts, format_time, groups, tenants
from contacts_mcp.directory.store import Receipt, Row, Status, StoredRecord

ALL = 2**31 - 1
"""A limit above any number of contacts."""

_ACTOR = "operator"
"""Who erased a contact, as receipts name them."""

_PAGE_SIZE = 1_000
_FIELDS = (
    *("id", "type", "name", "company_name", "phone_number", "email", "tags"),
    *("created_at", "updated_at", "deleted_at", "erased_at", "merged_into"),
)
_LISTED = (*(contacts.c[name] for name in _FIELDS), tenants.c.name.label("tenant"))

was_deleted = contacts.c.deleted_at.is_not(None)
is_deleted = was_deleted & contacts.c.erased_at.is_(None)
_BY_STATUS: dict[Status, tuple[ColumnElement[bool], ColumnElement[Any]]] = {
    "live": (contacts.c.deleted_at.is_(None), contacts.c.created_at),
    "deleted": (is_deleted, contacts.c.deleted_at),
    "erased": (was_deleted & contacts.c.erased_at.is_not(None), contacts.c.erased_at),
}
"""The condition of each status, and the time by which contacts are listed, the last first."""


@dataclass(frozen=True, slots=True)
class ContactList:
    """The first contacts of a list, with the name of their `tenant` and their `status`, and how many there are."""

    rows: Sequence[Row]
    total: int


@dataclass(frozen=True, slots=True)
class TenantContact:
    """One contact, live or not, with what belongs to it.

    Attributes:
        tenant: the name of its tenant.
        record: the contact, its receipt, and what was merged into it.
        groups: `id` and `name` of the groups that it is a member of.
        kept: the contact that it was merged into.
    """

    tenant: str
    record: StoredRecord
    groups: Sequence[Row] = ()
    kept: StoredRecord | None = None


def list_contacts(
    connection: Connection, statuses: Collection[Status], tenant: str | None = None, search: str = "", limit: int = ALL
) -> ContactList:
    """List contacts, live ones first, then deleted, then erased ones. An erased contact matches no search."""
    rows: list[Row] = []
    total = 0
    for status in _BY_STATUS:
        if status not in statuses:
            continue
        room = limit - len(rows)
        if search.strip():
            found, number = _search(connection, status, tenant, search, room)
        else:
            found, number = _select(connection, status, tenant, room)
        rows += [{**row, "status": status} for row in found]
        total += number
    return ContactList(rows, total)


def list_deleted(connection: Connection, tenant: str | None, before: datetime | None) -> Sequence[Row]:
    """List contacts that were deleted (before a time) and are not erased, the last deleted first."""
    conditions = [] if before is None else [_deleted_before(before)]
    found, _ = _select(connection, "deleted", tenant, ALL, *conditions)
    return [{**row, "status": "deleted"} for row in found]


def read_contacts(connection: Connection, contact_ids: Sequence[str]) -> list[TenantContact]:
    """Read contacts in this order, live or not; ids that never existed are left out."""
    owners = _find_tenants(connection, contact_ids)
    names = dict(_list_tenants(connection))
    return [
        _read_contact(connection, each, owners[each], names[owners[each]]) for each in contact_ids if each in owners
    ]


def restore_contact(connection: Connection, contact_id: str) -> Row:
    """Undo a deletion or a merge, except for group memberships. Raises DirectoryNotFound and ContactErased."""
    tenant = _find_tenants(connection, [contact_id]).get(contact_id)
    if tenant is None:
        raise DirectoryNotFound("Deleted contact")
    restored = store.restore_contact(connection, tenant, contact_id)
    if not restored.was_deleted:
        raise DirectoryNotFound("Deleted contact")
    return {**restored.record.row, "was_merged_into": restored.merged_into}


def erase_contacts(connection: Connection, contact_ids: Collection[str], reason: str) -> list[Receipt]:
    """Erase contacts of any tenants, all or none, and return their receipts, old and new.

    Raises:
        DirectoryNotFound: an id never existed.
        Conflict: a record that is not among these was merged into one of them.
        PersonalReason: the reason holds personal data.
    """
    owners = _find_tenants(connection, contact_ids)
    found: dict[int, list[str]] = {}
    for tenant in sorted(set(owners.values())):
        found[tenant] = []
        for some in store.chunks(sorted(each for each in owners if owners[each] == tenant)):
            found[tenant] += _lock(connection, tenant, contacts.c.id.in_(some))
    if sum(map(len, found.values())) < len(set(contact_ids)):
        raise DirectoryNotFound("Contact")
    return _erase(connection, found, reason, only=True)


def purge(connection: Connection, before: datetime, reason: str, tenant: str | None) -> int:
    """Erase contacts that were deleted before a time, and return their number."""
    old = is_deleted, _deleted_before(before)
    found = {seq: _lock(connection, seq, *old) for seq, _ in _list_tenants(connection, tenant)}
    _erase(connection, found, reason)
    return sum(map(len, found.values()))


def _select(
    connection: Connection, status: Status, tenant: str | None, limit: int, *conditions: ColumnElement[bool]
) -> tuple[Sequence[Row], int]:
    """Return the first contacts of a status, and how many there are."""
    condition, time = _BY_STATUS[status]
    all_conditions = (condition, *_of_tenant(tenant), *conditions)
    query: Select[Any] = select(*_LISTED).join(tenants, tenants.c.seq == contacts.c.tenant).where(*all_conditions)
    order = (contacts.c.seq.desc(),) if status == "live" else (time.desc(), contacts.c.seq.desc())
    rows = connection.execute(query.order_by(*order).limit(limit)).mappings().all()
    total = connection.execute(select(func.count()).select_from(contacts).where(*all_conditions)).scalar_one()
    return rows, total


def _search(
    connection: Connection, status: Status, tenant: str | None, text: str, limit: int
) -> tuple[Sequence[Row], int]:
    """Return the first contacts of a status that match a search of each tenant, and how many do."""
    query = store.parse_query(None, text)
    of_tenant = _list_tenants(connection, tenant)
    if status == "live":
        return _search_live(connection, query, of_tenant, limit)
    if status == "erased":
        return [], 0
    found = [_listed(row, name) for seq, name in of_tenant for row in _iter_deleted(connection, seq, query)]
    return sorted(found, key=lambda row: str(row["deleted_at"]), reverse=True)[:limit], len(found)


def _search_live(
    connection: Connection, query: store.Query, of_tenant: Sequence[tuple[int, str]], limit: int
) -> tuple[Sequence[Row], int]:
    """Contacts that match only a corrected spelling come last, as in each tenant's own search."""
    found: list[tuple[bool, int, Row]] = []
    total = 0
    for seq, name in of_tenant:
        page = store.list_contacts(connection, seq, query, page=1, per_page=max(limit, 1))
        exact = page.total - page.similar
        found += [(index >= exact, -row["seq"], _listed(row, name)) for index, row in enumerate(page.rows)]
        total += page.total
    return [row for _, _, row in sorted(found, key=lambda each: each[:2])][:limit], total


def _iter_deleted(connection: Connection, tenant: int, query: store.Query) -> Iterator[Row]:
    after: int | None = 0
    while after is not None:
        rows, after = store.list_deleted(connection, tenant, query, after=after, limit=_PAGE_SIZE)
        yield from rows


def _listed(row: Row, tenant: str) -> Row:
    return {**{name: row[name] for name in _FIELDS}, "tenant": tenant}


def _read_contact(connection: Connection, contact_id: str, tenant: int, name: str) -> TenantContact:
    record = store.read_person(connection, tenant, contact_id)
    of_contact = select(groups.c.id, groups.c.name).where(groups.c.tenant == tenant).order_by(groups.c.seq)
    kept_id = record.row["merged_into"]
    kept = store.read_person(connection, tenant, kept_id) if kept_id else None
    of_contact = of_contact.where(groups.c.id.in_(record.group_ids))
    return TenantContact(name, record, connection.execute(of_contact).mappings().all(), kept)


def _list_tenants(connection: Connection, name: str | None = None) -> list[tuple[int, str]]:
    """Return the number and the name of all tenants, or of the one with this name, if there is one."""
    query = select(tenants.c.seq, tenants.c.name).order_by(tenants.c.seq)
    found = connection.execute(query if name is None else query.where(tenants.c.name == name))
    return [(seq, tenant) for seq, tenant in found]


def _find_tenants(connection: Connection, contact_ids: Collection[str]) -> dict[str, int]:
    """Return the tenant of each contact, live or not, by its id. No contact ever changes its tenant."""
    owners: dict[str, int] = {}
    for some in store.chunks(sorted(set(contact_ids))):
        query = select(contacts.c.id, contacts.c.tenant).where(contacts.c.id.in_(some))
        owners |= {row.id: row.tenant for row in connection.execute(query)}
    return owners


def _of_tenant(name: str | None) -> tuple[ColumnElement[bool], ...]:
    if name is None:
        return ()
    return (contacts.c.tenant.in_(select(tenants.c.seq).where(tenants.c.name == name)),)


def _deleted_before(time: datetime) -> ColumnElement[bool]:
    return contacts.c.deleted_at < format_time(time)


def _lock(connection: Connection, tenant: int, *conditions: ColumnElement[bool]) -> Sequence[str]:
    """Lock contacts of a tenant in the order of their ids, as every writer does, and return the ids."""
    query = select(contacts.c.id).where(contacts.c.tenant == tenant, *conditions).order_by(contacts.c.id)
    return connection.execute(query.with_for_update()).scalars().all()


def _erase(
    connection: Connection, found: Mapping[int, Sequence[str]], reason: str, *, only: bool = False
) -> list[Receipt]:
    """Erase locked contacts, given by tenant.

    Every writer locks contacts before the chain of receipts, and those of several tenants in the order of their
    tenants, so that none wait for each other.
    """
    receipts: list[Receipt] = []
    for tenant, ids in found.items():
        if ids:
            receipts += store.erase_contacts(connection, tenant, ids, reason, _ACTOR, only=only)
    return sorted(receipts, key=lambda receipt: receipt.number)
