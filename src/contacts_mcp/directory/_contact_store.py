"""What can be done with contacts, each in the transaction of the connection it is given.

Values come checked (see `_bodies`); rows go out as they are in the table. An id that names no live contact raises
Missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from contacts_mcp.directory._errors import Missing
from contacts_mcp.directory._search import matches, phone_digits, tag_key, terms_of
from contacts_mcp.directory._tables import contact_terms, contacts, memberships
from contacts_mcp.directory._times import now, now_after

_PERSONAL = ("name", "company_name", "phone_number", "email", "tags", "notes")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which contacts a list is about; all that is given has to match."""

    type: str | None = None
    search: str = ""
    tags: Sequence[str] = field(default_factory=tuple)


def list_contacts(connection: Connection, wanted: Filter, *, page: int, per_page: int) -> tuple[list[RowMapping], int]:
    """One page of live contacts, newest first, and how many there are in all pages."""
    total = connection.execute(_filtered(select(func.count()).select_from(contacts), wanted)).scalar_one()
    rows = _filtered(select(contacts), wanted).order_by(contacts.c.seq.desc())
    found = connection.execute(rows.limit(per_page).offset((page - 1) * per_page))
    return list(found.mappings()), total


def get_contact(connection: Connection, contact_id: str) -> RowMapping:
    """The live contact."""
    query = select(contacts).where(contacts.c.id == contact_id, contacts.c.deleted_at.is_(None))
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise Missing("Contact")
    return row


def create_contact(connection: Connection, values: Mapping[str, Any]) -> RowMapping:
    """Store a new contact and return it."""
    moment = now()
    row = {**values, "id": str(uuid4()), "created_at": moment, "updated_at": moment}
    row["phone_digits"] = phone_digits(row["phone_number"])
    stored = connection.execute(insert(contacts).values(row).returning(*contacts.c)).mappings().one()
    _index(connection, stored)
    return stored


def update_contact(connection: Connection, contact_id: str, values: Mapping[str, Any]) -> RowMapping:
    """Set the given columns of a live contact and return it; where nothing differs, nothing is written."""
    old = get_contact(connection, contact_id)
    changed = {column: value for column, value in values.items() if old[column] != value}
    if not changed:
        return old
    changed["updated_at"] = now_after(old["updated_at"])
    if "phone_number" in changed:
        changed["phone_digits"] = phone_digits(changed["phone_number"])
    connection.execute(update(contacts).where(contacts.c.seq == old["seq"]).values(changed))
    new = get_contact(connection, contact_id)
    if terms_of(old) != terms_of(new):
        _unindex(connection, old["seq"])
        _index(connection, new)
    return new


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


def _filtered(query: Select[Any], wanted: Filter) -> Select[Any]:
    query = query.where(contacts.c.deleted_at.is_(None), *matches(wanted.search))
    if wanted.type:
        query = query.where(contacts.c.type == wanted.type)
    for tag in wanted.tags:
        terms = select(contact_terms.c.contact_seq)
        tagged = terms.where(contact_terms.c.kind == "tag", contact_terms.c.term == tag_key(tag))
        query = query.where(contacts.c.seq.in_(tagged))
    return query


def _index(connection: Connection, row: RowMapping) -> None:
    terms = [{"kind": kind, "term": term, "contact_seq": row["seq"]} for kind, term in sorted(terms_of(row))]
    if terms:  # a name may be a lone emoji
        connection.execute(insert(contact_terms), terms)


def _unindex(connection: Connection, seq: int) -> None:
    connection.execute(delete(contact_terms).where(contact_terms.c.contact_seq == seq))


def _leave(connection: Connection, seq: int) -> None:
    _unindex(connection, seq)
    connection.execute(delete(memberships).where(memberships.c.contact_seq == seq))
