"""The endpoint tools: each is derived from the contract's call, a few with arguments or checks of their own."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import (
    AddGroupMembers,
    Call,
    Contact,
    ContactPage,
    ContactsError,
    CreateContact,
    CreateContactGroup,
    DeleteContact,
    DeleteContactGroup,
    GdprDeleteContact,
    GetContact,
    GetContactGroup,
    Group,
    ListContactGroups,
    ListContacts,
    ListGroupMembers,
    NotFound,
    Record,
    RemoveGroupMember,
    Risk,
    Tags,
    UpdateContact,
    UpdateContactGroup,
    invalid_field,
)
from contacts_mcp.erasure_reason import MAX_REASON_LENGTH, find_fault, may_name_a_person, repeats_contact
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.text import fold, quote
from contacts_mcp.tools._answers import Page, next_page, slice_page
from contacts_mcp.tools._duplicate_hint import warn_of_duplicates
from contacts_mcp.tools._tool import Backend, PreparedCall, Run, Tool
from contacts_mcp.tools._values import edit_tags, normalize_phone, require_tag_count

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
_PERSONAL_FIELDS = ("name", "company_name", "phone_number", "email", "tags", "notes")


class Done(Record):
    """The answer of a change that returns no record."""

    done: bool


class ContactListing(ContactPage, Page):
    """One page of contacts."""


class SavedContact(Contact):
    """A contact as it is now."""

    warnings: list[str] | None = None


class UpdatedContact(SavedContact):
    """A contact after an update; `changed` names the fields that differ from before.

    A caller who may not read gets the id and the names of the fields that were set.
    """

    changed: list[str]


class ErasureResult(Record):
    """What the service shows of a contact after its erasure; `left` names the fields that are still there."""

    erased: bool
    seen: str = Field(description="What the service showed afterwards.")
    left: list[str] | None = Field(default=None, description="Fields that the service still shows.")


class GroupListing(Page):
    """One page of groups."""

    groups: list[Group]


class MemberListing(Page):
    """One page of a group's members."""

    members: list[Contact]


class PageArguments(BaseModel):
    """Which page to return of a list that the API returns in one piece."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=50, ge=1, le=100)


class UpdateContactArguments(UpdateContact):
    """Change, clear or tag a contact; omitted fields stay as they are. To create one, use create_contact."""

    tags: Tags | None = Field(default=None, description="Replaces all tags; else use add_tags, remove_tags.")
    add_tags: Tags | None = None
    remove_tags: Tags | None = None
    clear_fields: list[Literal["company_name", "phone_number", "email", "tags", "notes"]] | None = Field(
        default=None, description="Fields to empty."
    )

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        given = self.model_fields_set - {"contact_id"}
        if not given:
            raise PydanticCustomError("nothing", "names nothing to change")
        cleared = set(self.clear_fields or ())
        if both := sorted(cleared & given):
            raise PydanticCustomError("both", "sets and clears the same field: " + ", ".join(both))
        if (given & {"add_tags", "remove_tags"}) and ("tags" in given or "tags" in cleared):
            raise PydanticCustomError("both", "replaces or clears tags and also adds or removes some: choose one")
        return self


class ListContactGroupsArguments(PageArguments, ListContactGroups):
    """List the groups with ids and member counts. For the contacts in a group, use list_group_members."""


class UpdateContactGroupArguments(UpdateContactGroup):
    """Rename a group or change its description; for its members, use add_group_members or remove_group_member."""

    clear_fields: list[Literal["description"]] | None = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if not self.model_fields_set - {"group_id"}:
            raise PydanticCustomError("nothing", "names nothing to change")
        if self.clear_fields and self.description is not None:
            raise PydanticCustomError("both", "sets and clears the same field: description")
        return self


class ListGroupMembersArguments(PageArguments, ListGroupMembers):
    """List the contacts in a group: id, name and phone number. For all fields of one, use get_contact."""


async def _list_contacts(backend: Backend, call: ListContacts) -> ContactListing:
    found = await backend.send(call)
    page, per_page = found.page or call.page, found.per_page or max(call.per_page, len(found.contacts))
    following = next_page(page, per_page, len(found.contacts), found.total)
    return ContactListing(**{**dict(found), "page": page, "per_page": per_page, "next_page": following})


async def _create_contact(backend: Backend, call: CreateContact) -> SavedContact:
    number, warnings = normalize_phone(call.phone_number, backend.default_region)
    if number != call.phone_number:
        call = call.model_copy(update={"phone_number": number})
    created = await backend.send(call)
    warnings += await warn_of_duplicates(backend, created)
    return SavedContact(**created.model_dump(exclude_unset=True), warnings=warnings or None)


async def _update_contact(backend: Backend, arguments: UpdateContactArguments) -> UpdatedContact:
    before = await backend.send(GetContact(contact_id=arguments.contact_id))
    wanted, warnings = _wanted_fields(arguments, before, backend.default_region)
    if not backend.may_read:  # which fields differed would tell what is stored
        await backend.send(UpdateContact(contact_id=arguments.contact_id, **wanted))
        return UpdatedContact(id=before.id, changed=list(wanted), warnings=warnings or None)
    differing = {name: value for name, value in wanted.items() if value != getattr(before, name)}
    after = before
    if differing:
        after = await backend.send(UpdateContact(contact_id=arguments.contact_id, **differing))
    changed = [name for name in differing if getattr(after, name) != getattr(before, name)]
    if ignored := [name for name in differing if name not in changed]:
        warnings.append("the service did not change: " + ", ".join(ignored))
    return UpdatedContact(**after.model_dump(exclude_unset=True), changed=changed, warnings=warnings or None)


def _wanted_fields(
    arguments: UpdateContactArguments, before: Contact, region: str | None
) -> tuple[dict[str, Any], list[str]]:
    """The fields after the update, and warnings. Cleared tags become an empty list, other cleared fields null."""
    wanted = arguments.model_dump(exclude_unset=True, exclude={"contact_id", "add_tags", "remove_tags", "clear_fields"})
    number, warnings = normalize_phone(arguments.phone_number, region)
    if number is None:
        wanted.pop("phone_number", None)
    else:
        wanted["phone_number"] = number
    if arguments.add_tags or arguments.remove_tags:
        wanted["tags"] = edit_tags(before.tags, arguments.add_tags or [], arguments.remove_tags or [])
        require_tag_count(wanted["tags"], "add_tags", "the contact")
    for name in arguments.clear_fields or ():
        wanted[name] = [] if name == "tags" else None
    return wanted, warnings


async def _gdpr_delete_contact(backend: Backend, call: GdprDeleteContact) -> ErasureResult:
    """Erase, then read the contact back: only what the service shows now is reported as erased."""
    before = await _read_contact(backend, call.contact_id)
    await backend.send(call)
    try:
        after = await _read_contact(backend, call.contact_id)
    except ContactsError:
        unread = "the service accepted the erasure, but the contact could not be read back: read it again to be sure"
        return ErasureResult(erased=False, seen=unread)
    if after is None:
        if before is None:
            unseen = "the service accepted the erasure; it did not show the contact before, so this cannot be checked"
            return ErasureResult(erased=False, seen=unseen)
        return ErasureResult(erased=True, seen="the service no longer shows the contact")
    # With nothing to compare with, every value counts as left.
    left = [
        name
        for name in _PERSONAL_FIELDS
        if getattr(after, name) and (before is None or getattr(before, name) == getattr(after, name))
    ]
    if left:
        seen = "the service accepted the erasure, but still shows personal data"
        return ErasureResult(erased=False, seen=seen, left=left)
    return ErasureResult(erased=True, seen="the contact is still listed, its personal data replaced or cleared")


async def _read_contact(backend: Backend, contact_id: str) -> Contact | None:
    try:
        return await backend.send(GetContact(contact_id=contact_id))
    except NotFound:
        return None


async def _list_contact_groups(backend: Backend, arguments: ListContactGroupsArguments) -> GroupListing:
    found = await backend.send(ListContactGroups())
    groups, position = slice_page(found.groups, arguments.page, arguments.per_page)
    return GroupListing(groups=groups, **position)


async def _update_contact_group(backend: Backend, arguments: UpdateContactGroupArguments) -> Group:
    changes = arguments.model_dump(exclude_unset=True, exclude={"clear_fields"})
    if arguments.clear_fields:
        changes["description"] = None
    saved = await backend.send(UpdateContactGroup(**changes))
    return saved if backend.may_read else Group(id=saved.id, name=arguments.name, description=arguments.description)


async def _list_group_members(backend: Backend, arguments: ListGroupMembersArguments) -> MemberListing:
    found = await backend.send(ListGroupMembers(group_id=arguments.group_id))
    members, position = slice_page(found.members, arguments.page, arguments.per_page)
    return MemberListing(members=members, **position)


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
    return Target(label, _effect(risk, records), hash_json([record.model_dump() for record in state]))


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
        known.append(f"last changed {record.updated_at:%Y-%m-%d %H:%M}")
    kind = record.type if record.type in ("person", "company") else "contact"
    return f"{kind} {name} ({', '.join(known)})"


def _describe_group(group: Group) -> list[str]:
    """The size, the age and the last rename of a group, as far as the service tells."""
    count = group.member_count
    known = [] if count is None else [f"{count:,} member{'' if count == 1 else 's'}"]
    if group.created_at:
        known.append(f"created {group.created_at:%Y-%m-%d %H:%M}")
    if group.renamed_at:
        previous = quote(group.previous_name or "", _MAX_LABEL_LENGTH)
        known.append(f"renamed from {previous} {group.renamed_at:%Y-%m-%d %H:%M}")
    return known


def _phrase(contact: Contact, contact_id: str) -> str:
    """The text to type: the name as the question shows it, or the id if the name is too long or proves nothing."""
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
            return "The contact is removed from the group, but stays in the directory."
        case _:
            return "A record is added."


async def _send(backend: Backend, call: Call[Any]) -> BaseModel:
    answer = await backend.send(call)
    return answer if isinstance(answer, BaseModel) else Done(done=True)


def _derive_tool(
    call: type[Call[Any]],
    run: Run = _send,
    *,
    arguments: type[BaseModel] | None = None,
    answer: type[BaseModel] | None = None,
) -> Tool:
    """Derive the tool of one endpoint; `run`, `arguments` and `answer` replace the call's own."""

    async def prepare(backend: Backend, given: Any) -> PreparedCall:
        return PreparedCall(
            call.risk,
            lambda: run(backend, given),
            lambda: read_target(backend, call.risk, given),
            values=given.model_dump(exclude_unset=True, exclude=set(call.path_fields)),
        )

    return Tool(
        name=call.tool_name(),
        risk=call.risk,
        overwrites=call.method in ("PATCH", "DELETE"),
        idempotent=call.idempotent,
        arguments=arguments or call,
        answer=answer or call.answer_type or Done,
        prepare=prepare,
        target_args=call.path_fields,
    )


ENDPOINTS: tuple[Tool, ...] = (
    _derive_tool(ListContacts, _list_contacts, answer=ContactListing),
    _derive_tool(CreateContact, _create_contact, answer=SavedContact),
    _derive_tool(GetContact),
    _derive_tool(UpdateContact, _update_contact, arguments=UpdateContactArguments, answer=UpdatedContact),
    _derive_tool(DeleteContact),
    _derive_tool(GdprDeleteContact, _gdpr_delete_contact, answer=ErasureResult),
    _derive_tool(ListContactGroups, _list_contact_groups, arguments=ListContactGroupsArguments, answer=GroupListing),
    _derive_tool(CreateContactGroup),
    _derive_tool(GetContactGroup),
    _derive_tool(UpdateContactGroup, _update_contact_group, arguments=UpdateContactGroupArguments),
    _derive_tool(DeleteContactGroup),
    _derive_tool(ListGroupMembers, _list_group_members, arguments=ListGroupMembersArguments, answer=MemberListing),
    _derive_tool(AddGroupMembers),
    _derive_tool(RemoveGroupMember),
)
"""One tool for each documented endpoint, in the order of the API documentation."""
