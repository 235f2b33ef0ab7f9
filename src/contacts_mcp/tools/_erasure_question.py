"""The question before an erasure: every record that is erased, and related records that the person can include."""

from collections.abc import Sequence

from contacts_mcp.contract import Contact, PersonRecord, invalid_field
from contacts_mcp.erasure_reason import MAX_REASON_LENGTH, find_fault, may_name_a_person, repeats_contact
from contacts_mcp.guard import Choice, Choices, Target, hash_json
from contacts_mcp.text import fold, quote
from contacts_mcp.tools._changes import describe_contact
from contacts_mcp.tools._person import KnownPerson
from contacts_mcp.tools._related import RelatedRecord, RelatedRecords
from contacts_mcp.tools._targets import MAX_LABEL_LENGTH, describe_record

_EFFECT = "All personal data is erased: name, company, phone, e-mail, tags, notes."
_UNSEEN_EFFECT = (
    "The service does not say whether it was deleted, was erased or never existed. All data that the service still"
    " keeps about this id is erased."
)
_MAX_LISTED = 20
_NAME_LENGTH, _VALUE_LENGTH = 40, 30
_MAX_VALUES = 2
_PHRASE_ID_LENGTH = 4
# Words that people and hosts enter into a form without reading it, or to say no. A contact can have such a name, by
# chance or because a model renamed it, so typing the name would not prove that a person read the question.
_STOCK_ANSWERS = (
    "accept agree agreed cancel confirm confirmed continue da decline delete erase false fine ja keep n na nai nao ne "
    "nee nei nein nej never nie no non none nope null ok okay oui proceed refuse remove si stop sure test true y yes"
)


def erasure_target(
    contact_id: str, person: KnownPerson, included: Sequence[RelatedRecord], related: RelatedRecords, reason: str
) -> Target:
    """Build the target of an erasure: a contact with what was merged into it, and the `included` related records.

    The other related records are choices. The fingerprint covers all of them.
    """
    included_ids = {each.record.id for each in included}
    offered = [each for each in related.named if each.record.id not in included_ids]
    shown = person.contact
    label = describe_record(shown) if shown else f"contact with id {contact_id}, which the service no longer shows"
    effect = [_EFFECT if shown else _UNSEEN_EFFECT, *_list_merged(person.merged)]
    effect += [line for each in included for line in _describe_included(each)]
    effect.append(_describe_reason(reason))
    items = [Choice(each.record.id, _describe_name(each), _describe_related(each)) for each in offered]
    why = "These records are not linked to it, but may be the same person"
    choices = Choices("related_ids", why, items, _describe_more(related))
    phrase = _phrase(shown.name if shown else None, contact_id)
    return Target(label, "\n".join(effect), _fingerprint(person, related), phrase, choices)


def check_reason(reason: str) -> None:
    """Raise ValidationFailed if a reason is too long to show, or holds personal data of any person."""
    if len(reason) > MAX_REASON_LENGTH:
        raise invalid_field("reason", f"should have at most {MAX_REASON_LENGTH:,} characters")
    if fault := find_fault(reason):
        raise invalid_field("reason", fault)


def check_reason_against(reason: str, records: Sequence[Contact]) -> None:
    """Raise ValidationFailed if a reason holds personal data of one of these records."""
    for record in records:
        if repeats_contact(reason, **record.model_dump(include={"name", "company_name", "email", "phone_number"})):
            raise invalid_field("reason", "must not contain the contact's name, e-mail or number: the reason is kept")


def _list_merged(merged: Sequence[PersonRecord]) -> list[str]:
    left = [each for each in merged if each.status != "erased"]
    if not left:
        return []
    lines = [f"- {describe_contact(each.id, each.name, _NAME_LENGTH)}" for each in left[:_MAX_LISTED]]
    more = [f"and {len(left) - _MAX_LISTED:,} more"] if len(left) > _MAX_LISTED else []
    noun = "record that was" if len(left) == 1 else f"{len(left):,} records that were"
    return [f"With it, the {noun} merged into it:", *lines, *more]


def _describe_included(related: RelatedRecord) -> list[str]:
    """Describe a related record that is erased as well, with the ids of what was merged into it."""
    shared = ", ".join(related.shared)
    return [f"Also erased ({shared}): {describe_record(related.record)}", *_list_merged(related.merged)]


def _describe_name(related: RelatedRecord) -> str:
    return f"{quote(related.record.name or '', _NAME_LENGTH)}, {_status(related.record)}"


def _describe_related(related: RelatedRecord) -> str:
    """Describe a record that is offered, so that a person can tell it from others of the same name."""
    record = related.record
    values = [each for each in (record.company_name, record.email, record.phone_number) if each][:_MAX_VALUES]
    known = [*(quote(each, _VALUE_LENGTH) for each in values), _status(record)]
    if related.merged:
        known.append(f"with {len(related.merged):,} merged into it")
    named = describe_contact(record.id, record.name, _NAME_LENGTH)
    return f"{named}: {', '.join(related.shared)}; {', '.join(known)}"


def _status(record: PersonRecord) -> str:
    return f"deleted {record.deleted_at:%Y-%m-%d}" if record.deleted_at else record.status


def _describe_more(related: RelatedRecords) -> str:
    """Say which related records the question does not name."""
    parts = [f"{related.more:,} more may be the same person; they stay."] if related.more else []
    return " ".join([*parts, *([f"Not complete: {related.gap}."] if related.gap else [])])


def _describe_reason(reason: str) -> str:
    """Show the reason, and whether a person should look for a name in it."""
    warning = " It may contain a name or an address: decline if it does." if may_name_a_person(reason) else ""
    return f"This reason is kept: {quote(reason, MAX_REASON_LENGTH)}.{warning}"


def _fingerprint(person: KnownPerson, related: RelatedRecords) -> str:
    named = [[[each.model_dump() for each in one.records], list(one.shared)] for one in related.named]
    return hash_json([[each.model_dump() for each in person.records], named, related.more, related.gap])


def _phrase(name: str | None, contact_id: str) -> str:
    """The text to type: the name as the question shows it; a short phrase if that is too long or proves nothing."""
    shown = quote(name or "", MAX_LABEL_LENGTH)[1:-1]
    proves_reading = any(map(str.isalnum, shown)) and fold(shown).strip(" .!?-") not in _STOCK_ANSWERS.split()
    if proves_reading and len(name or "") <= MAX_LABEL_LENGTH:
        return shown
    return f"erase {contact_id[:_PHRASE_ID_LENGTH].lower()}"
