"""add_matching_to_group: add the contacts that match a filter to a group; their ids never pass through the model."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import Contact, GetContactGroup, Group, Risk
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, summarize
from contacts_mcp.tools._changes import describe_contact, list_lines
from contacts_mcp.tools._job import JobClient, add_to_group
from contacts_mcp.tools._new_group import GroupArguments, NewGroup, create_if_new, read_group
from contacts_mcp.tools._plan import PlanArguments, fingerprint_plan, plan_or_apply
from contacts_mcp.tools._select import FilterArguments, iter_contacts
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import JobCounts, Tool
from contacts_mcp.tools._turns import iter_sorted
from contacts_mcp.wording import count

_SAMPLE_SIZE = 5


class AddMatchingToGroup(GroupArguments, FilterArguments, PlanArguments):
    """Add all contacts that match a filter to a group. First shows a plan; for a few known ids, use
    add_group_members.
    """

    @model_validator(mode="after")
    def _check_group(self) -> Self:
        if not (self.group_id or self.group):
            raise PydanticCustomError("group", "names no group: give group_id, or group instead")
        return self


class MatchingAdded(ShortAnswer):
    """The plan, or what was added. `already_members` + `adds` (or `added`) = `matched`."""

    applied: bool
    group: str | None
    matched: int = Field(description="Contacts that match the filter.")
    already_members: int = Field(description="Matching contacts that are already in the group.")
    adds: int | None = Field(default=None, description="Contacts that the plan adds.")
    added: int | None = Field(default=None, description="Added contacts.")
    members: int = Field(description="Members of the group afterwards.")
    creates_group: str | None = Field(default=None, description="Group that the plan creates.")
    created_group: str | None = Field(default=None, description="Id of the group that was created.")
    sample: list[ContactSummary]
    plan: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    group: Group
    member_count: int
    matched: int
    ids: list[str]
    sample: list[Contact]
    fingerprint: str
    risk: Risk = Risk.WRITE

    @property
    def change_count(self) -> int:
        return len(self.ids) + isinstance(self.group, NewGroup)

    def to_answer(self, **fields: str | None) -> MatchingAdded:
        creates = self.group.name if isinstance(self.group, NewGroup) else None
        members = self.member_count + len(self.ids)
        return self._answer(members, applied=False, adds=len(self.ids), creates_group=creates, **fields)

    def list_targets(self) -> list[str]:
        return self.ids

    def to_target(self) -> Target:
        label = f"{count(len(self.ids), 'contact')} to {describe_record(self.group)}"
        names = list_lines([describe_contact(each.id, each.name) for each in self.sample], len(self.ids))
        state = [self.fingerprint, self.group.model_dump(), [each.name for each in self.sample]]
        return Target(label, f"It adds:\n{names}", hash_json(state))

    async def apply(self, client: JobClient, counts: JobCounts) -> MatchingAdded:
        counts.to_do = len(self.ids)
        progress = client.progress("contacts added", counts.to_do)
        group = await create_if_new(client, self.group, counts)
        await add_to_group(client, group.id, self.ids, lambda count: counts.update(added=count), progress)
        filled = await client.send(GetContactGroup(group_id=group.id))
        members = filled.member_count or self.member_count + len(self.ids)
        created = group.id if isinstance(self.group, NewGroup) else None
        return self._answer(members, applied=True, added=counts["added"], created_group=created)

    def _answer(self, members: int, **more: Any) -> MatchingAdded:
        return MatchingAdded(
            group=self.group.name,
            matched=self.matched,
            already_members=self.matched - len(self.ids),
            members=members,
            sample=[summarize(contact) for contact in self.sample],
            **more,
        )


async def _make_plan(client: JobClient, arguments: AddMatchingToGroup) -> _Plan:
    group, members = await read_group(client, arguments)
    assert group
    ids: list[str] = []
    sample: list[Contact] = []
    matched = 0
    async for page in iter_contacts(client, arguments.filter, ("id", "name"), client.progress("contacts read")):
        missing = [contact for contact in page if contact.id not in members]
        matched += len(page)
        ids += [contact.id for contact in missing]
        sample += missing[: _SAMPLE_SIZE - len(sample)]
    fingerprint = await fingerprint_plan(arguments, iter_sorted(ids, key=str))
    return _Plan(group, len(members), matched, ids, sample, fingerprint)


add_matching_to_group = Tool(
    name="add_matching_to_group",
    risk=Risk.WRITE,
    arguments=AddMatchingToGroup,
    answer=MatchingAdded,
    prepare=plan_or_apply(_make_plan),
    plans_first=True,
    target_args=("group_id",),
    shows_stored_data=True,
)
