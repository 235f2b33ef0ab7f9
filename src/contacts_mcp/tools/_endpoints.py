"""The endpoint tools: each is derived from the contract's call, a few with arguments or checks of their own."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import (
    CALLS,
    Call,
    Contact,
    ContactPage,
    CreateContact,
    CreateContactGroup,
    DeleteContactGroup,
    GdprDeleteContact,
    GetContact,
    Group,
    ListContactGroups,
    ListContacts,
    ListGroupMembers,
    Record,
    RemoveGroupMember,
    Tags,
    UpdateContact,
    UpdateContactGroup,
)
from contacts_mcp.guard import ValueChange
from contacts_mcp.tools._answers import Page, SavedContact, next_page, slice_page
from contacts_mcp.tools._arguments import blank_fields, describe_nothing
from contacts_mcp.tools._create_contact import CreateContactArguments, CreatedContact, prepare_creation
from contacts_mcp.tools._erasure import EraseArguments, ErasureResult, prepare_erasure
from contacts_mcp.tools._group_calls import SavedGroup, create_group, delete_group, remove_member
from contacts_mcp.tools._known_records import Deleted, GroupDeleted, MemberRemoved
from contacts_mcp.tools._targets import ListChanges, read_target
from contacts_mcp.tools._tool import Backend, Prepare, PreparedCall, Run, Tool
from contacts_mcp.tools._values import Remarks, describe_own_form, edit_tags, normalize_phone, require_tag_count


class ContactListing(ContactPage, Page):
    """One page of contacts."""


class FieldChange(Record):
    """A field that an update changed; an absent value is an empty one."""

    field: str
    before: str | None = None
    after: str | None = None
    added: list[str] | None = Field(default=None, description="Tags that the contact did not have.")
    removed: list[str] | None = Field(default=None, description="Tags that the contact no longer has.")


class UpdatedContact(SavedContact):
    """A contact after an update, and what changed. Notes are only in `changed`, if the call changed them.

    A caller who may not read gets the id and the names of the fields that were set.
    """

    changed: list[FieldChange]


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
    """Change, clear or tag a contact; omitted fields stay as they are."""

    tags: Tags | None = Field(default=None, description="Replaces all; or use add_tags.")
    add_tags: Tags | None = None
    remove_tags: Tags | None = None
    clear_fields: list[Literal["company_name", "phone_number", "email", "tags", "notes"]] | None = Field(
        default=None, description="Fields to empty."
    )

    @model_validator(mode="after")
    def _check_consistency(self, info: ValidationInfo) -> Self:
        given = self.model_fields_set - {"contact_id"}
        if not given:
            raise PydanticCustomError(
                "nothing", "{reason}", {"reason": describe_nothing(blank_fields(info, type(self)))}
            )
        cleared = set(self.clear_fields or ())
        if both := sorted(cleared & given):
            raise PydanticCustomError("both", "sets and clears the same field: " + ", ".join(both))
        if (given & {"add_tags", "remove_tags"}) and ("tags" in given or "tags" in cleared):
            raise PydanticCustomError("both", "replaces or clears tags and also adds or removes some: choose one")
        return self


class ListContactGroupsArguments(PageArguments, ListContactGroups):
    """List groups with ids and member counts; for the contacts in one, use list_group_members."""


class UpdateContactGroupArguments(UpdateContactGroup):
    """Rename a group or change its description; for its members, use add_group_members."""

    clear_fields: list[Literal["description"]] | None = None

    @model_validator(mode="after")
    def _check_consistency(self, info: ValidationInfo) -> Self:
        if not self.model_fields_set - {"group_id"}:
            raise PydanticCustomError(
                "nothing", "{reason}", {"reason": describe_nothing(blank_fields(info, type(self)))}
            )
        if self.clear_fields and self.description is not None:
            raise PydanticCustomError("both", "sets and clears the same field: description")
        return self


class ListGroupMembersArguments(PageArguments, ListGroupMembers):
    """List the contacts in a group: id, name and phone number; get_contact has all fields."""


async def _list_contacts(backend: Backend, call: ListContacts) -> ContactListing:
    found = await backend.send(call)
    page, per_page = found.page or call.page, found.per_page or max(call.per_page, len(found.contacts))
    following = next_page(page, per_page, len(found.contacts), found.total)
    return ContactListing(**{**dict(found), "page": page, "per_page": per_page, "next_page": following})


async def _update_contact(backend: Backend, arguments: UpdateContactArguments) -> UpdatedContact:
    before = await backend.send(GetContact(contact_id=arguments.contact_id))
    wanted, remarks = _wanted_fields(arguments, before, backend.default_region)
    if not backend.may_read:  # which fields differed would tell what is stored
        await backend.send(_update(arguments.contact_id, wanted))
        return UpdatedContact(id=before.id, changed=[FieldChange(field=name) for name in wanted], **remarks.fields())
    differing = _differing(wanted, before)
    after = before
    if differing:
        after = await backend.send(_update(arguments.contact_id, differing))
    changed = [name for name in differing if getattr(after, name) != getattr(before, name)]
    own_form = describe_own_form(differing, after)
    remarks.information.extend(own_form.values())
    if ignored := [name for name in differing if name not in changed and name not in own_form]:
        remarks.warnings.append("the service did not change: " + ", ".join(ignored))
    return UpdatedContact(
        **after.model_dump(exclude_unset=True, exclude={"notes"}),
        changed=[_describe_change(name, getattr(before, name), getattr(after, name)) for name in changed],
        **remarks.fields(),
    )


def _list_contact_changes(backend: Backend, arguments: UpdateContactArguments, before: Contact) -> list[ValueChange]:
    wanted, _ = _wanted_fields(arguments, before, backend.default_region)
    return _to_changes(_differing(wanted, before), before)


def _differing(wanted: Mapping[str, Any], before: Record) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value != getattr(before, name)}


def _to_changes(differing: Mapping[str, Any], before: Record) -> list[ValueChange]:
    return [ValueChange(name, getattr(before, name), value) for name, value in differing.items()]


def _describe_change(name: str, before: Any, after: Any) -> FieldChange:
    values: dict[str, Any] = {"before": before, "after": after}
    if name == "tags":
        values = {"added": [tag for tag in after if tag not in before]}
        values["removed"] = [tag for tag in before if tag not in after]
    return FieldChange(field=name, **{key: value for key, value in values.items() if value})


def _update(contact_id: str, fields: Mapping[str, Any]) -> UpdateContact:
    """Make the call. Its fields are not validated again: a stored tag may be longer than one in an argument."""
    return UpdateContact(contact_id=contact_id).model_copy(update=fields)


def _wanted_fields(
    arguments: UpdateContactArguments, before: Contact, region: str | None
) -> tuple[dict[str, Any], Remarks]:
    """The fields after the update, and remarks. Cleared tags become an empty list, other cleared fields null."""
    wanted = arguments.model_dump(exclude_unset=True, exclude={"contact_id", "add_tags", "remove_tags", "clear_fields"})
    number, remarks = normalize_phone(arguments.phone_number, region)
    if number is None:
        wanted.pop("phone_number", None)
    else:
        wanted["phone_number"] = number
    if arguments.add_tags or arguments.remove_tags:
        wanted["tags"] = edit_tags(before.tags, arguments.add_tags or [], arguments.remove_tags or [])
        require_tag_count(wanted["tags"], "add_tags", "the contact")
    for name in arguments.clear_fields or ():
        wanted[name] = [] if name == "tags" else None
    return wanted, remarks


async def _list_contact_groups(backend: Backend, arguments: ListContactGroupsArguments) -> GroupListing:
    found = await backend.send(ListContactGroups())
    groups, position = slice_page(found.groups, arguments.page, arguments.per_page)
    return GroupListing(groups=groups, **position)


async def _update_contact_group(backend: Backend, arguments: UpdateContactGroupArguments) -> Group:
    saved = await backend.send(UpdateContactGroup(group_id=arguments.group_id, **_group_fields(arguments)))
    return saved if backend.may_read else Group(id=saved.id, name=arguments.name, description=arguments.description)


def _list_group_changes(_: Backend, arguments: UpdateContactGroupArguments, before: Group) -> list[ValueChange]:
    return _to_changes(_differing(_group_fields(arguments), before), before)


def _group_fields(arguments: UpdateContactGroupArguments) -> dict[str, Any]:
    fields = arguments.model_dump(exclude_unset=True, exclude={"group_id", "clear_fields"})
    return fields | ({"description": None} if arguments.clear_fields else {})


async def _list_group_members(backend: Backend, arguments: ListGroupMembersArguments) -> MemberListing:
    found = await backend.send(ListGroupMembers(group_id=arguments.group_id))
    members, position = slice_page(found.members, arguments.page, arguments.per_page)
    return MemberListing(members=members, **position)


_SHOWN_WITHOUT_READ = ("id", "added")


async def _send(backend: Backend, call: Call[Any]) -> BaseModel:
    """Send the call. The answer of a deletion names what the call has read.

    A caller who may not read gets no stored fields of the record that it changes.
    """
    answer = await backend.send(call)
    if not isinstance(answer, BaseModel):
        return Deleted(done=True, records=[backend.known.name(getattr(call, name)) for name in call.path_fields])
    if backend.may_read or not call.path_fields:
        return answer
    return type(answer).model_validate(answer.model_dump(include=set(_SHOWN_WITHOUT_READ)))


class _Custom(NamedTuple):
    """What the tool of an endpoint has instead of its call's own."""

    run: Run = _send
    arguments: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    prepare: Prepare | None = None
    list_changes: ListChanges | None = None


def _derive_tool(call: type[Call[Any]], custom: _Custom) -> Tool:
    """Derive the tool of one endpoint."""

    async def prepare(backend: Backend, given: Any) -> PreparedCall:
        if custom.prepare:
            return await custom.prepare(backend, given)
        results: dict[str, Any] = {}

        async def run_and_note() -> BaseModel:
            made = await custom.run(backend, given)
            if call.method == "POST" and not call.path_fields:
                results["created_ids"] = [getattr(made, "id", None)]
            return made

        return PreparedCall(
            call.risk,
            run_and_note,
            lambda: read_target(backend, call.risk, given, custom.list_changes),
            values={} if custom.list_changes else given.model_dump(exclude_unset=True, exclude=set(call.path_fields)),
            results=results,
        )

    return Tool(
        name=call.tool_name(),
        risk=call.risk,
        overwrites=call.method in ("PATCH", "DELETE"),
        idempotent=call.idempotent,
        arguments=custom.arguments or call,
        answer=custom.answer or call.answer_type or Deleted,
        prepare=prepare,
        target_args=call.path_fields,
        is_time_limited=True,
    )


_CUSTOM: Mapping[type[Call[Any]], _Custom] = {
    ListContacts: _Custom(_list_contacts, answer=ContactListing),
    CreateContact: _Custom(arguments=CreateContactArguments, answer=CreatedContact, prepare=prepare_creation),
    UpdateContact: _Custom(_update_contact, UpdateContactArguments, UpdatedContact, list_changes=_list_contact_changes),
    GdprDeleteContact: _Custom(arguments=EraseArguments, answer=ErasureResult, prepare=prepare_erasure),
    ListContactGroups: _Custom(_list_contact_groups, ListContactGroupsArguments, GroupListing),
    CreateContactGroup: _Custom(create_group, answer=SavedGroup),
    DeleteContactGroup: _Custom(delete_group, answer=GroupDeleted),
    RemoveGroupMember: _Custom(remove_member, answer=MemberRemoved),
    UpdateContactGroup: _Custom(_update_contact_group, UpdateContactGroupArguments, list_changes=_list_group_changes),
    ListGroupMembers: _Custom(_list_group_members, ListGroupMembersArguments, MemberListing),
}
ENDPOINTS: tuple[Tool, ...] = tuple(_derive_tool(call, _CUSTOM.get(call, _Custom())) for call in CALLS)
"""One tool for each documented endpoint, in the order of the API documentation."""
