"""What a person who decides on approvals sees and does, on a page or in a terminal: the same rules for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contacts_mcp.contract import ContactsError, PermissionDenied, Risk
from contacts_mcp.guard import Approval, Consent, Decision, Guard, GuardedCall, Refused, Target, chosen_ids, is_yes
from contacts_mcp.server._context import BackendFactory, Caller
from contacts_mcp.tools import CallConsent, PreparedCall, Tool, parse_arguments, resolve_names


class OutdatedApproval(ContactsError):
    """The approval was decided, has expired, or its target has changed since the call was made."""

    code = "outdated"
    advice = "nothing was changed; the assistant has to ask again"


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An approval with the question that it asks now, built from the directory."""

    approval: Approval
    call: GuardedCall
    target: Target


class ApprovalDesk:
    """Shows pending approvals to a person and takes their decisions.

    `needs_other_person`: whether a caller's own approvals have to be decided by another caller.
    """

    def __init__(
        self, guard: Guard, tools: Sequence[Tool], backend_for: BackendFactory, *, needs_other_person: bool = False
    ) -> None:
        self._guard = guard
        self._tools = {tool.name: tool for tool in tools}
        self._backend_for = backend_for
        self._needs_other_person = needs_other_person

    async def list_pending(self, viewer: Caller, *, of_all: bool) -> list[Approval]:
        """Return what waits for a decision on the viewer's directory; without `of_all` only the viewer's own calls.

        Raises PermissionDenied if the viewer may not see the calls of others.
        """
        _require_allowed(viewer, of_all=of_all)
        pending = await self._guard.approvals.pending(viewer.directory)
        return [each for each in pending if of_all or each.principal == viewer.principal]

    async def find(self, viewer: Caller, approval_id: str, *, of_all: bool) -> Approval | None:
        """Return an approval that the viewer may see, also one that was decided or has expired.

        Raises as `list_pending`.
        """
        _require_allowed(viewer, of_all=of_all)
        found = await self._guard.approvals.get(viewer.directory, approval_id)
        return found if found and (of_all or found.principal == viewer.principal) else None

    async def decision_on(self, approval: Approval) -> Decision | None:
        """Return the decision, if there is one."""
        return await self._guard.approvals.decision_on(approval)

    async def open(self, viewer: Caller, approval: Approval) -> OpenQuestion:
        """Build the question of an approval from the directory.

        Raises OutdatedApproval, PermissionDenied if the call works on another directory than the viewer does, or the
        error of a directory that cannot be read.
        """
        if approval.directory != viewer.directory:
            raise PermissionDenied("the call works on another directory than yours", advice="nothing was changed")
        if await self.decision_on(approval):
            raise OutdatedApproval("this was already decided")
        if self._guard.approvals.clock() >= approval.expires:
            raise OutdatedApproval("the question was not answered in time")
        call = await self._prepare(viewer, approval)
        target = await call.read_target()
        if target.fingerprint != approval.target:
            raise OutdatedApproval("the target was changed after the assistant asked")
        return OpenQuestion(approval, call, target)

    async def approve(
        self, viewer: Caller, question: OpenQuestion, answer: Mapping[str, Any], consent: Consent, by: str
    ) -> Decision:
        """Store a yes, if the answer is one: the right word, or the name typed for an erasure.

        Raises:
            Refused: the answer is not a yes; nothing is stored, so that the person can answer again.
            PermissionDenied: another person has to decide, or the viewer may not decide on the calls of others, or on
                this directory.
            OutdatedApproval: another decision was made before, or it is too late.
        """
        is_own = question.approval.principal == viewer.principal
        _require_allowed(viewer, of_all=not is_own)
        if is_own and (self._needs_other_person or consent is Consent.APPROVER):
            raise PermissionDenied("another person than the caller has to decide", advice="nothing was changed")
        current = await self.open(viewer, question.approval)
        if not is_yes(current.call, current.target, answer):
            raise Refused("the typed text is not the one that was asked for", advice="nothing was decided; try again")
        chosen = tuple(chosen_ids(current.target, answer))
        return await self._store(question.approval, consent, by, is_approved=True, chosen=chosen)

    async def keep(self, approval: Approval, consent: Consent, by: str) -> Decision:
        """Store a no. Raises OutdatedApproval."""
        return await self._store(approval, consent, by, is_approved=False)

    async def _store(
        self, approval: Approval, consent: Consent, by: str, *, is_approved: bool, chosen: tuple[str, ...] = ()
    ) -> Decision:
        decision = Decision(approval.id, is_approved, consent, by, self._guard.approvals.clock(), chosen)
        if not await self._guard.approvals.decide(approval, decision):
            raise OutdatedApproval("this was already decided, or the time is over")
        return decision

    async def _prepare(self, viewer: Caller, approval: Approval) -> GuardedCall:
        """Prepare the call again, as its caller made it, on the directory that the viewer works on."""
        tool = self._tools.get(approval.tool)
        if tool is None:
            raise OutdatedApproval(f"{approval.tool} is not enabled here")
        consent = CallConsent(
            can_ask=True,
            was_asked=True,
            guarded_risks=[risk for risk in Risk if self._guard.requires_consent(tool.name, risk)],
        )
        asker = replace(viewer, principal=approval.principal)  # the links and plans that a call names are of its caller
        backend = tool.limit(replace(self._backend_for(asker), consent=consent))
        parsed = parse_arguments(tool.arguments, tool.input_schema, approval.arguments)
        arguments = await resolve_names(backend, parsed, among_deleted=tool.names_deleted)
        prepared = await tool.prepare(backend, arguments)
        return to_guarded_call(tool, prepared, approval.arguments, approval.principal)


def _require_allowed(viewer: Caller, *, of_all: bool) -> None:
    if of_all and not viewer.may_approve:
        raise PermissionDenied("only an approver can decide on the calls of others", advice="nothing was changed")


def to_guarded_call(tool: Tool, prepared: PreparedCall, arguments: Mapping[str, Any], principal: str) -> GuardedCall:
    """Return what the guard has to know of a prepared call."""
    return GuardedCall(
        tool=tool.name,
        risk=prepared.risk,
        arguments=arguments,
        principal=principal,
        read_target=prepared.read_target,
        details=prepared.values,
        wording=tool.wording,
        choose=prepared.choose,
        needs_consent=prepared.needs_consent,
    )
