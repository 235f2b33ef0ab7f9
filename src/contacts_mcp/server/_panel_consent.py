"""Consent in the panel: its question, the person's answer, and what makes a question there no longer count."""

import json
from dataclasses import dataclass

from cachetools import TTLCache

from contacts_mcp.guard import (
    ANSWER_LIFETIME_SECONDS,
    Consent,
    ConsentAnswer,
    Declined,
    Guard,
    GuardedCall,
    GuardMode,
    NotConfirmed,
    Question,
    Refused,
    Rung,
)
from contacts_mcp.server._asking import Asking, decide, key_of
from contacts_mcp.server._context import RequestContext
from contacts_mcp.server._panel import shows_panel
from contacts_mcp.server._ways import Ways

PANEL_SECONDS = 30.0
"""How long a person is asked only in the panel: a call that is repeated later also takes the next way to them."""
_MESSAGE = (
    "the person is asked in the panel of this call, which makes the change if they agree and says what came of it;"
    " call again only if they tell you that they see no panel"
)
_MAX_CALLS = 10_000  # a caller cannot ask a hundred questions in ten minutes
_MAX_ARGUMENTS_LENGTH = 100_000  # hosts cut results from 150,000 characters on


@dataclass(frozen=True, slots=True)
class PanelQuestion:
    """A question that the panel shows to the person; `message` says so to the model."""

    question: Question
    message: str


class PanelConsent:
    """Asks a person in the panel of a host with MCP Apps, if the operator allows it, and takes their answer."""

    def __init__(self, guard: Guard, ways: Ways) -> None:
        self._guard = guard
        self._approvals = guard.approvals
        self._ways = ways
        self._shown: TTLCache[str, float] = TTLCache(_MAX_CALLS, ANSWER_LIFETIME_SECONDS, timer=self._approvals.clock)
        """When a call's question was first shown, by call."""
        self._settled: TTLCache[str, float] = TTLCache(_MAX_CALLS, ANSWER_LIFETIME_SECONDS, timer=self._approvals.clock)
        """When a person last decided on a call, by call: older questions about it no longer count."""

    def is_there(self, ctx: RequestContext) -> bool:
        """Whether a person can decide on calls in the panel of this host."""
        return self._guard.mode is not GuardMode.BLOCK and Rung.APP in self._ways.rungs and shows_panel(ctx)

    def has_shown(self, ctx: RequestContext, call: GuardedCall) -> bool:
        """Whether the panel of this host asks about this very call."""
        return self.is_there(ctx) and key_of(call) in self._shown

    async def question(self, asking: Asking) -> Question | None:
        """Return the question that the panel puts to the person; None if the operator lets none be put there.

        Raises Refused if the operator blocks the call.
        """
        if self._guard.mode is not GuardMode.BLOCK and not self.is_there(asking.ctx):
            return None
        question = await decide(self._guard, asking, None, can_ask=True, asks_in="panel")
        return question if isinstance(question, Question) else None

    async def show(self, asking: Asking, *, has_other_ways: bool) -> PanelQuestion | None:
        """Show the question with the call's answer. Returns None if there is no panel to show it.

        With `has_other_ways`, the panel is passed over if it did not reach the person before.
        """
        arguments = json.dumps(asking.call.arguments, default=str)
        if not self.is_there(asking.ctx) or len(arguments) > _MAX_ARGUMENTS_LENGTH:
            return None
        if has_other_ways and await self._has_waited(asking):
            return None
        if asking.key not in self._shown:
            self._approvals.count_request(asking.call.principal)
            self._shown[asking.key] = self._approvals.clock()
        question = await self.question(asking)
        return PanelQuestion(question, _MESSAGE) if question else None

    async def take(self, asking: Asking, answer: ConsentAnswer) -> Consent:
        """Return the consent that a person gave in the panel. Raises like `Guard.decide`.

        A decision settles the call: other questions about it, here or outside of the host, no longer count.
        """
        if not self.is_there(asking.ctx):
            raise Refused("the operator does not allow decisions in the panel", advice="nothing was changed")
        age = self._guard.seconds_since_asked(answer)
        if age is not None and self._approvals.clock() - age < self._settled.get(asking.key, 0.0):
            raise NotConfirmed("a person decided on this call after the question was asked")
        try:
            verdict = await decide(self._guard, asking, answer, can_ask=True)
        except Declined:
            await self._settle(asking)
            raise
        await self._settle(asking)
        assert isinstance(verdict, Consent)
        return verdict

    def void_questions(self, asking: Asking) -> None:
        """Let no question count that the panel asks about a call so far: a person has decided on it."""
        self._settled[asking.key] = self._approvals.clock()

    async def _settle(self, asking: Asking) -> None:
        """Void all other questions about a call on which a person has decided."""
        self._shown.pop(asking.key, None)
        self.void_questions(asking)
        if approval := await self._approvals.find(asking.call, asking.caller.directory):
            await self._approvals.use(approval)

    async def _has_waited(self, asking: Asking) -> bool:
        """Whether a person is asked outside of the host by now, or did not answer in the panel in time."""
        asked_at = self._shown.get(asking.key)
        if asked_at is not None and self._approvals.clock() - asked_at >= PANEL_SECONDS:
            return True
        return await self._approvals.find(asking.call, asking.caller.directory) is not None
