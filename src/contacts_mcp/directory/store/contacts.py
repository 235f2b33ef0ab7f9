"""What can be done with a tenant's contacts, each in the transaction of the connection it is given.

Values come checked (see `api.bodies`); rows go out as they are in the table. An id that names no live contact of the
tenant raises DirectoryNotFound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, bindparam, select, update

from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory._times import now, now_after
from contacts_mcp.directory.database.tables import contacts
from contacts_mcp.directory.store import erasure, find, index, paging, receipts
from contacts_mcp.directory.store.bulk import insert_counted, within
from contacts_mcp.directory.store.erasure import PERSONAL
from contacts_mcp.directory.store.query import Query
from contacts_mcp.directory.store.rows import Row
from contacts_mcp.directory.store.words import phone_digits

_CHANGING = ("type", *PERSONAL, "phone_digits", "words", "updated_at")
_REWRITE = (
    update(contacts)
    .where(contacts.c.seq == bindparam("which"))
    .values({column: bindparam(column) for column in _CHANGING})
)
_LIVE = select(contacts).where(
    contacts.c.id == bindparam("id"), contacts.c.tenant == bindparam("tenant"), contacts.c.deleted_at.is_(None)
)
_LOCKED = _LIVE.with_for_update()
_LOCKED_SOME = (
    select(contacts)
    .where(contacts.c.id.in_(bindparam("some", expanding=True)))
    .where(contacts.c.tenant == bindparam("tenant"), contacts.c.deleted_at.is_(None))
    .order_by(contacts.c.id)
    .with_for_update()
)
_THIN = 3
"""Where a search finds fewer than that, it finds what is spelt nearly like it as well."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of contacts, how many there are in all pages, and how many of these are only spelt nearly as asked."""

    rows: Sequence[Row]
    total: int
    similar: int = 0


def list_contacts(connection: Connection, tenant: int, query: Query, *, page: int, per_page: int) -> Listed:
    """One page of live contacts: those that meet the query, newest first, then those that are spelt nearly so."""
    window = {"limit": per_page, "offset": (page - 1) * per_page}
    shape, values = find.shaped(connection, tenant, query)
    rows, total = paging.page_of(connection, shape, values, window)
    if total < _THIN and (tolerant := query.misspelt(connection, tenant)):
        exact = [row["seq"] for row in rows]
        if len(exact) < total:  # they are on another page
            exact = list(connection.execute(find.found(shape), values).scalars())
        shape, values = find.shaped(connection, tenant, tolerant)
        rows, total = paging.page_of(connection, shape, {**values, "first": exact}, window, some_first=True)
        return Listed(rows, total, similar=total - len(exact))
    return Listed(rows, total)


def get_contact(connection: Connection, tenant: int, contact_id: str) -> Row:
    """The live contact."""
    return _live(connection, tenant, contact_id, _LIVE)


def create_contact(connection: Connection, tenant: int, values: Row) -> Row:
    """Store a new contact and return it."""
    return create_contacts(connection, tenant, [values])[0]


def create_contacts(connection: Connection, tenant: int, values: Sequence[Row]) -> Sequence[Row]:
    """Store new contacts and return them, in the same order."""
    if not values:
        return []
    moment = now()
    marks = {"tenant": tenant, "created_at": moment, "updated_at": moment}
    new = [_derived({**each, **marks, "id": str(uuid4())}) for each in values]
    seqs = insert_counted(connection, contacts, new)
    stored = [{**row, "seq": seq} for row, seq in zip(new, seqs, strict=True)]
    index.add(connection, tenant, stored)
    return stored


def update_contact(connection: Connection, tenant: int, contact_id: str, values: Row) -> Row:
    """Set the given columns of a live contact and return it; where nothing differs, nothing is written."""
    found = update_contacts(connection, tenant, [(contact_id, values)])
    if not found:
        raise DirectoryNotFound("Contact")
    return found[contact_id]


def update_contacts(connection: Connection, tenant: int, changes: Sequence[tuple[str, Row]]) -> dict[str, Row]:
    """Set the given columns of live contacts and return these by id; those that are not there are left out."""
    before: dict[str, Row] = {}
    for some in within(sorted({each for each, _ in changes})):
        # Locked in one order, whatever else is in a batch: by `id`, as they come.
        found = connection.execute(_LOCKED_SOME, {"some": some, "tenant": tenant})
        before |= {row["id"]: row for row in found.mappings()}
    after = {contact_id: dict(row) for contact_id, row in before.items()}
    for contact_id, values in changes:
        if contact_id in after:
            after[contact_id] |= values
    changed = [contact_id for contact_id, row in after.items() if row != before[contact_id]]
    for contact_id in changed:
        row = after[contact_id]
        after[contact_id] = _derived({**row, "updated_at": now_after(row["updated_at"])})
    if changed:
        rows = [after[contact_id] for contact_id in changed]
        connection.execute(_REWRITE, [{"which": row["seq"], **{name: row[name] for name in _CHANGING}} for row in rows])
        index.change(connection, tenant, [before[contact_id] for contact_id in changed], rows)
    return {**after}


def delete_contact(connection: Connection, tenant: int, contact_id: str) -> None:
    """Hide a live contact: it leaves lists, searches and groups, and its row stays."""
    row = _live(connection, tenant, contact_id, _LOCKED)
    erasure.leave(connection, row)
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values(deleted_at=now()))


def erase_contact(connection: Connection, tenant: int, contact_id: str, reason: str, actor: str) -> None:
    """Remove everything personal of a contact, deleted or not, for good; once erased, nothing more is changed.

    The row keeps id and times; a receipt keeps who asked, the reason and the names of the fields that held something.
    """
    query = select(contacts).where(contacts.c.id == contact_id, contacts.c.tenant == tenant).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise DirectoryNotFound("Contact")
    if row["erased_at"]:
        return
    moment = now_after(row["updated_at"])
    erasure.clear(connection, row, moment)
    fields = [column for column in PERSONAL if row[column]]
    receipts.append(connection, tenant, contact_id, moment, actor=actor, reason=reason, fields=fields)


def _live(connection: Connection, tenant: int, contact_id: str, query: Select[Any]) -> Row:
    row = connection.execute(query, {"id": contact_id, "tenant": tenant}).mappings().one_or_none()
    if row is None:
        raise DirectoryNotFound("Contact")
    return row


def _derived(row: Row) -> dict[str, Any]:
    return {**row, "phone_digits": phone_digits(row["phone_number"]), "words": index.words_column(row)}
