"""What a guarded call changes, as a person reads it in a question: the records and the effect."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from contacts_mcp.contract import (
    Contact,
    DeleteContact,
    DeleteContactGroup,
    GetContact,
    GetContactGroup,
    Group,
    ListGroupMembers,
    PersonRecord,
    RemoveGroupMember,
    Risk,
)
from contacts_mcp.guard import Target, ValueChange, hash_json
from contacts_mcp.text import quote
from contacts_mcp.tools._new_group import NewGroup
from contacts_mcp.tools._tool import Backend
from contacts_mcp.wording import count, local_time

MAX_LABEL_LENGTH = 80
_CONTACT_EFFECT = {
    Risk.WRITE: "The contact is changed.",
    Risk.DESTROY: "The contact is removed from all groups. Its data is kept, but no tool can restore the contact.",
}
_RESTORABLE_EFFECT = "The contact is removed from all groups. It can be restored later, but not into its groups."


ListChanges = Callable[[Backend, Any, Any], Sequence[ValueChange]]
"""Lists the fields that a call changes, from its arguments and the record as it is."""
_NO_CHANGE_EFFECT = "Nothing changes: these are the values that are there already."


async def read_target(
    backend: Backend, risk: Risk, arguments: BaseModel, list_changes: ListChanges | None = None
) -> Target:
    """Read what the call changes: the contact, the group, both, or nothing yet (a create).

    With `list_changes` the target has the old and the new values. An erasure has a target of its own. Raises NotFound
    if the record does not exist.
    """
    contact_id, group_id = (getattr(arguments, name, None) for name in ("contact_id", "group_id"))
    records: list[Contact | Group] = []
    if contact_id:
        records.append(await backend.send(GetContact(contact_id=contact_id)))
    if group_id:
        records.append(await backend.send(GetContactGroup(group_id=group_id)))
    for record in records:
        backend.known.add(record)
    state: list[Any] = list(records)
    if risk is Risk.DESTROY and group_id:  # the person consents to deleting the group with these members
        members = (await backend.send(ListGroupMembers(group_id=group_id))).members
        backend.known.add(records[-1].model_copy(update={"member_count": len(members)}))
        state += members
    label = " in ".join(map(describe_record, records)) or "a new record"
    changes_one = risk is Risk.WRITE and not (contact_id and group_id)
    is_known = changes_one or isinstance(arguments, DeleteContact | DeleteContactGroup | RemoveGroupMember)
    effect = _effect(risk, records) if is_known else _description(arguments)
    if isinstance(arguments, DeleteContact) and "restore" in ((await backend.offer()).extensions or ()):
        effect = _RESTORABLE_EFFECT
    changes = list_changes(backend, arguments, records[0]) if list_changes else ()
    effect = _NO_CHANGE_EFFECT if list_changes and not changes else effect
    return Target(label, effect, hash_json([record.model_dump() for record in state]), changes=changes)


def describe_record(record: Contact | Group) -> str:
    """Describe a record so that a person can tell it from others of the same name.

    The time of the last change shows whether a model has just given the record its name.
    """
    known = [f"id {quote(record.id, MAX_LABEL_LENGTH)[1:-1]}"]
    name = quote(record.name or "", MAX_LABEL_LENGTH)
    if isinstance(record, NewGroup):
        return f"new group {name}"
    if isinstance(record, Group):
        return f"group {name} ({', '.join([*known, *_describe_group(record)])})"
    values = (record.company_name, record.email, record.phone_number)
    known += [quote(value, MAX_LABEL_LENGTH) for value in values if value]
    if record.updated_at:
        known.append(f"last changed {local_time(record.updated_at)}")
    if isinstance(record, PersonRecord) and record.deleted_at:
        known.append(f"deleted {local_time(record.deleted_at)}")
    kind = record.type if record.type in ("person", "company") else "contact"
    return f"{kind} {name} ({', '.join(known)})"


def _describe_group(group: Group) -> list[str]:
    """The size, the age and the last rename of a group, as far as the service tells."""
    members = group.member_count
    known = [] if members is None else [count(members, "member")]
    if group.created_at:
        known.append(f"created {local_time(group.created_at)}")
    if group.renamed_at:
        previous = quote(group.previous_name or "", MAX_LABEL_LENGTH)
        known.append(f"renamed from {previous} {local_time(group.renamed_at)}")
    return known


def _description(arguments: BaseModel) -> str:
    """What a call does, by the first sentence of its description."""
    return f"{(arguments.__doc__ or '').partition('.')[0]}."


def _effect(risk: Risk, records: list[Contact | Group]) -> str:
    match records:
        case [Contact()]:
            return _CONTACT_EFFECT[risk]
        case [Group(member_count=members)] if risk is Risk.DESTROY:
            return f"Its members ({'number unknown' if members is None else members}) stay as contacts."
        case [Group()]:
            return "The group is changed; its contacts stay."
        case [Contact(), Group()]:
            return "The contact is removed from the group, but stays in the directory."
        case _:
            return "A record is added."
