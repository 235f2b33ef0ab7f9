"""add_matching_to_group: add the contacts that match a filter to a group; their ids never pass through the model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import Contact, GetContactGroup, Group, Risk
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, summarize
from contacts_mcp.tools._changes import describe_contact, list_lines
from contacts_mcp.tools._job import JobClient, add_to_group
from contacts_mcp.tools._new_group import (
    GroupArguments,
    NewGroup,
    NewGroupSummary,
    create_if_new,
    describe_if_new,
    read_group,
)
from contacts_mcp.tools._plan import Applied, PlanArguments, fingerprint_plan, plan_or_apply
from contacts_mcp.tools._plan_row import PlanRow, RowedPlan, joins_group, plan_row
from contacts_mcp.tools._select import FilterArguments, iter_contacts
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import Backend, JobCounts, Tool
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
    """The plan, or what was done, in the same counts: `already_members` + `new_members` = `matched`."""

    applied: Applied
    group: str | None
    matched: int = Field(description="Contacts that match the filter.")
    already_members: int = Field(description="Matching contacts that are already in the group.")
    new_members: int = Field(description="Contacts that are added.")
    members: int = Field(description="Members of the group afterwards.")
    new_group: NewGroupSummary | None = Field(default=None, description="The group, if it is created.")
    sample: list[ContactSummary] | None = Field(default=None, description="Of a plan: the first new members.")
    plan: str | None = None
    next: str | None = None


class _Match(NamedTuple):
    """A contact that matches the filter."""

    contact_id: str
    name: str | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The contacts that are added to a group.

    Attributes:
        matches: the contacts that match, with those that are members already; empty unless rows are listed.
    """

    group: Group
    member_count: int
    matched: int
    ids: list[str]
    sample: list[Contact]
    fingerprint: str
    matches: Sequence[_Match] = ()
    risk: Risk = Risk.WRITE

    @property
    def change_count(self) -> int:
        return len(self.ids) + isinstance(self.group, NewGroup)

    def to_answer(self, **fields: str | None) -> MatchingAdded:
        members = self.member_count + len(self.ids)
        sample = [summarize(contact) for contact in self.sample]
        new = {"new_members": len(self.ids), "new_group": describe_if_new(self.group)}
        return self._answer(members, applied=False, sample=sample, **new, **fields)

    def iter_rows(self) -> Iterator[PlanRow]:
        """Iterate over the contacts that match."""
        new, joins = set(self.ids), [joins_group(self.group.name)]
        for contact_id, name in self.matches:
            if contact_id in new:
                yield plan_row("add", name, contact_id, changes=joins)
            else:
                yield plan_row("unchanged", name, contact_id)

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
        new = {"new_members": counts["added"], "new_group": describe_if_new(self.group, group.id)}
        return self._answer(members, applied=True, **new)

    def _answer(self, members: int, **more: Any) -> MatchingAdded:
        return MatchingAdded(
            group=self.group.name,
            matched=self.matched,
            already_members=self.matched - len(self.ids),
            members=members,
            **more,
        )


async def _make_plan(client: JobClient, arguments: AddMatchingToGroup, *, lists_rows: bool = False) -> _Plan:
    group, members = await read_group(client, arguments)
    assert group
    ids: list[str] = []
    sample: list[Contact] = []
    matches: list[_Match] = []
    matched = 0
    async for page in iter_contacts(client, arguments.filter, ("id", "name"), client.progress("contacts read")):
        missing = [contact for contact in page if contact.id not in members]
        matched += len(page)
        ids += [contact.id for contact in missing]
        matches += [_Match(contact.id, contact.name) for contact in page] if lists_rows else []
        sample += missing[: _SAMPLE_SIZE - len(sample)]
    fingerprint = await fingerprint_plan(arguments, iter_sorted(ids, key=str))
    return _Plan(group, len(members), matched, ids, sample, fingerprint, matches)


async def _plan_rows(backend: Backend, arguments: AddMatchingToGroup) -> RowedPlan:
    return await _make_plan(JobClient(backend), arguments, lists_rows=True)


add_matching_to_group = Tool(
    name="add_matching_to_group",
    risk=Risk.WRITE,
    arguments=AddMatchingToGroup,
    answer=MatchingAdded,
    prepare=plan_or_apply(_make_plan),
    plans_first=True,
    target_args=("group_id",),
    shows_stored_data=True,
    view="plan",
    plan_rows=_plan_rows,
)
