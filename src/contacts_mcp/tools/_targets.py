"""What a guarded call changes, as a person reads it in a question: records, the effect, the phrase to type."""

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
    NotFound,
    RemoveGroupMember,
    Risk,
    invalid_field,
)
from contacts_mcp.erasure_reason import MAX_REASON_LENGTH, find_fault, may_name_a_person, repeats_contact
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.text import fold, quote
from contacts_mcp.tools._tool import Backend
from contacts_mcp.wording import count, local_time

_MAX_LABEL_LENGTH = 80
_CONTACT_EFFECT = {
    Risk.WRITE: "The contact is changed.",
    Risk.DESTROY: "The contact is removed from all groups. Its data is kept, but no tool can restore the contact.",
    Risk.ERASE: "All personal data is erased: name, company, phone, e-mail, tags, notes.",
}
# Words that people and hosts enter into a form without reading it, or to say no. A contact can have such a name, by
# chance or because a model renamed it, so typing the name would not prove that a person read the question.
_STOCK_ANSWERS = (
    "accept agree agreed cancel confirm confirmed continue da decline delete erase false fine ja keep n na nai nao ne "
    "nee nei nein nej never nie no non none nope null ok okay oui proceed refuse remove si stop sure test true y yes"
)


async def read_target(backend: Backend, risk: Risk, arguments: BaseModel) -> Target:
    """Read what the call changes: the contact, the group, both, or nothing yet (a create).

    Raises:
        NotFound: the record does not exist, unless the call erases: an erasure also reaches deleted records.
        ValidationFailed: the reason of an erasure contains the personal data that is to be erased.
    """
    contact_id, group_id = (getattr(arguments, name, None) for name in ("contact_id", "group_id"))
    if risk is Risk.ERASE:
        return await _read_erasure_target(backend, str(contact_id), getattr(arguments, "reason", ""))
    records: list[Contact | Group] = []
    if contact_id:
        records.append(await backend.send(GetContact(contact_id=contact_id)))
    if group_id:
        records.append(await backend.send(GetContactGroup(group_id=group_id)))
    state: list[Any] = list(records)
    if risk is Risk.DESTROY and group_id:  # the person consents to deleting the group with these members
        state += (await backend.send(ListGroupMembers(group_id=group_id))).members
    label = " in ".join(map(describe_record, records)) or "a new record"
    changes_one = risk is Risk.WRITE and not (contact_id and group_id)
    is_known = changes_one or isinstance(arguments, DeleteContact | DeleteContactGroup | RemoveGroupMember)
    effect = _effect(risk, records) if is_known else _description(arguments)
    return Target(label, effect, hash_json([record.model_dump() for record in state]))


async def _read_erasure_target(backend: Backend, contact_id: str, reason: str) -> Target:
    _check_reason(reason)
    try:
        contact = await backend.send(GetContact(contact_id=contact_id))
    except NotFound:  # the service does not say whether the id ever existed, so the person must type it
        label = f"contact with id {contact_id}, which the service no longer shows"
        effect = f"All data that the service still keeps about it is erased.\n{_describe_reason(reason)}"
        return Target(label, effect, hash_json([]), contact_id)
    identity = contact.model_dump(include={"name", "company_name", "email", "phone_number"})
    if repeats_contact(reason, **identity):
        raise invalid_field("reason", "must not contain the contact's name, e-mail or number: the reason is kept")
    fingerprint, phrase = hash_json([contact.model_dump()]), _phrase(contact, contact_id)
    effect = f"{_CONTACT_EFFECT[Risk.ERASE]}\n{_describe_reason(reason)}"
    return Target(describe_record(contact), effect, fingerprint, phrase)


def _check_reason(reason: str) -> None:
    """Raise ValidationFailed if a reason is too long to show, or holds personal data of whomever."""
    if len(reason) > MAX_REASON_LENGTH:
        raise invalid_field("reason", f"should have at most {MAX_REASON_LENGTH:,} characters")
    if fault := find_fault(reason):
        raise invalid_field("reason", fault)


def _describe_reason(reason: str) -> str:
    """Show the reason, and whether a person should look for a name in it."""
    warning = " It may contain a name or an address: decline if it does." if may_name_a_person(reason) else ""
    return f"This reason is kept: {quote(reason, MAX_REASON_LENGTH)}.{warning}"


def describe_record(record: Contact | Group) -> str:
    """Describe a record so that a person can tell it from others of the same name.

    The time of the last change shows whether a model has just given the record its name.
    """
    known = [f"id {quote(record.id, _MAX_LABEL_LENGTH)[1:-1]}"]
    name = quote(record.name or "", _MAX_LABEL_LENGTH)
    if isinstance(record, Group):
        return f"group {name} ({', '.join([*known, *_describe_group(record)])})"
    values = (record.company_name, record.email, record.phone_number)
    known += [quote(value, _MAX_LABEL_LENGTH) for value in values if value]
    if record.updated_at:
        known.append(f"last changed {local_time(record.updated_at)}")
    kind = record.type if record.type in ("person", "company") else "contact"
    return f"{kind} {name} ({', '.join(known)})"


def _describe_group(group: Group) -> list[str]:
    """The size, the age and the last rename of a group, as far as the service tells."""
    members = group.member_count
    known = [] if members is None else [count(members, "member")]
    if group.created_at:
        known.append(f"created {local_time(group.created_at)}")
    if group.renamed_at:
        previous = quote(group.previous_name or "", _MAX_LABEL_LENGTH)
        known.append(f"renamed from {previous} {local_time(group.renamed_at)}")
    return known


def _phrase(contact: Contact, contact_id: str) -> str:
    """The text to type: the name as the question shows it, or the id if the name is too long or proves nothing."""
    name = quote(contact.name or "", _MAX_LABEL_LENGTH)[1:-1]
    proves_reading = any(map(str.isalnum, name)) and fold(name).strip(" .!?-") not in _STOCK_ANSWERS.split()
    return name if proves_reading and len(contact.name or "") <= _MAX_LABEL_LENGTH else contact_id


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
