"""add_matching_to_group: fill a group by a filter; the ids never pass through the model."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from contacts_mcp.contract import Contact, GetContactGroup, Group, GroupId, Risk
from contacts_mcp.guard import Target
from contacts_mcp.text import quote
from contacts_mcp.tools._answers import Brief, ShortAnswer
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._job_counts import JobCounts
from contacts_mcp.tools._tool import PreparedCall
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.steps import (
    Filtered,
    JobClient,
    Planned,
    Progress,
    brief,
    chosen,
    fingerprint_of,
    join_group,
    member_ids,
    plan_or_apply,
    some,
)

_SAMPLE = 5


class AddMatchingToGroup(Filtered, Planned):
    """Add all contacts that a filter meets to a group, in one go. First shows a plan; for a few known ids use
    add_group_members.
    """

    group_id: GroupId = Field(description="The group to fill.")


class MatchingAdded(ShortAnswer):
    """How many contacts the filter meets, how many of them join, and how many the group has then."""

    applied: bool
    group: str | None
    matched: int
    already_members: int
    joining: int
    members: int
    sample: list[Brief]
    plan: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _Joining:
    group: Group
    members: int
    matched: int
    ids: list[str]
    sample: list[Contact]
    fingerprint: str
    risk: Risk = Risk.WRITE

    @property
    def changes(self) -> int:
        return len(self.ids)

    def shown(self) -> MatchingAdded:
        again = "show the person the plan; on their yes call again with apply and this plan"
        return self._answer(self.members + len(self.ids), applied=False, plan=self.fingerprint, next=again)

    def target(self) -> Target:
        names = some([quote(contact.name or "", 60) for contact in self.sample])
        return Target(
            label=f"{len(self.ids):,} contacts to group {quote(self.group.name or '', 80)}",
            effect=f"Among them {names}.",
            phrase="",
            fingerprint=self.fingerprint,
        )

    async def carry_out(self, backend: Backend, counts: JobCounts) -> MatchingAdded:
        counts.to_do = len(self.ids)
        progress = Progress(backend.report, "contacts added", counts.to_do)
        await join_group(
            JobClient(backend), self.group.id, self.ids, lambda count: counts.update(joined=count), progress
        )
        group = await backend.send(GetContactGroup(group_id=self.group.id))
        return self._answer(group.member_count or self.members + len(self.ids), applied=True)

    def _answer(self, members: int, **more: Any) -> MatchingAdded:
        return MatchingAdded(
            group=self.group.name,
            matched=self.matched,
            already_members=self.matched - len(self.ids),
            joining=len(self.ids),
            members=members,
            sample=[brief(contact) for contact in self.sample],
            **more,
        )


async def _prepare(backend: Backend, arguments: AddMatchingToGroup) -> PreparedCall:
    async def look() -> _Joining:
        return await _plan(backend, arguments)

    return await plan_or_apply(backend, arguments, look)


async def _plan(backend: Backend, arguments: AddMatchingToGroup) -> _Joining:
    pace, progress = JobClient(backend), Progress(backend.report, "contacts read")
    group = await pace.send(GetContactGroup(group_id=arguments.group_id))
    members = await member_ids(pace, arguments.group_id)
    ids: list[str] = []
    sample: list[Contact] = []
    matched = 0
    async for page in chosen(backend, pace, arguments.filter, ("id", "name"), progress):
        fresh = [contact for contact in page if contact.id not in members]
        matched += len(page)
        ids += [contact.id for contact in fresh]
        sample += fresh[: _SAMPLE - len(sample)]
    return _Joining(group, len(members), matched, ids, sample, fingerprint_of(arguments, sorted(ids)))


add_matching_to_group = workflow_tool(
    "add_matching_to_group", AddMatchingToGroup, MatchingAdded, _prepare, risk=Risk.WRITE, target_args=("group_id",)
)
