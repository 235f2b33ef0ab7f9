"""The decision: a call proceeds, a person is asked, or the call is refused. If anything does not fit, nothing runs."""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contacts_mcp.contract import Risk
from contacts_mcp.guard._questions import (
    KEEP_CHOICE,
    GuardedCall,
    Question,
    Refused,
    build_question,
    describe_effect,
    hash_json,
    is_yes,
)
from contacts_mcp.guard._state import Channel, InvalidState, MemoryNonceStore, NonceStore, QuestionState, Seal

ANSWER_LIFETIME_SECONDS = 600.0
"""How long a question can be answered."""


class GuardMode(StrEnum):
    """How consent is obtained. No mode switches the guard off."""

    ASK = "ask"  # ask if the host can show a form, otherwise refuse
    TWO_STEP = "two-step"  # ask if the host can show a form, otherwise answer a preview and accept its token
    BLOCK = "block"  # always refuse


class Consent(StrEnum):
    """How a call was allowed to run; the audit trail records it."""

    NONE_NEEDED = "none_needed"
    FORM = "form"  # a person chose the word in a form that the host showed
    FORM_TYPED = "form_typed"  # a person typed the target's name into a form
    TWO_STEP = "two_step_not_verified"  # a token came back; nothing proves that a person saw the preview


class NotConfirmed(Refused):
    """The answer does not confirm this call."""

    code = "not_confirmed"
    advice = "nothing was changed; the next call asks again"


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """The host's answer to a question: the sealed state, whether the person accepted, and the form's content."""

    state: str | None
    accepted: bool
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
    ) -> None:
        self.mode = mode
        self._confirm = frozenset(confirm)
        self._seal = seal or Seal(ANSWER_LIFETIME_SECONDS)
        self._nonce_store = nonce_store or MemoryNonceStore()

    def requires_consent(self, tool: str, risk: Risk) -> bool:
        """Whether calls of this tool and risk need consent."""
        return risk in (Risk.DESTROY, Risk.ERASE) or (risk is Risk.WRITE and tool in self._confirm)

    async def decide(
        self, call: GuardedCall, answer: ConsentAnswer | None, *, can_ask: bool
    ) -> Consent | Question | Preview:
        """Return the consent if the call may run now, else what a person has to see first.

        Raises:
            Refused: the call must not run, or its effect is too long to show to a person.
            NonceStoreUnavailable: the store cannot tell whether the answer was used before.
            ContactsError: the target cannot be read.
        """
        if not self.requires_consent(call.tool, call.risk):
            return Consent.NONE_NEEDED
        if self.mode is GuardMode.BLOCK:
            raise Refused(f"the operator has blocked {call.tool}", advice="nothing was changed")
        if not can_ask and (self.mode is GuardMode.ASK or (answer is not None and answer.channel == "form")):
            raise Refused(
                f"{call.tool} needs a person's consent, and this host cannot ask for it",
                advice="nothing was changed; the operator decides what to do",
            )
        return await (self._ask(call, can_ask=can_ask) if answer is None else self._check(call, answer))

    async def _ask(self, call: GuardedCall, *, can_ask: bool) -> Question | Preview:
        target = await call.read_target()
        channel: Channel = "form" if can_ask else "token"
        state = self._seal.seal(channel, call.tool, hash_json(call.arguments), target.fingerprint, call.principal)
        if can_ask:
            return build_question(call, target, state, self._seal.lifetime_seconds)
        return Preview(describe_effect(call, target), state, self._seal.lifetime_seconds)

    async def _check(self, call: GuardedCall, answer: ConsentAnswer) -> Consent:
        state = await self._unseal_once(call, answer)
        if not answer.accepted or KEEP_CHOICE in (answer.content or {}).values():
            raise Refused("the person declined", advice="nothing was changed; do not try again")
        target = await call.read_target()
        if not hmac.compare_digest(state.target, target.fingerprint):
            raise NotConfirmed("the target was changed after the question was asked")
        if answer.channel == "token":
            return Consent.TWO_STEP
        if not is_yes(call, target, answer.content):
            raise NotConfirmed("the form was not filled in as the question asked")
        return Consent.FORM_TYPED if call.risk is Risk.ERASE else Consent.FORM

    async def _unseal_once(self, call: GuardedCall, answer: ConsentAnswer) -> QuestionState:
        """Return the state of an answer that belongs to this very call and was not used before."""
        try:
            state = self._seal.unseal(answer.state or "")
        except InvalidState:
            raise NotConfirmed("the answer belongs to no open question, or came too late") from None
        bound_to = (state.channel, state.tool, state.arguments, state.principal)
        if bound_to != (answer.channel, call.tool, hash_json(call.arguments), call.principal):
            raise NotConfirmed("the answer belongs to another question")
        if not await self._nonce_store.spend(state.nonce, state.expires):
            raise NotConfirmed(
                "the answer was used before",
                advice="this call changed nothing, but the call that used the answer may have: read the record again",
            )
        return state
