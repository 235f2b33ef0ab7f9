"""What can be done with a tenant's contacts, each in the transaction of the connection it is given.

Values come checked (see `api.bodies`); rows go out as they are in the table. An id that names no live contact of the
tenant raises Missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update

from contacts_mcp.directory._errors import Missing
from contacts_mcp.directory._times import now, now_after
from contacts_mcp.directory.database.tables import contacts, created, memberships
from contacts_mcp.directory.store import find, index, receipts, tally
from contacts_mcp.directory.store.bulk import insert_rows, within
from contacts_mcp.directory.store.find import Filter
from contacts_mcp.directory.store.rows import Row
from contacts_mcp.directory.store.words import phone_digits

PERSONAL = ("name", "company_name", "phone_number", "email", "tags", "notes")
"""Columns that say something of somebody."""

_CHANGING = ("type", *PERSONAL, "phone_digits", "words", "updated_at")
_REWRITE = (
    update(contacts)
    .where(contacts.c.seq == bindparam("which"))
    .values({column: bindparam(column) for column in _CHANGING})
)
_THIN = 3
"""Where a search finds fewer than that, it finds what is spelt nearly like it as well."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of contacts, how many there are in all pages, and how many of these are only spelt nearly as asked."""

    rows: Sequence[Row]
    total: int
    similar: int = 0


def list_contacts(connection: Connection, tenant: int, wanted: Filter, *, page: int, per_page: int) -> Listed:
    """One page of live contacts: those that meet the filter, newest first, then those that are spelt nearly so."""
    query = find.read(wanted)
    hits = find.found(connection, tenant, query)
    if query.everything:
        total = tally.live(connection, tenant, query.type)
    else:
        total = connection.execute(select(func.count()).select_from(hits.subquery())).scalar_one()
        if wanted.search and total < _THIN and (tolerant := query.misspelt(connection, tenant)):
            return _list_alike(connection, hits, find.found(connection, tenant, tolerant), page, per_page)
    found = hits.subquery()
    window = select(found.c.seq).order_by(found.c.seq.desc()).limit(per_page).offset((page - 1) * per_page)
    return Listed(_in_order(connection, window), total)


def get_contact(connection: Connection, tenant: int, contact_id: str) -> Row:
    """The live contact."""
    return _live(connection, tenant, contact_id, select(contacts))


def create_contact(connection: Connection, tenant: int, values: Row) -> Row:
    """Store a new contact and return it."""
    return create_contacts(connection, tenant, [values])[0]


def create_contacts(connection: Connection, tenant: int, values: Sequence[Row]) -> list[Row]:
    """Store new contacts and return them, in the same order."""
    if not values:
        return []
    moment = now()
    new = [
        _derived({**each, "tenant": tenant, "id": str(uuid4()), "created_at": moment, "updated_at": moment})
        for each in values
    ]
    insert_rows(connection, contacts, new)
    seq_of: dict[str, int] = {}
    for some in within([row["id"] for row in new]):
        places = select(contacts.c.id, contacts.c.seq).where(contacts.c.id.in_(some))
        seq_of |= {row.id: row.seq for row in connection.execute(places)}
    found: list[Row] = [{**row, "seq": seq_of[row["id"]]} for row in new]
    index.add(connection, tenant, found)
    return found


def update_contact(connection: Connection, tenant: int, contact_id: str, values: Row) -> Row:
    """Set the given columns of a live contact and return it; where nothing differs, nothing is written."""
    found = update_contacts(connection, tenant, [(contact_id, values)])
    if not found:
        raise Missing("Contact")
    return found[contact_id]


def update_contacts(connection: Connection, tenant: int, changes: Sequence[tuple[str, Row]]) -> dict[str, Row]:
    """Set the given columns of live contacts and return these by id; those that are not there are left out."""
    before: dict[str, Row] = {}
    for some in within(sorted({each for each, _ in changes})):
        query = select(contacts).where(contacts.c.id.in_(some), *_of(tenant)).order_by(contacts.c.seq)
        before |= {row["id"]: row for row in connection.execute(query.with_for_update()).mappings()}
    after = {contact_id: dict(row) for contact_id, row in before.items()}
    for contact_id, values in changes:
        if contact_id in after:
            after[contact_id] |= values
    changed = [contact_id for contact_id, row in after.items() if row != before[contact_id]]
    for contact_id in changed:
        row = after[contact_id]
        after[contact_id] = dict(_derived({**row, "updated_at": now_after(row["updated_at"])}))
    if changed:
        rows = [after[contact_id] for contact_id in changed]
        connection.execute(_REWRITE, [{"which": row["seq"], **{name: row[name] for name in _CHANGING}} for row in rows])
        index.change(connection, tenant, [before[contact_id] for contact_id in changed], rows)
    return {**after}


def delete_contact(connection: Connection, tenant: int, contact_id: str) -> None:
    """Hide a live contact: it leaves lists, searches and groups, and its row stays."""
    row = _live(connection, tenant, contact_id, select(contacts).with_for_update())
    _leave(connection, tenant, row)
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values(deleted_at=now()))


def erase_contact(connection: Connection, tenant: int, contact_id: str, reason: str, actor: str) -> None:
    """Remove everything personal of a contact, deleted or not, for good; once erased, nothing more is changed.

    The row keeps id and times; a receipt keeps who asked, the reason and the names of the fields that held something.
    """
    query = select(contacts).where(contacts.c.id == contact_id, contacts.c.tenant == tenant).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("Contact")
    if row["erased_at"]:
        return
    moment = now_after(row["updated_at"])
    clear(connection, row, moment)
    fields = [column for column in PERSONAL if row[column]]
    receipts.append(connection, tenant, contact_id, moment, actor=actor, reason=reason, fields=fields)


def clear(connection: Connection, row: Row, moment: str) -> None:
    """Remove everything personal of a contact that was not erased yet."""
    if row["deleted_at"] is None:
        _leave(connection, row["tenant"], row)
    connection.execute(delete(created).where(created.c.made == row["id"]))
    kept = {"erased_at": moment, "deleted_at": row["deleted_at"] or moment, "updated_at": moment}
    nothing = dict.fromkeys((*PERSONAL, "type", "phone_digits", "words"))
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values({**nothing, **kept}))


def _of(tenant: int) -> tuple[Any, ...]:
    return contacts.c.tenant == tenant, contacts.c.deleted_at.is_(None)


def _live(connection: Connection, tenant: int, contact_id: str, query: Select[Any]) -> Row:
    row = connection.execute(query.where(contacts.c.id == contact_id, *_of(tenant))).mappings().one_or_none()
    if row is None:
        raise Missing("Contact")
    return row


def _derived(row: Mapping[str, Any]) -> Row:
    return {**row, "phone_digits": phone_digits(row["phone_number"]), "words": index.words_column(row)}


def _list_alike(connection: Connection, hits: Select[Any], alike: Select[Any], page: int, per_page: int) -> Listed:
    """A page of few hits and what is spelt nearly like what was asked for, which holds the hits as well."""
    exact = list(connection.execute(select(hits.subquery().c.seq)).scalars())
    both = alike.subquery()
    total = connection.execute(select(func.count()).select_from(both)).scalar_one()
    hits_first = both.c.seq.in_(exact).desc(), both.c.seq.desc()
    window = select(both.c.seq).order_by(*hits_first).limit(per_page).offset((page - 1) * per_page)
    return Listed(_in_order(connection, window), total, similar=total - len(exact))


def _in_order(connection: Connection, window: Select[Any]) -> list[Row]:
    """The contacts of the window, in its order."""
    seqs = list(connection.execute(window).scalars())
    rows = {row["seq"]: row for row in connection.execute(select(contacts).where(contacts.c.seq.in_(seqs))).mappings()}
    return [rows[seq] for seq in seqs]


def _leave(connection: Connection, tenant: int, row: Row) -> None:
    index.remove(connection, tenant, [row])
    connection.execute(delete(memberships).where(memberships.c.contact_seq == row["seq"]))
