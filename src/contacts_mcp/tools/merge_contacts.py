"""merge_contacts: several records of one person become one; the others are deleted, after a person agreed."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
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
    NotFound,
    Record,
    Risk,
    UpdateContact,
)
from contacts_mcp.guard import PromptWording, Target, hash_json
from contacts_mcp.text import quote
from contacts_mcp.tools._answers import Brief, ShortAnswer
from contacts_mcp.tools._backend import Backend, refuse
from contacts_mcp.tools._job_counts import JobCounts
from contacts_mcp.tools._tags import retagged
from contacts_mcp.tools._targets import describe
from contacts_mcp.tools._tool import PreparedCall
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.steps import JobClient, RefreshingPlan, brief, cut, member_ids

_MOST = 20
_SINGLE = ("type", "name", "company_name", "phone_number", "email")
_SPARE = ("phone_number", "email")
"""What a contact has room for once, and a person may well have twice: the other one goes to the notes."""
_NOTES_LIMIT = 10_000


class MergeContacts(BaseModel):
    """Merge duplicates: unites fields, tags, notes and groups in the contact to keep, deletes the others. A person is
    asked once; find them by find_duplicate_contacts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    keep_id: ContactId = Field(description="The contact that stays.")
    merge_ids: list[ContactId] = Field(min_length=1, max_length=_MOST, description="Those that go into it.")
    prefer: Literal["keep", "newest"] = Field(default="keep", description="Whose value wins where they differ.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({self.keep_id.lower(), *map(str.lower, self.merge_ids)}) != 1 + len(self.merge_ids):
            raise PydanticCustomError("twice", "names a contact twice")
        return self


class Conflict(Record):
    """A field in which they differed, and how that was settled."""

    field: str
    kept: str
    dropped: list[str]
    settled: str


class Merged(ShortAnswer):
    """The contact that was kept, what was settled how, and what became of the others."""

    contact: Brief
    changed: list[str]
    conflicts: list[Conflict]
    groups_joined: list[str]
    deleted: list[str]
    not_deleted: list[str] | None = None
    next: str | None = None


@dataclass(slots=True)
class _Merge:
    """What is to be done: the records as they are, the values that the kept one gets, the groups it joins."""

    keep: Contact
    others: list[Contact]
    prefer: str
    groups: list[Group]
    values: dict[str, Any] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in _SINGLE:
            self._settle(name)
        self.values["tags"] = retagged(self.keep.tags, [tag for other in self.others for tag in other.tags])
        self.values["notes"] = self._notes()
        self.values = {name: value for name, value in self.values.items() if value != getattr(self.keep, name)}

    def _settle(self, name: str) -> None:
        """Choose one of the values that there are; a value wins against none without a conflict."""
        order = [self.keep, *self.others]
        if self.prefer == "newest":
            order.sort(key=lambda contact: contact.updated_at.timestamp() if contact.updated_at else 0, reverse=True)
        found: dict[str, str] = {}
        for contact in order:
            if value := getattr(contact, name):
                found.setdefault(value.casefold(), value)
        if not found:
            return
        kept, *dropped = found.values()
        self.values[name] = kept
        if dropped:
            whose = "the newest" if self.prefer == "newest" else "the contact to keep"
            settled = f"{whose} wins" + ("; the other is in the notes" if name in _SPARE else "")
            shown = [cut(value) or "" for value in dropped]
            self.conflicts.append(Conflict(field=name, kept=cut(kept) or "", dropped=shown, settled=settled))
            self._spare(name, dropped)

    def _spare(self, name: str, dropped: list[str]) -> None:
        if name in _SPARE:
            self.values.setdefault("spare", []).extend(dropped)

    def _notes(self) -> str | None:
        """Every note once, and what the record has no other room for."""
        spare: list[str] = self.values.pop("spare", [])
        notes = [contact.notes for contact in (self.keep, *self.others) if contact.notes]
        known = "\n".join(notes)
        also = [value for value in spare if value not in known]
        lines = list(dict.fromkeys(notes)) + ([f"Also: {', '.join(also)}"] if also else [])
        return "\n".join(lines) or None

    def target(self) -> Target:
        """What a person is asked about: all of them by name."""
        lines = [f"- {describe(other)}" for other in self.others]
        settled = [f"{each.field}: {quote(each.kept, 60)} stays" for each in self.conflicts]
        effect = "These are deleted, and what they have goes into it:\n" + "\n".join(lines)
        groups = f"\nIt joins {len(self.groups)} of their groups." if self.groups else ""
        differing = f"\nWhere they differ, {'; '.join(settled)}." if settled else ""
        state = [contact.model_dump() for contact in (self.keep, *self.others)]
        seen = hash_json([*state, sorted(group.id for group in self.groups)])
        return Target(describe(self.keep), effect + differing + groups, "", seen)


async def _prepare(backend: Backend, arguments: MergeContacts) -> PreparedCall:
    async def look() -> _Merge:
        return await _look(JobClient(backend), arguments)

    fresh, counts = RefreshingPlan(await look(), look), JobCounts()

    async def read_target() -> Target:
        return (await fresh()).target()

    return PreparedCall(Risk.DESTROY, lambda: _merge(JobClient(backend), fresh.value, counts), read_target, counts)


async def _look(pace: JobClient, arguments: MergeContacts) -> _Merge:
    """Read the contacts, and the groups of which the others are members and the kept one is not.

    Raises:
        NotFound: one of them is not there; it says which.
        ValidationFailed: the notes of all do not fit into one contact.
    """
    ids = [arguments.keep_id, *arguments.merge_ids]
    found: dict[str, Contact] = {}

    async def read(contact_id: str) -> None:
        try:
            found[contact_id] = await pace.send(GetContact(contact_id=contact_id))
        except NotFound:
            raise NotFound(f"there is no contact {contact_id}", advice="nothing was merged; leave it out") from None

    await pace.map_concurrently(ids, read)
    keep, *others = (found[contact_id] for contact_id in ids)
    merge = _Merge(keep, others, arguments.prefer, await _groups_of(pace, keep, others))
    if len(merge.values.get("notes") or "") > _NOTES_LIMIT:
        raise refuse(
            "merge_ids", f"their notes together have more than {_NOTES_LIMIT:,} characters", "shorten them first"
        )
    return merge


async def _groups_of(pace: JobClient, keep: Contact, others: list[Contact]) -> list[Group]:
    theirs = {other.id for other in others}
    joining: list[Group] = []

    async def look(group: Group) -> None:
        if group.member_count == 0:
            return
        try:
            members = await member_ids(pace, group.id)
        except NotFound:
            return  # somebody else deleted it
        if theirs & members and keep.id not in members:
            joining.append(group)

    await pace.map_concurrently((await pace.send(ListContactGroups())).groups, look)
    return sorted(joining, key=lambda group: group.id)


async def _merge(pace: JobClient, merge: _Merge, counts: JobCounts) -> Merged:
    """First everything into the kept one, seen to be there, and only then delete the others."""
    counts.to_do = bool(merge.values) + len(merge.groups) + len(merge.others)
    kept = merge.keep
    if merge.values:
        kept = await pace.send(UpdateContact(contact_id=kept.id, **merge.values))
        counts["updated"] += 1
    joined = []
    for group in merge.groups:
        if await _join(pace, group, kept):
            joined.append(group)
            counts["joined"] += 1
        else:
            counts.to_do -= 1
    left: dict[str, str] = {}
    for other in merge.others:
        try:
            await pace.send(DeleteContact(contact_id=other.id))
            counts["merged"] += 1
        except NotFound:
            counts["merged"] += 1  # somebody else deleted it
        except ContactsError as exc:
            counts["not_deleted"] += 1
            left[other.id] = exc.code
    return Merged(
        contact=brief(kept),
        changed=list(merge.values),
        conflicts=merge.conflicts,
        groups_joined=[cut(group.name) or group.id for group in joined],
        deleted=[other.id for other in merge.others if other.id not in left],
        not_deleted=[f"{contact_id}: {code}" for contact_id, code in left.items()] or None,
        next="everything is in the kept contact; call again for what was not deleted" if left else None,
    )


async def _join(pace: JobClient, group: Group, contact: Contact) -> bool:
    """Whether the contact has joined; a group that somebody else deleted meanwhile is nobody's any more."""
    try:
        await pace.send(AddGroupMembers(group_id=group.id, contact_ids=[contact.id]))
    except NotFound:
        return False
    return True


merge_contacts = workflow_tool(
    "merge_contacts",
    MergeContacts,
    Merged,
    _prepare,
    risk=Risk.DESTROY,
    target_args=("keep_id", "merge_ids"),
    wording=PromptWording("Merge into", "merge"),
)
