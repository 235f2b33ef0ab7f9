"""The console's tools for calls that wait for a person: the rules are those of the pages of approvals."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from contacts_mcp.approval_page import Deciding
from contacts_mcp.contract import NotFound, PermissionDenied
from contacts_mcp.guard import Approval, Prompt, Refused, build_prompt, choice_field
from contacts_mcp.server import ApprovalDesk, Caller, ExtraArguments, ExtraTool, OpenQuestion, OutdatedApproval

_NOT_DECIDED = "nothing was decided"


class ListApprovals(ExtraArguments):
    """List the calls that wait for this person's decision, the oldest first, each with its question."""


class DecideApproval(ExtraArguments):
    """Store a person's decision on a call that waits for it."""

    id: str = Field(min_length=1, max_length=100)
    agree: bool
    typed: str = Field(default="", max_length=2_000, description="What the person typed, if the question has a phrase.")
    also: list[str] = Field(default=[], max_length=100, description="Ids of further records to include.")


class ShownChoice(BaseModel):
    """A further record that the person can include."""

    id: str
    name: str
    description: str


class ShownChoices(BaseModel):
    """The further records, and why they are offered."""

    reason: str
    items: list[ShownChoice]
    more: str


class ShownPrompt(BaseModel):
    """What a person reads and can answer; see guard.Prompt."""

    verb: str
    label: str
    effect: list[str]
    choices: ShownChoices
    values: dict[str, str]
    phrase: str
    yes: str
    warning: str


class ShownApproval(BaseModel):
    """A call that waits. `problem` says why it cannot be decided on, and `prompt` is its question otherwise."""

    id: str
    tool: str
    asked_by: str
    is_own: bool = Field(description="Whether the caller made the call, and not another one.")
    asked_at: datetime
    expires: datetime
    prompt: ShownPrompt | None = None
    problem: str | None = None


class ApprovalList(BaseModel):
    """What waits; `reason` says why decisions are not taken here, if that is so."""

    approvals: list[ShownApproval]
    reason: str | None = None


class DecisionReport(BaseModel):
    """What became of a decision."""

    is_approved: bool
    waiting: int = Field(description="Calls that still wait for the person.")


@dataclass(frozen=True, slots=True)
class ApprovalTools:
    """Builds the two tools. `deciding` is None if the settings let no person decide here; `why_not` says so."""

    desk: ApprovalDesk
    deciding: Deciding | None
    why_not: str = ""

    def tools(self) -> list[ExtraTool]:
        """Return list_approvals, and decide_approval if decisions are taken here."""
        listing = ExtraTool(name="list_approvals", arguments=ListApprovals, run=self._list)
        if self.deciding is None:
            return [listing]
        decision = ExtraTool(name="decide_approval", arguments=DecideApproval, run=self._decide, is_read_only=False)
        return [listing, decision]

    async def _list(self, viewer: Caller, _arguments: ListApprovals) -> ApprovalList:
        if self.deciding is None:
            return ApprovalList(approvals=[], reason=self.why_not)
        pending = await self._pending(viewer)
        return ApprovalList(approvals=[await self._show(viewer, approval) for approval in pending])

    async def _pending(self, viewer: Caller) -> list[Approval]:
        return await self.desk.list_pending(viewer, of_all=viewer.may_approve)

    async def _show(self, viewer: Caller, approval: Approval) -> ShownApproval:
        prompt, problem = None, None
        try:
            question = await self.desk.open(viewer, approval)
            prompt = _to_shown(build_prompt(question.call, question.target))
        except (OutdatedApproval, Refused, NotFound) as exc:
            problem = exc.message
        return ShownApproval(
            id=approval.id,
            tool=approval.tool,
            asked_by=approval.asked_by,
            is_own=approval.principal == viewer.principal,
            asked_at=datetime.fromtimestamp(approval.asked_at, UTC),
            expires=datetime.fromtimestamp(approval.expires, UTC),
            prompt=prompt,
            problem=problem,
        )

    async def _decide(self, viewer: Caller, arguments: DecideApproval) -> DecisionReport:
        """Store the decision. Raises as ApprovalDesk.approve and ApprovalDesk.keep, and NotFound."""
        if self.deciding is None:
            raise PermissionDenied(self.why_not, advice=_NOT_DECIDED)
        approval = await self.desk.find(viewer, arguments.id, of_all=viewer.may_approve)
        if approval is None:
            raise NotFound("there is no such question; it may have expired", advice=_NOT_DECIDED)
        consent, name = self.deciding.consent_of(viewer, approval), self.deciding.name_of(viewer)
        if arguments.agree:
            question = await self.desk.open(viewer, approval)
            await self.desk.approve(viewer, question, _to_answer(question, arguments), consent, name)
        else:
            await self.desk.keep(approval, consent, name)
        return DecisionReport(is_approved=arguments.agree, waiting=len(await self._pending(viewer)))


def _to_shown(prompt: Prompt) -> ShownPrompt:
    items = [ShownChoice(id=each.id, name=each.name, description=each.description) for each in prompt.choices.items]
    return ShownPrompt(
        verb=prompt.verb,
        label=prompt.label,
        effect=[*prompt.effect],
        choices=ShownChoices(reason=prompt.choices.reason, items=items, more=prompt.choices.more),
        values={**prompt.values},
        phrase=prompt.phrase,
        yes=prompt.yes,
        warning=prompt.warning,
    )


def _to_answer(question: OpenQuestion, arguments: DecideApproval) -> dict[str, Any]:
    """Return the answer as a form of a host gives it, for the guard to judge. Raises Refused for an unknown record."""
    prompt = build_prompt(question.call, question.target)
    if not prompt.phrase:
        return {"decision": prompt.yes}
    fields = {each.id: choice_field(number) for number, each in enumerate(prompt.choices.items, 1)}
    if not fields.keys() >= set(arguments.also):
        raise Refused("a chosen record is not part of the question", advice="nothing was decided; load it again")
    return {"typed": arguments.typed, **{fields[each]: True for each in arguments.also}}
