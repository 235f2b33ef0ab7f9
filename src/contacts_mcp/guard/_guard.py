"""The decision: a call proceeds, a person is asked, or the call is refused. If anything does not fit, nothing runs.

The state of a question is sealed into a token that the client carries and cannot read or forge. A nonce store makes
each answer count once, on one server or on all replicas that share the store.
"""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from contacts_mcp.contract import Risk
from contacts_mcp.guard._approvals import Approval, Approvals, Decision, MemoryApprovalStore
from contacts_mcp.guard._consent import Consent
from contacts_mcp.guard._nonces import MemoryNonceStore, NonceStore
from contacts_mcp.guard._questions import (
    KEEP_CHOICE,
    GuardedCall,
    Question,
    Refused,
    Target,
    build_question,
    chosen_ids,
    describe_preview,
    fill_form,
    hash_json,
    is_yes,
)
from contacts_mcp.guard._seal import ANSWER_LIFETIME_SECONDS, Channel, QuestionState, Seal

MIN_DECISION_SECONDS = 1.0
"""A form that is declined sooner was never shown: some hosts declare forms, and decline them by themselves."""

Reply = Literal["accept", "decline", "cancel", "none"]
"""What came of a question: the form, a no, a form that was closed without a choice, or no reply in time."""

_ASK_AGAIN = "nothing was changed; call again only if the person asks for it"
_WHY_DECLINED: Mapping[Reply, tuple[str, str]] = {
    "decline": ("the person declined", "nothing was changed; do not try again"),
    "cancel": ("the question was closed without an answer", _ASK_AGAIN),
    "none": ("the question was not answered in time", _ASK_AGAIN),
}


class GuardMode(StrEnum):
    """How consent is obtained. No mode switches the guard off."""

    ASK = "ask"  # ask if the host can show a form, otherwise refuse
    TWO_STEP = "two-step"  # ask if the host can show a form, otherwise answer a preview and accept its token
    BLOCK = "block"  # always refuse


class NotConfirmed(Refused):
    """The answer does not belong to this call, was used before, or the target has changed since the question."""

    code = "not_confirmed"
    advice = "nothing was changed; the next call asks again"


class Declined(Refused):
    """The question was put to a person, who did not agree. This is a decision or its absence, not a failed call."""


class NeverShown(Declined):
    """A form came back declined so soon that no person can have read it, or the host could not show it."""

    advice = _ASK_AGAIN

    def __init__(self) -> None:
        super().__init__("the question was declined, or never shown to a person")


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """The answer to a question: the sealed state, what came of the question, and the form's content.

    From the panel the content is `typed` and `also`, the arguments of `fill_form`.
    """

    state: str | None
    reply: Reply = "accept"
    content: Mapping[str, Any] | None = None
    channel: Channel = "form"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a two-step call would do, and the token that allows it once within `lifetime_seconds`."""

    message: str
    token: str
    lifetime_seconds: float


class Guard:
    """Decides on every DESTROY and ERASE call, and on WRITE calls of the tools that the operator names in `confirm`."""

    def __init__(
        self,
        mode: GuardMode = GuardMode.ASK,
        confirm: Collection[str] = (),
        *,
        seal: Seal | None = None,
        nonce_store: NonceStore | None = None,
        approvals: Approvals | None = None,
        min_decision_seconds: float | None = None,
    ) -> None:
        self.mode = mode
        self._min_decision_seconds = MIN_DECISION_SECONDS if min_decision_seconds is None else min_decision_seconds
        self._confirm = frozenset(confirm)
        self._seal = seal or Seal(ANSWER_LIFETIME_SECONDS)
        self.approvals = approvals or Approvals(MemoryApprovalStore(self._seal.clock), self._seal)
        self._nonce_store = nonce_store or MemoryNonceStore()

    def requires_consent(self, tool: str, risk: Risk) -> bool:
        """Whether calls of this tool and risk need consent."""
        return risk in (Risk.DESTROY, Risk.ERASE) or (risk is Risk.WRITE and tool in self._confirm)

    def seconds_since_asked(self, answer: ConsentAnswer) -> float | None:
        """How long ago the question of an answer was asked; None if the answer belongs to no question."""
        state = self._seal.unseal(answer.state or "")
        return None if state is None else self._seal.age_seconds(state)

    async def decide(
        self, call: GuardedCall, answer: ConsentAnswer | None, *, can_ask: bool, asks_in: Channel = "form"
    ) -> Consent | Question | Preview:
        """Return the consent if the call may run now, else what a person has to see first.

        `can_ask`: whether the host shows the question to a person, `asks_in` a form or the panel.

        Raises:
            Declined: the person did not agree, or not in time; NeverShown if probably no person saw the question.
            Refused: the call must not run, or its effect is too long to show to a person.
            NonceStoreUnavailable: the store cannot tell whether the answer was used before.
            ContactsError: the target cannot be read.
        """
        if not (call.needs_consent or self.requires_consent(call.tool, call.risk)):
            return Consent.NONE_NEEDED
        if self.mode is GuardMode.BLOCK:
            raise Refused(f"the operator has blocked {call.tool}", advice="nothing was changed")
        if not can_ask and (self.mode is GuardMode.ASK or (answer is not None and answer.channel == "form")):
            raise Refused(
                f"{call.tool} needs a person's consent, and this host cannot ask for it",
                advice="nothing was changed; the operator decides what to do",
            )
        return await (self._ask(call, asks_in if can_ask else "token") if answer is None else self._check(call, answer))

    async def confirm(self, call: GuardedCall, approval: Approval, decision: Decision) -> Consent:
        """Use up a decision that was made outside of the call, and return the consent. Raises like `decide`."""
        if not approval.is_of(call):
            raise NotConfirmed("the decision belongs to another question")
        if not await self.approvals.use(approval):
            raise _used_before()
        if not decision.is_approved:
            raise _declined("decline")
        _require_unchanged(approval.target, await call.read_target())
        call.choose(decision.chosen)
        return decision.consent

    async def _ask(self, call: GuardedCall, channel: Channel) -> Question | Preview:
        target = await call.read_target()
        state = self._seal.seal(channel, call.tool, hash_json(call.arguments), target.fingerprint, call.principal)
        if channel == "token":
            return Preview(describe_preview(call, target), state, self._seal.lifetime_seconds)
        return build_question(call, target, state, self._seal.lifetime_seconds)

    async def _check(self, call: GuardedCall, answer: ConsentAnswer) -> Consent:
        state = await self._unseal_once(call, answer)
        # A replica whose clock is behind measures a negative age, which says nothing.
        is_form = answer.channel == "form"
        if answer.reply == "decline" and is_form and 0 <= self._seal.age_seconds(state) < self._min_decision_seconds:
            raise NeverShown
        if answer.reply != "accept":
            raise _declined(answer.reply)
        if KEEP_CHOICE in (answer.content or {}).values():
            raise _declined("decline")
        target = await call.read_target()
        _require_unchanged(state.target, target)
        if answer.channel == "token":
            return Consent.TWO_STEP
        content = answer.content if is_form else fill_form(call, target, **(answer.content or {}))
        if not is_yes(call, target, content):
            raise Declined("the form was not filled in as the question asked", advice=_ASK_AGAIN)
        call.choose(chosen_ids(target, content))
        if not is_form:
            return Consent.APP
        return Consent.FORM_TYPED if call.risk is Risk.ERASE else Consent.FORM

    async def _unseal_once(self, call: GuardedCall, answer: ConsentAnswer) -> QuestionState:
        """Return the state of an answer that belongs to this very call and was not used before."""
        state = self._seal.unseal(answer.state or "")
        if state is None:
            raise NotConfirmed("the answer belongs to no open question")
        bound_to = (state.channel, state.tool, state.arguments, state.principal)
        if bound_to != (answer.channel, call.tool, hash_json(call.arguments), call.principal):
            raise NotConfirmed("the answer belongs to another question")
        if self._seal.is_expired(state):
            raise _declined("none")
        if not await self._nonce_store.spend(state.nonce, state.expires):
            raise _used_before()
        return state


def _declined(reply: Reply) -> Declined:
    message, advice = _WHY_DECLINED[reply]
    return Declined(message, advice=advice)


def _used_before() -> NotConfirmed:
    advice = "this call changed nothing, but the call that used the answer may have: read the record again"
    return NotConfirmed("the answer was used before", advice=advice)


def _require_unchanged(fingerprint: str, target: Target) -> None:
    """Raise NotConfirmed if the target is not in the state that the person was asked about."""
    if not hmac.compare_digest(fingerprint, target.fingerprint):
        raise NotConfirmed("the target was changed after the question was asked")
