"""The target of a guarded call, as the directory describes it."""

from typing import Any

from pydantic import BaseModel

from contacts_mcp.contract import (
    Contact,
    FieldFault,
    GetContact,
    GetContactGroup,
    Group,
    NotFound,
    Risk,
    ValidationFailed,
)
from contacts_mcp.guard import Target, digest
from contacts_mcp.text import fold, quote
from contacts_mcp.tools._tool import Backend, Tool

_LABEL_LIMIT = 80
_CONTACT_EFFECT = {
    Risk.WRITE: "The contact is changed.",
    Risk.DESTROY: "It leaves every group. The service keeps its data, but it cannot be brought back from here.",
    Risk.ERASE: "Every personal detail is erased: name, company, phone, e-mail, tags, notes.",
}


async def read_target(backend: Backend, tool: Tool, arguments: BaseModel) -> Target:
    """Read what the call is about to change: the contact, the group, both, or nothing yet (a create).

    Raises:
        NotFound: there is no such target, except for an erasure, which also reaches what was deleted before.
        ValidationFailed: the reason of an erasure would keep what is to be erased.
    """
    contact_id, group_id = (getattr(arguments, name, None) for name in ("contact_id", "group_id"))
    if tool.risk is Risk.ERASE:
        return await _erasure(backend, str(contact_id), getattr(arguments, "reason", ""))
    records: list[Contact | Group] = []
    if contact_id:
        records.append(await backend.send(GetContact(contact_id=contact_id)))
    if group_id:
        records.append(await backend.send(GetContactGroup(group_id=group_id)))
    return Target(
        label=" in ".join(_label(record) for record in records) or "a new record",
        effect=_effect(tool.risk, records),
        phrase=_phrase(records[0]) if records else "",
        fingerprint=_fingerprint(records),
    )


async def _erasure(backend: Backend, contact_id: str, reason: str) -> Target:
    try:
        contact = await backend.send(GetContact(contact_id=contact_id))
    except NotFound:
        return _deleted_before(contact_id)
    if _reveals(contact, reason):
        fault = FieldFault("reason", "must not hold the contact's own name, e-mail or number: it is kept")
        raise ValidationFailed(str(fault), faults=(fault,))
    return Target(_label(contact), _CONTACT_EFFECT[Risk.ERASE], _phrase(contact), _fingerprint([contact]))


def _deleted_before(contact_id: str) -> Target:
    """An erasure of what was deleted, or never was: the service shows neither, so the id has to be typed."""
    label = f"contact with id {contact_id}, which the service no longer shows"
    return Target(label, "Whatever the service still keeps of it is erased.", contact_id, _fingerprint([]))


def _label(record: Contact | Group) -> str:
    kind = record.type or "contact" if isinstance(record, Contact) else "group"
    name = quote(record.name or "", _LABEL_LIMIT)
    return f"{kind} {name} (id {record.id})"


def _phrase(record: Contact | Group) -> str:
    """What has to be typed: the name as the question shows it, or the id where that is empty or cut."""
    name = quote(record.name or "", _LABEL_LIMIT).strip('"')
    return name if name and len(record.name or "") <= _LABEL_LIMIT else record.id


def _effect(risk: Risk, records: list[Contact | Group]) -> str:
    match records:
        case [Contact()]:
            return _CONTACT_EFFECT[risk]
        case [Group(member_count=count)] if risk is Risk.DESTROY:
            return f"Its members ({'number unknown' if count is None else count}) stay as contacts."
        case [Group()]:
            return "The group is changed; its contacts stay."
        case [Contact(), Group()]:
            return "The contact itself stays."
        case _:
            return "A record is added."


def _fingerprint(records: list[Any]) -> str:
    return digest([record.model_dump() for record in records])


def _reveals(contact: Contact, reason: str) -> bool:
    """Whether a reason holds the name, the e-mail address or the number that it is to outlive."""
    told = " ".join(fold(reason).split())
    own = [contact.email, contact.phone_number]
    if contact.name and len(contact.name.split()) > 1:  # one word alone may be an ordinary one
        own.append(contact.name)
    return any(fold(value) in told for value in own if value)
