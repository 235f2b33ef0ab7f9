"""May this run? Proceed, ask a person, or refuse: anything off means that nothing happens."""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contacts_mcp.contract import Risk
from contacts_mcp.guard._guarded_call import Consent, GuardedCall, Target
from contacts_mcp.guard._ledger import MemoryNonceStore, NonceStore
from contacts_mcp.guard._question import Question, Refused, asked, form, is_no, is_yes, previewed
from contacts_mcp.guard._seal import BrokenSeal, Channel, Claims, Seal

ANSWER_LIFETIME_SECONDS = 600.0
"""Seconds for which a question can be answered."""


class GuardMode(StrEnum):
    """How consent is come by. There is no mode without a guard."""

    ASK = "ask"  # ask where the host can, otherwise refuse
    TWO_STEP = "two-step"  # ask where the host can, otherwise preview and take a token back
    BLOCK = "block"  # always refuse


class NotConfirmed(Refused):
    """There was an answer, but none that this call may run on."""

    code = "not_confirmed"
    advice = "nothing was changed; the next call asks again"


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What came back to a question: the sealed state, what the person did, and the form as they sent it."""

    state: str | None
    accepted: bool
    content: Mapping[str, Any] | None = None
    channel: Channel = "form"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a two-step call would do, and the token that lets it be done once, within `lifetime` seconds."""

    message: str
    token: str
    lifetime_seconds: float


class Guard:
    """Wraps every DESTROY and ERASE tool, and the WRITE tools an operator names in `confirm`."""

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
        return risk in (Risk.DESTROY, Risk.ERASE) or (risk is Risk.WRITE and tool in self._confirm)

    async def decide(
        self, call: GuardedCall, answer: ConsentAnswer | None, *, can_ask: bool
    ) -> Consent | Question | Preview:
        """Consent where the call may run now, or what has to be shown first.

        Raises:
            Refused: the call does not run, or is more than a person can be shown.
            NonceStoreUnavailable: nobody can tell whether the answer was used before.
            ContactsError: the target cannot be read.
        """
        if not self.requires_consent(call.tool, call.risk):
            return Consent.NONE_NEEDED
        if self.mode is GuardMode.BLOCK:
            raise Refused(f"the operator has blocked {call.tool}", advice="nothing was changed")
        if not can_ask and (self.mode is GuardMode.ASK or (answer is not None and answer.channel == "form")):
            raise Refused(
                f"{call.tool} needs a person's consent, and this host cannot ask for it",
                advice="nothing was changed; the operator decides how to go on",
            )
        return await (self._ask(call, can_ask=can_ask) if answer is None else self._judge(call, answer))

    async def _ask(self, call: GuardedCall, *, can_ask: bool) -> Question | Preview:
        target = await call.read_target()
        channel: Channel = "form" if can_ask else "token"
        state = self._seal.close(channel, call.tool, call.digest, target.fingerprint, call.principal)
        if can_ask:
            return Question(asked(call, target), form(call), state, self._seal.lifetime)
        return Preview(previewed(call, target), state, self._seal.lifetime)

    async def _judge(self, call: GuardedCall, answer: ConsentAnswer) -> Consent:
        claims = await self._open(call, answer)
        if not answer.accepted or is_no(answer.content):
            raise Refused("the person decided against it", advice="nothing was changed; leave it at that")
        target = await call.read_target()
        if not hmac.compare_digest(claims.target, target.fingerprint):
            raise NotConfirmed("the target was changed after the question was asked")
        return self._weigh(call, target, answer)

    async def _open(self, call: GuardedCall, answer: ConsentAnswer) -> Claims:
        """The claims of an answer to this very call, used here for the first time."""
        try:
            claims = self._seal.open(answer.state or "")
        except BrokenSeal:
            raise NotConfirmed("the answer belongs to no open question, or came too late") from None
        bound = (claims.channel, claims.tool, claims.arguments, claims.principal)
        if bound != (answer.channel, call.tool, call.digest, call.principal):
            raise NotConfirmed("the answer belongs to another question")
        if not await self._nonce_store.spend(claims.nonce, claims.expires):
            raise NotConfirmed(
                "the answer was used before",
                advice="this call changed nothing, but the one that used it may have: read the record back",
            )
        return claims

    def _weigh(self, call: GuardedCall, target: Target, answer: ConsentAnswer) -> Consent:
        if answer.channel == "token":
            return Consent.TWO_STEP
        if not is_yes(call, target, answer.content):
            raise NotConfirmed("the answer was not the one that was asked for")
        return Consent.FORM_TYPED if call.risk is Risk.ERASE else Consent.FORM
