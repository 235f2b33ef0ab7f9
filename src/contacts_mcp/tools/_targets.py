"""The target of an endpoint's call, as the directory describes it now; the guard's questions are built from it."""

from typing import Any

from pydantic import BaseModel

from contacts_mcp.contract import Contact, GetContact, GetContactGroup, Group, ListGroupMembers, NotFound, Risk
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.text import digits, fold, quote, search_tokens
from contacts_mcp.tools._backend import Backend, invalid_argument

_MAX_LABEL_LENGTH = 80
_CONTACT_EFFECT = {
    Risk.WRITE: "The contact is changed.",
    Risk.DESTROY: "The contact is removed from all groups. "
    "WAYSCloud keeps the data, but this server cannot restore it.",
    Risk.ERASE: "All personal data is erased: name, company, phone, e-mail, tags, notes.",
}
# Words that people and hosts enter into a form without reading it, or to say no. A contact can have such a name, by
# chance or because a model renamed it, so typing the name would not prove that a person read the question.
_STOCK_ANSWERS = (
    "accept agree agreed cancel confirm confirmed continue da decline delete erase false fine ja keep n na nai nao ne "
    "nee nei nein nej never nie no non none nope null ok okay oui proceed refuse remove si stop sure test true y yes"
)
_MIN_PHONE_DIGITS = 7
"""Digits at the end of a number that identify its owner."""


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
    return Target(
        label=" in ".join(map(describe_record, records)) or "a new record",
        effect=_effect(risk, records),
        phrase="",
        fingerprint=hash_json([record.model_dump() for record in state]),
    )


async def _read_erasure_target(backend: Backend, contact_id: str, reason: str) -> Target:
    try:
        contact = await backend.send(GetContact(contact_id=contact_id))
    except NotFound:  # deleted before, or never there; the service does not tell, so the id has to be typed
        label = f"contact with id {contact_id}, which the service no longer shows"
        return Target(label, "All data that the service still keeps of it is erased.", contact_id, hash_json([]))
    if _reveals_identity(contact, reason):
        raise invalid_argument("reason", "must not contain the contact's name, e-mail or number: the reason is kept")
    phrase, fingerprint = _phrase(contact, contact_id), hash_json([contact.model_dump()])
    return Target(describe_record(contact), _CONTACT_EFFECT[Risk.ERASE], phrase, fingerprint)


def describe_record(record: Contact | Group) -> str:
    """Describe a record so that a person can tell it from others of the same name.

    The time of the last change shows whether a model has just given the record its name.
    """
    known = [f"id {quote(record.id, _MAX_LABEL_LENGTH)[1:-1]}"]
    name = quote(record.name or "", _MAX_LABEL_LENGTH)
    if isinstance(record, Group):
        return f"group {name} ({known[0]})"
    known += [
        quote(value, _MAX_LABEL_LENGTH) for value in (record.company_name, record.email, record.phone_number) if value
    ]
    if record.updated_at:
        known.append(f"last changed {record.updated_at:%Y-%m-%d %H:%M}")
    kind = record.type if record.type in ("person", "company") else "contact"
    return f"{kind} {name} ({', '.join(known)})"


def _phrase(contact: Contact, contact_id: str) -> str:
    """What has to be typed: the name as the question shows it, or the id if the name is too long or proves nothing."""
    name = quote(contact.name or "", _MAX_LABEL_LENGTH)[1:-1]
    proves_reading = any(map(str.isalnum, name)) and fold(name).strip(" .!?-") not in _STOCK_ANSWERS.split()
    return name if proves_reading and len(contact.name or "") <= _MAX_LABEL_LENGTH else contact_id


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


def _reveals_identity(contact: Contact, reason: str) -> bool:
    """Whether a reason contains the contact's name, e-mail address or number."""
    folded = fold(reason)
    name = search_tokens(contact.name or "")
    number = digits(contact.phone_number or "")
    return (
        (len(name) > 1 and all(word in folded for word in name))  # a single word may be an ordinary one
        or bool(contact.email and fold(contact.email) in folded.replace(" ", ""))
        or (len(number) >= _MIN_PHONE_DIGITS and number[-_MIN_PHONE_DIGITS:] in digits(reason))
    )
