"""What can be done with contacts, each in the transaction of the connection it is given.

Values come checked (see `_bodies`); rows go out as they are in the table. An id that names no live contact raises
Missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, select, update

from contacts_mcp.directory._bulk import insert_rows, insert_tuples
from contacts_mcp.directory._errors import Missing
from contacts_mcp.directory._search import matches, phone_digits, tag_key, terms_of
from contacts_mcp.directory._tables import contact_terms, contacts, memberships
from contacts_mcp.directory._times import now, now_after

Row = Mapping[str, Any]
"""A contact's columns by name."""

_PERSONAL = ("name", "company_name", "phone_number", "email", "tags", "notes")
_CHANGING = ("type", *_PERSONAL, "phone_digits", "updated_at")
_REWRITE = (
    update(contacts)
    .where(contacts.c.seq == bindparam("which"))
    .values({column: bindparam(column) for column in _CHANGING})
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which contacts a list is about; all that is given has to match."""

    type: str | None = None
    search: str = ""
    tags: Sequence[str] = field(default_factory=tuple)


def list_contacts(connection: Connection, wanted: Filter, *, page: int, per_page: int) -> tuple[list[RowMapping], int]:
    """One page of live contacts, newest first, and how many there are in all pages."""
    total = connection.execute(filtered(select(func.count()).select_from(contacts), wanted)).scalar_one()
    rows = filtered(select(contacts), wanted).order_by(contacts.c.seq.desc())
    found = connection.execute(rows.limit(per_page).offset((page - 1) * per_page))
    return list(found.mappings()), total


def get_contact(connection: Connection, contact_id: str) -> Row:
    """The live contact."""
    query = select(contacts).where(contacts.c.id == contact_id, contacts.c.deleted_at.is_(None))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("Contact")
    return {**row}


def create_contact(connection: Connection, values: Mapping[str, Any]) -> Row:
    """Store a new contact and return it."""
    return create_contacts(connection, [values])[0]


def create_contacts(connection: Connection, values: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Store new contacts and return them, in the same order."""
    if not values:
        return []
    moment = now()
    new = [
        {
            **each,
            "id": str(uuid4()),
            "created_at": moment,
            "updated_at": moment,
            "phone_digits": phone_digits(each["phone_number"]),
        }
        for each in values
    ]
    insert_rows(connection, contacts, new)
    places = select(contacts.c.id, contacts.c.seq).where(contacts.c.id.in_([row["id"] for row in new]))
    seq_of = {row.id: row.seq for row in connection.execute(places)}
    found: list[Row] = [{**row, "seq": seq_of[row["id"]]} for row in new]
    _index(connection, found)
    return found


def update_contact(connection: Connection, contact_id: str, values: Mapping[str, Any]) -> Row:
    """Set the given columns of a live contact and return it; where nothing differs, nothing is written."""
    found = update_contacts(connection, [(contact_id, values)])
    if not found:
        raise Missing("Contact")
    return found[contact_id]


def update_contacts(connection: Connection, changes: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Row]:
    """Set the given columns of live contacts and return these by id; those that are not there are left out."""
    query = select(contacts).where(contacts.c.id.in_([each for each, _ in changes]), contacts.c.deleted_at.is_(None))
    before: dict[str, Row] = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    after = {contact_id: dict(row) for contact_id, row in before.items()}
    for contact_id, values in changes:
        if contact_id in after:
            after[contact_id] |= values
    changed = [row for contact_id, row in after.items() if row != before[contact_id]]
    for row in changed:
        row["updated_at"] = now_after(row["updated_at"])
        row["phone_digits"] = phone_digits(row["phone_number"])
    if changed:
        connection.execute(
            _REWRITE, [{"which": row["seq"], **{name: row[name] for name in _CHANGING}} for row in changed]
        )
        moved = [row for row in changed if terms_of(row) != terms_of(before[row["id"]])]
        _unindex(connection, [row["seq"] for row in moved])
        _index(connection, moved)
    return {**after}


def delete_contact(connection: Connection, contact_id: str) -> None:
    """Hide a live contact: it leaves lists, searches and groups, and its row stays."""
    row = get_contact(connection, contact_id)
    _leave(connection, row["seq"])
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values(deleted_at=now()))


def erase_contact(connection: Connection, contact_id: str, reason: str) -> None:
    """Remove everything personal of a contact, deleted or not, for good; once erased, nothing more is changed.

    The row keeps id, times, the reason and the names of the fields that held something.
    """
    row = connection.execute(select(contacts).where(contacts.c.id == contact_id)).mappings().one_or_none()
    if row is None:
        raise Missing("Contact")
    if row["erased_at"]:
        return
    _leave(connection, row["seq"])
    moment = now_after(row["updated_at"])
    receipt = {
        "erased_at": moment,
        "deleted_at": row["deleted_at"] or moment,
        "updated_at": moment,
        "erasure_reason": reason,
        "erased_fields": [column for column in _PERSONAL if row[column]],
    }
    nothing = dict.fromkeys((*_PERSONAL, "phone_digits", "type"))
    connection.execute(update(contacts).where(contacts.c.seq == row["seq"]).values({**nothing, **receipt}))


def filtered(query: Select[Any], wanted: Filter) -> Select[Any]:
    """The query, of live contacts alone that the filter meets."""
    query = query.where(contacts.c.deleted_at.is_(None), *matches(wanted.search))
    if wanted.type:
        query = query.where(contacts.c.type == wanted.type)
    for tag in wanted.tags:
        terms = select(contact_terms.c.contact_seq)
        tagged = terms.where(contact_terms.c.kind == "tag", contact_terms.c.term == tag_key(tag))
        query = query.where(contacts.c.seq.in_(tagged))
    return query


def _index(connection: Connection, rows: Iterable[Row]) -> None:
    # In the order in which they are kept, which is also the order that is written fastest.
    insert_tuples(connection, contact_terms, sorted((*term, row["seq"]) for row in rows for term in terms_of(row)))


def _unindex(connection: Connection, seqs: Sequence[int]) -> None:
    if seqs:
        connection.execute(delete(contact_terms).where(contact_terms.c.contact_seq.in_(seqs)))


def _leave(connection: Connection, seq: int) -> None:
    _unindex(connection, [seq])
    connection.execute(delete(memberships).where(memberships.c.contact_seq == seq))
