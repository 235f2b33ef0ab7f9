"""merge_contacts: combine several records of one person in one contact, and delete the others after a person agreed."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import (
    AddGroupMembers,
    Contact,
    ContactId,
    ContactsError,
    DeleteContact,
    GetContact,
    Group,
    ListContactGroups,
    MergeRecords,
    NotFound,
    Record,
    Risk,
    UpdateContact,
    invalid_field,
)
from contacts_mcp.guard import PromptWording, Target, hash_json
from contacts_mcp.matching import is_same_value
from contacts_mcp.text import quote
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, join_names, one_line, summarize
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._changes import Change, describe_contact, describe_values
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._person import offers_persons
from contacts_mcp.tools._plan import prepare_apply
from contacts_mcp.tools._select import fetch_member_ids
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import Backend, JobCounts, PreparedCall, Tool
from contacts_mcp.tools._values import edit_tags, require_tag_count

_MAX_MERGED = 20
_MAX_DESCRIBED = 3  # contacts of which the question shows more than the name and id
_SINGLE_FIELDS = ("type", "name", "company_name", "phone_number", "email")
_FIELDS_KEPT_IN_NOTES = ("phone_number", "email")  # a person may have two, a contact has room for one
_MAX_NOTES_LENGTH = 10_000


class MergeContacts(Arguments):
    """Merge merge_ids into keep_id and delete them; a second number or address stays in notes. See
    find_duplicate_contacts.
    """

    keep_id: ContactId
    merge_ids: list[ContactId] = Field(min_length=1, max_length=_MAX_MERGED)
    prefer: Literal["keep", "newest"] = Field(default="keep", description="Whose values win.")

    @model_validator(mode="after")
    def _check_ids_differ(self) -> Self:
        if len({self.keep_id.lower(), *map(str.lower, self.merge_ids)}) != 1 + len(self.merge_ids):
            raise PydanticCustomError("twice", "names a contact twice")
        return self


class FieldConflict(Record):
    """A field in which the contacts differed."""

    field: str
    kept: str
    dropped: list[str]
    resolution: str = Field(description="Whose value won, and where the others are.")


class Merged(ShortAnswer):
    """The contact that was kept, and what happened to the others."""

    contact: ContactSummary
    changed: list[str] = Field(description="Fields of the kept contact that changed.")
    conflicts: list[FieldConflict]
    groups_joined: list[str] = Field(description="Groups that the kept contact was added to.")
    groups_left: list[str] | None = Field(default=None, description="Ids of groups that lost deleted contacts.")
    deleted: list[str] = Field(description="Ids of the deleted contacts.")
    not_deleted: list[str] | None = Field(default=None, description="Ids of contacts that remain, and why.")
    next: str | None = None


@dataclass(slots=True)
class _Merge:
    """A merge: the contacts as they are, the values that the kept one gets, and the groups it is added to.

    `groups_left` are the ids of all groups of the others.
    """

    keep: Contact
    others: list[Contact]
    prefer: str
    groups: list[Group]
    groups_left: list[str]
    has_persons: bool
    region: str | None
    risk: Risk = Risk.DESTROY
    values: dict[str, Any] = field(default_factory=dict)
    conflicts: list[FieldConflict] = field(default_factory=list)
    _dropped_for_notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in _SINGLE_FIELDS:
            self._combine_field(name)
        self.values["tags"] = edit_tags(self.keep.tags, [tag for other in self.others for tag in other.tags])
        self.values["notes"] = self._combine_notes()
        self.values = {name: value for name, value in self.values.items() if value != getattr(self.keep, name)}

    def _combine_field(self, name: str) -> None:
        """Choose one of the values; an empty field is no conflict."""
        order = [self.keep, *self.others]
        if self.prefer == "newest":
            order.sort(key=lambda contact: contact.updated_at.timestamp() if contact.updated_at else 0, reverse=True)
        found: list[str] = []
        for contact in order:
            value = getattr(contact, name)
            if value and not any(is_same_value(name, value, each, self.region) for each in found):
                found.append(value)
        if not found:
            return
        kept, *dropped = found
        self.values[name] = kept
        if not dropped:
            return
        resolution = f"{'the newest contact' if self.prefer == 'newest' else 'the contact to keep'} wins"
        if name in _FIELDS_KEPT_IN_NOTES:
            self._dropped_for_notes += dropped
            resolution += "; the other value is kept in the notes"
        shown = [one_line(value) or "" for value in dropped]
        conflict = FieldConflict(field=name, kept=one_line(kept) or "", dropped=shown, resolution=resolution)
        self.conflicts.append(conflict)

    def _combine_notes(self) -> str | None:
        """Each note once, and the values that have no room elsewhere."""
        notes = [contact.notes for contact in (self.keep, *self.others) if contact.notes]
        known = "\n".join(notes)
        also = [value for value in self._dropped_for_notes if value not in known]
        lines = list(dict.fromkeys(notes)) + ([f"Also: {', '.join(also)}"] if also else [])
        return "\n".join(lines) or None

    def list_targets(self) -> list[str]:
        return [self.keep.id, *(other.id for other in self.others)]

    def to_target(self) -> Target:
        """The question names all contacts, the values that change, those that are lost, and the groups."""
        effect = ["Its data is completed from these contacts, which are then deleted:", *self._list_others()]
        before = {name: getattr(self.keep, name) for name in self.values}
        if self.values:
            change = Change(self.keep.id, self.keep.name, before, self.values)
            effect.append(f"In the kept contact: {describe_values(change)}.")
        if lost := [each for each in self.conflicts if each.field not in _FIELDS_KEPT_IN_NOTES]:
            values = [f"{each.field} {join_names([quote(value, 30) for value in each.dropped], 2)}" for each in lost]
            effect.append(f"Not kept: {'; '.join(values)}.")
        if self.groups:
            names = join_names([quote(group.name or "", 40) for group in self.groups], 3)
            effect.append(f"The kept contact is added to {len(self.groups)} of their groups: {names}.")
        state = [contact.model_dump() for contact in (self.keep, *self.others)]
        fingerprint = hash_json([*state, sorted((group.id, group.name) for group in self.groups)])
        return Target(describe_record(self.keep), "\n".join(effect), fingerprint)

    def _list_others(self) -> list[str]:
        """A line for each of the contacts that are deleted; short lines if they are many."""
        if len(self.others) <= _MAX_DESCRIBED:
            return [f"- {describe_record(other)}" for other in self.others]
        return [f"- {describe_contact(other.id, other.name, 20)}" for other in self.others]

    async def apply(self, client: JobClient, counts: JobCounts) -> Merged:
        """Update the kept contact and add it to the groups; only after that delete the others."""
        counts.to_do = bool(self.values) + len(self.groups) + len(self.others)
        kept = self.keep
        async with client.cancel_grace():
            if self.values:
                kept = await client.send(UpdateContact(contact_id=kept.id, **self.values))
                counts["updated"] += 1
            joined = [group for group in self.groups if await _join_group(client, group, kept, counts)]
            errors = await self._delete_others(client, counts)
        return Merged(
            contact=summarize(kept),
            changed=list(self.values),
            conflicts=self.conflicts,
            groups_joined=[one_line(group.name) or group.id for group in joined],
            groups_left=self.groups_left or None,
            deleted=[other.id for other in self.others if other.id not in errors],
            not_deleted=[f"{contact_id}: {code}" for contact_id, code in errors.items()] or None,
            next="the kept contact has all data; call again to delete the contacts in not_deleted" if errors else None,
        )

    async def _delete_others(self, client: JobClient, counts: JobCounts) -> dict[str, str]:
        """Delete the others; return the error's code for each that is still there.

        A directory that can, links them to the kept contact, so that an erasure of that one reaches them, too.
        """
        ids = [other.id for other in self.others]
        if self.has_persons:
            try:
                await client.send(MergeRecords(contact_id=self.keep.id, merge_ids=ids))
            except ContactsError as exc:
                counts["not_deleted"] += len(ids)
                return dict.fromkeys(ids, exc.code)
            counts["deleted"] += len(ids)
            return {}
        deletions = [(other.id, await _delete_contact(client, other, counts)) for other in self.others]
        return {contact_id: error for contact_id, error in deletions if error}


async def _prepare(backend: Backend, arguments: MergeContacts) -> PreparedCall:
    return await prepare_apply(await _plan_merge(JobClient(backend), arguments), _plan_merge, backend, arguments)


async def _plan_merge(client: JobClient, arguments: MergeContacts) -> _Merge:
    """Read the contacts, and the groups that the others are members of and the kept one is not.

    Raises NotFound, which names the contact; ValidationFailed if the combined notes are too long for one contact; and
    RecordsUnknown if the service does not say whether it links merged records.
    """
    has_persons = await offers_persons(client.backend)

    async def read(contact_id: str) -> Contact:
        try:
            return await client.send(GetContact(contact_id=contact_id))
        except NotFound:
            raise NotFound(f"there is no contact {contact_id}", advice="nothing was merged; leave it out") from None

    keep, *others = await client.map_concurrently([arguments.keep_id, *arguments.merge_ids], read)
    groups, joining = await _find_groups(client, keep, others)
    merge = _Merge(
        keep,
        others,
        arguments.prefer,
        joining,
        [group.id for group in groups],
        has_persons,
        client.backend.default_region,
    )
    if len(merge.values.get("notes") or "") > _MAX_NOTES_LENGTH:
        reason = f"their notes together have more than {_MAX_NOTES_LENGTH:,} characters"
        raise invalid_field("merge_ids", reason, "shorten them first")
    require_tag_count(merge.values.get("tags") or [], "merge_ids", "the contact to keep")
    return merge


async def _find_groups(client: JobClient, keep: Contact, others: list[Contact]) -> tuple[list[Group], list[Group]]:
    """Return the groups of the others, and those of them that the kept contact is not a member of."""
    other_ids = {other.id for other in others}

    async def read_members(group: Group) -> set[str]:
        try:
            return await fetch_member_ids(client, group.id)
        except NotFound:
            return set()  # deleted meanwhile

    groups = [group for group in (await client.send(ListContactGroups())).groups if group.member_count != 0]
    members = await client.map_concurrently(groups, read_members)
    found = [(group, ids) for group, ids in zip(groups, members, strict=True) if not other_ids.isdisjoint(ids)]
    found.sort(key=lambda each: each[0].id)
    return [group for group, _ in found], [group for group, ids in found if keep.id not in ids]


async def _join_group(client: JobClient, group: Group, contact: Contact, counts: JobCounts) -> bool:
    """Whether the contact was added; a group that was deleted meanwhile is left out."""
    try:
        await client.send(AddGroupMembers(group_id=group.id, contact_ids=[contact.id]))
    except NotFound:
        counts.to_do = (counts.to_do or 1) - 1
        return False
    counts["joined"] += 1
    return True


async def _delete_contact(client: JobClient, contact: Contact, counts: JobCounts) -> str | None:
    """Delete a contact; return the error's code if it is still there."""
    try:
        await client.send(DeleteContact(contact_id=contact.id))
    except NotFound:
        pass  # deleted meanwhile
    except ContactsError as exc:
        counts["not_deleted"] += 1
        return exc.code
    counts["deleted"] += 1
    return None


merge_contacts = Tool(
    name="merge_contacts",
    risk=Risk.DESTROY,
    arguments=MergeContacts,
    answer=Merged,
    prepare=_prepare,
    target_args=("keep_id", "merge_ids"),
    wording=PromptWording("Merge into", "merge"),
    shows_stored_data=True,
)
