"""Reads and writes of a tenant's contacts, each in the transaction of the given connection.

Values are validated by the API; rows are returned as they are in the table. An id that is not a live contact of the
tenant raises DirectoryNotFound.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from os import urandom
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy import Row as ResultRow

from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.database import contacts, memberships, now, now_after
from contacts_mcp.directory.store._erasure import PERSONAL_FIELDS
from contacts_mcp.directory.store._groups import group_seq, leave_groups
from contacts_mcp.directory.store._index import add_to_index, update_index
from contacts_mcp.directory.store._query import TENANT, Query, correct_spelling
from contacts_mcp.directory.store._rows import Row, chunks, insert_with_seq, require_row
from contacts_mcp.directory.store._search import fetch_page, find_seqs, prepare_query
from contacts_mcp.directory.store._terms import phone_digits, words_column

_CHANGEABLE = ("type", *PERSONAL_FIELDS, "phone_digits", "words", "updated_at")
_UPDATE = (
    update(contacts)
    .where(contacts.c.tenant == bindparam("of_tenant"), contacts.c.seq == bindparam("of_seq"))
    .values({column: bindparam(column) for column in _CHANGEABLE})
)
_SELECT = select(contacts).where(
    contacts.c.id == bindparam("id"), contacts.c.tenant == bindparam("tenant"), contacts.c.deleted_at.is_(None)
)
_SELECT_LOCKED = _SELECT.with_for_update()
_SELECT_MANY_LOCKED = (
    select(contacts)
    .where(contacts.c.id.in_(bindparam("ids", expanding=True)))
    .where(contacts.c.tenant == bindparam("tenant"), contacts.c.deleted_at.is_(None))
    .order_by(contacts.c.id)
    .with_for_update()
)
_SET_DELETED = (
    update(contacts)
    .where(contacts.c.tenant == bindparam("of_tenant"), contacts.c.seq == bindparam("of_seq"))
    .values(deleted_at=bindparam("deleted_at"))
)

_ID_BYTES = 16
_MIN_EXACT_MATCHES = 3
"""A search with fewer matches also returns contacts that are spelled similarly."""
_MAX_NOTES_PER_PAGE = 4_000_000
"""Maximum characters of notes on one page of a scan: its client would refuse a larger answer."""


@dataclass(frozen=True, slots=True)
class ContactPage:
    """A page of contacts, the total of all pages, and how many of these match only a corrected spelling."""

    rows: Sequence[Row]
    total: int
    similar: int = 0


class Changed(NamedTuple):
    """A contact before and after a change."""

    before: Row
    after: Row


def list_contacts(connection: Connection, tenant: int, query: Query, *, page: int, per_page: int) -> ContactPage:
    """Return a page of live contacts, newest first; contacts that match a corrected spelling come last."""
    window = {"limit": per_page, "offset": (page - 1) * per_page}
    shape, parameters = prepare_query(connection, tenant, query)
    rows, total = fetch_page(connection, shape, parameters, window)
    if total < _MIN_EXACT_MATCHES and (corrected := correct_spelling(connection, tenant, query)):
        exact = [row["seq"] for row in rows]
        if len(exact) < total:  # the others are on another page
            exact = list(connection.execute(find_seqs(shape), parameters).scalars())
        shape, parameters = prepare_query(connection, tenant, corrected)
        rows, total = fetch_page(connection, shape, {**parameters, "first": exact}, window, has_first=True)
        return ContactPage(rows, total, similar=total - len(exact))
    return ContactPage(rows, total)


def scan_contacts(
    connection: Connection,
    tenant: int,
    fields: Sequence[str],
    query: Query,
    group_id: str | None,
    *,
    after: int,
    limit: int,
) -> tuple[list[list[Any]], int | None]:
    """Return the contacts after the cursor `after`, oldest first, and the next cursor; None is the end.

    The cursor of a contact never changes, so that a scan returns each contact once that exists from its first page to
    its last. Spelling is not corrected: a job on many contacts must not include others. Raises DirectoryNotFound if
    the group does not exist.
    """
    statement = select(contacts.c.seq, *(contacts.c[name] for name in fields))
    statement = statement.where(contacts.c.tenant == TENANT, contacts.c.seq > after)
    if group_id is not None:
        members = select(memberships.c.contact_seq).where(memberships.c.tenant == TENANT)
        members = members.where(memberships.c.group_seq == group_seq(connection, tenant, group_id))
        statement = statement.where(contacts.c.seq.in_(members))
    shape, parameters = prepare_query(connection, tenant, query)
    statement = statement.where(contacts.c.seq.in_(find_seqs(shape)))
    found = connection.execute(statement.order_by(contacts.c.seq).limit(limit + 1), parameters).all()
    page = _limit_notes(found[:limit], fields)
    return [list(row[1:]) for row in page], page[-1][0] if len(page) < len(found) else None


def get_contact(connection: Connection, tenant: int, contact_id: str) -> Row:
    """Return a live contact."""
    return require_row(connection, "Contact", _SELECT, id=contact_id, tenant=tenant)


def create_contact(connection: Connection, tenant: int, values: Row) -> Row:
    """Store a new contact and return it."""
    return create_contacts(connection, tenant, [values])[0]


def create_contacts(connection: Connection, tenant: int, values: Sequence[Row]) -> Sequence[Row]:
    """Store new contacts and return them in the same order."""
    if not values:
        return []
    time = now()
    common = {"tenant": tenant, "created_at": time, "updated_at": time}
    ids = _new_ids(len(values))
    new = [_with_derived({**each, **common, "id": new_id}) for each, new_id in zip(values, ids, strict=True)]
    seqs = insert_with_seq(connection, contacts, new)
    stored = [{**row, "seq": seq} for row, seq in zip(new, seqs, strict=True)]
    add_to_index(connection, tenant, stored)
    return stored


def _new_ids(number: int) -> Iterator[str]:
    """Yield random ids; the system is asked for all random bytes at once, which takes a tenth of the time."""
    random = urandom(_ID_BYTES * number)
    for start in range(0, len(random), _ID_BYTES):
        yield str(UUID(bytes=random[start : start + _ID_BYTES], version=4))


def update_contact(connection: Connection, tenant: int, contact_id: str, values: Row) -> Row:
    """Set the given columns of a live contact and return it; if nothing differs, nothing is written."""
    found = update_contacts(connection, tenant, [(contact_id, values)])
    if not found:
        raise DirectoryNotFound("Contact")
    return found[contact_id]


def update_contacts(connection: Connection, tenant: int, changes: Sequence[tuple[str, Row]]) -> dict[str, Row]:
    """Set the given columns of live contacts and return these by id; ids of no live contact are left out."""
    return change_contacts(connection, tenant, changes)[0]


def change_contacts(
    connection: Connection, tenant: int, changes: Sequence[tuple[str, Row]]
) -> tuple[dict[str, Row], list[Changed]]:
    """Update contacts as `update_contacts` does; also return those that differ now."""
    before = lock_contacts(connection, tenant, {contact_id for contact_id, _ in changes})
    after = {contact_id: dict(row) for contact_id, row in before.items()}
    for contact_id, values in changes:
        if contact_id in after:
            after[contact_id] |= values
    changed = [contact_id for contact_id, row in after.items() if row != before[contact_id]]
    for contact_id in changed:
        row = after[contact_id]
        after[contact_id] = _with_derived({**row, "updated_at": now_after(row["updated_at"])})
    if changed:
        rows = [after[contact_id] for contact_id in changed]
        connection.execute(
            _UPDATE,
            [{"of_tenant": tenant, "of_seq": row["seq"]} | {name: row[name] for name in _CHANGEABLE} for row in rows],
        )
        update_index(connection, tenant, [before[contact_id] for contact_id in changed], rows)
    return {**after}, [Changed(before[contact_id], after[contact_id]) for contact_id in changed]


def lock_contacts(connection: Connection, tenant: int, contact_ids: Collection[str]) -> dict[str, Row]:
    """Lock live contacts in the order of their ids, so that no two batches wait for each other; return them by id."""
    locked: dict[str, Row] = {}
    for ids in chunks(sorted(contact_ids)):
        found = connection.execute(_SELECT_MANY_LOCKED, {"ids": ids, "tenant": tenant})
        locked |= {row["id"]: row for row in found.mappings()}
    return locked


def delete_contact(connection: Connection, tenant: int, contact_id: str) -> None:
    """Hide a live contact from lists, searches and groups; its row stays."""
    row = require_row(connection, "Contact", _SELECT_LOCKED, id=contact_id, tenant=tenant)
    update_index(connection, tenant, [row], [None])
    leave_groups(connection, tenant, row["seq"])
    connection.execute(_SET_DELETED, {"of_tenant": tenant, "of_seq": row["seq"], "deleted_at": now()})


def _with_derived(row: Row) -> dict[str, Any]:
    return {**row, "phone_digits": phone_digits(row["phone_number"]), "words": words_column(row)}


def _limit_notes(rows: Sequence[ResultRow[Any]], fields: Sequence[str]) -> Sequence[ResultRow[Any]]:
    if "notes" not in fields:
        return rows
    column, length = 1 + fields.index("notes"), 0
    for number, row in enumerate(rows, 1):
        length += len(row[column] or "")
        if length > _MAX_NOTES_PER_PAGE:
            return rows[:number]
    return rows
