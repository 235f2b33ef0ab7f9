"""A call that needs a person's consent, and the guard's verdict on it, which is recorded and counted."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from contacts_mcp.guard import (
    Channel,
    Consent,
    ConsentAnswer,
    Guard,
    GuardedCall,
    Preview,
    Question,
    Refused,
    hash_json,
)
from contacts_mcp.server._context import Caller, RequestContext
from contacts_mcp.server._recording import CallRecord, count_confirmation

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Asking:
    """A call that needs a person's consent, and the request that made it."""

    ctx: RequestContext
    caller: Caller
    call: GuardedCall
    record: CallRecord

    @property
    def key(self) -> str:
        """What the same call of the same caller has in common, whatever request makes it."""
        return key_of(self.call)


def key_of(call: GuardedCall) -> str:
    """Return the key of a call: its tool, arguments and caller."""
    return hash_json([call.tool, call.principal, call.arguments])


async def decide(
    guard: Guard, asking: Asking, answer: ConsentAnswer | None, *, can_ask: bool, asks_in: Channel = "form"
) -> Consent | Question | Preview:
    """Return the verdict on a call and the answer to its question, if there is one. Raises like `Guard.decide`."""
    if answer is not None:
        asking.record.consent_seconds = guard.seconds_since_asked(answer)
    deciding = guard.decide(asking.call, answer, can_ask=can_ask, asks_in=asks_in)
    verdict = await count_verdict(asking, deciding, is_answer=answer is not None)
    if not isinstance(verdict, Consent):
        asking.record.consent = "asked"
        count_confirmation(asking.call.tool, "asked")
    return verdict


async def count_verdict(asking: Asking, deciding: Awaitable[V], *, is_answer: bool) -> V:
    """Await a verdict, and count a consent or a refusal in the metrics."""
    try:
        verdict = await deciding
    except Refused:
        if is_answer:
            count_confirmation(asking.call.tool, "refused")
        raise
    if _is_given(verdict):
        count_confirmation(asking.call.tool, "given")
    return verdict


def _is_given(verdict: object) -> bool:
    return isinstance(verdict, Consent) and verdict is not Consent.NONE_NEEDED
