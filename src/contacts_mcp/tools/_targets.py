"""The target of a guarded call, as the directory describes it."""

from typing import Any

from pydantic import BaseModel

from contacts_mcp.contract import (
    Contact,
    FieldFault,
    GetContact,
    GetContactGroup,
    Group,
    ListGroupMembers,
    NotFound,
    Risk,
    ValidationFailed,
)
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.text import digits, fold, quote, search_tokens
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._tool import Tool

_LABEL_LIMIT = 80
_CONTACT_EFFECT = {
    Risk.WRITE: "The contact is changed.",
    Risk.DESTROY: "It leaves every group. The service keeps its data, but it cannot be brought back from here.",
    Risk.ERASE: "Every personal detail is erased: name, company, phone, e-mail, tags, notes.",
}
# Words that people and hosts put into a form they have not read, or to say no. A contact may bear such a name, by
# chance or because a model gave it that name, so these are no proof that somebody read which contact it is.
_STOCK_ANSWERS = (
    "accept agree agreed cancel confirm confirmed continue da decline delete erase false fine ja keep n na nai nao ne "
    "nee nei nein nej never nie no non none nope null ok okay oui proceed refuse remove si stop sure test true y yes"
)
_PHONE_DIGITS = 7
"""Digits of a number from which on it tells whose it is."""


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
    state: list[Any] = list(records)
    if tool.risk is Risk.DESTROY and group_id:  # whose group it is, is part of what a person agrees to
        state += (await backend.send(ListGroupMembers(group_id=group_id))).members
    return Target(
        label=" in ".join(map(describe, records)) or "a new record",
        effect=_effect(tool.risk, records),
        phrase="",
        fingerprint=_fingerprint(state),
    )


async def _erasure(backend: Backend, contact_id: str, reason: str) -> Target:
    try:
        contact = await backend.send(GetContact(contact_id=contact_id))
    except NotFound:
        return _deleted_before(contact_id)
    if _reveals(contact, reason):
        fault = FieldFault("reason", "must not hold the contact's own name, e-mail or number: it is kept")
        raise ValidationFailed(str(fault), faults=(fault,))
    return Target(describe(contact), _CONTACT_EFFECT[Risk.ERASE], _phrase(contact, contact_id), _fingerprint([contact]))


def _deleted_before(contact_id: str) -> Target:
    """An erasure of what was deleted, or never was: the service shows neither, so the id has to be typed."""
    label = f"contact with id {contact_id}, which the service no longer shows"
    return Target(label, "Whatever the service still keeps of it is erased.", contact_id, _fingerprint([]))


def describe(record: Contact | Group) -> str:
    """What tells it from its namesakes. When it was last changed shows where a model has just given it its name."""
    known = [f"id {quote(record.id, _LABEL_LIMIT)[1:-1]}"]
    if isinstance(record, Group):
        return f"group {quote(record.name or '', _LABEL_LIMIT)} ({known[0]})"
    known += [quote(value, _LABEL_LIMIT) for value in (record.company_name, record.email, record.phone_number) if value]
    if record.updated_at:
        known.append(f"last changed {record.updated_at:%Y-%m-%d %H:%M}")
    kind = record.type if record.type in ("person", "company") else "contact"
    return f"{kind} {quote(record.name or '', _LABEL_LIMIT)} ({', '.join(known)})"


def _phrase(contact: Contact, contact_id: str) -> str:
    """What has to be typed: the name as the question shows it, or the id where a name proves or shows too little."""
    name = quote(contact.name or "", _LABEL_LIMIT)[1:-1]
    telling = any(map(str.isalnum, name)) and fold(name).strip(" .!?-") not in _STOCK_ANSWERS.split()
    return name if telling and len(contact.name or "") <= _LABEL_LIMIT else contact_id


def _effect(risk: Risk, records: list[Contact | Group]) -> str:
    match records:
        case [Contact()]:
            return _CONTACT_EFFECT[risk]
        case [Group(member_count=count)] if risk is Risk.DESTROY:
            return f"Its members ({'number unknown' if count is None else count}) stay as contacts."
        case [Group()]:
            return "The group is changed; its contacts stay."
        case [Contact(), Group()]:
            return "The contact is taken out of the group; the contact itself stays."
        case _:
            return "A record is added."


def _fingerprint(records: list[Any]) -> str:
    return hash_json([record.model_dump() for record in records])


def _reveals(contact: Contact, reason: str) -> bool:
    """Whether a reason holds the name, the e-mail address or the number that it is to outlive."""
    told = fold(reason)
    name = search_tokens(contact.name or "")
    number = digits(contact.phone_number or "")
    return (
        (len(name) > 1 and all(word in told for word in name))  # one word alone may be an ordinary one
        or bool(contact.email and fold(contact.email) in told.replace(" ", ""))
        or (len(number) >= _PHONE_DIGITS and number[-_PHONE_DIGITS:] in digits(reason))
    )
