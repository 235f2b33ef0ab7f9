"""Obtain a person's consent to a call: the ways to reach a person, one after the other, as host and operator allow.

A form of the host comes first. If the host has none, or its forms do not reach a person, the call waits for an
approval: a person decides on a page or in a terminal, and the call goes on, or the same call made again does.
"""

import asyncio
from dataclasses import dataclass

import anyio
from cachetools import TTLCache
from mcp_types import CallToolRequestParams

from contacts_mcp.guard import (
    Approval,
    Consent,
    ConsentAnswer,
    Decision,
    Guard,
    GuardedCall,
    GuardMode,
    NeverShown,
    NotConfirmed,
    Preview,
    Question,
    Rung,
)
from contacts_mcp.server._asking import Asking, count_verdict, decide
from contacts_mcp.server._context import Caller, RequestContext, host_name, is_modern
from contacts_mcp.server._elicitation import OpenForms, answer_in, ask_to_open, can_elicit, can_open_url
from contacts_mcp.server._panel_consent import PanelConsent, PanelQuestion
from contacts_mcp.server._recording import count_confirmation
from contacts_mcp.server._ways import Ways

_UNREACHED_TTL_SECONDS = 3_600.0
_MAX_UNREACHED = 1_000
URL_MESSAGE = "Open this page to decide whether the assistant may make a change in your contacts."
_AGAIN = "call again with the same arguments"
_OPEN_FORM = f"waiting for a person: the question is still open in this host; {_AGAIN} when they have answered"
_WAITING: dict[Rung | None, str] = {
    None: f"a question waits for the person, who cannot be shown it just now; {_AGAIN} in a minute",
    Rung.PAGE: f"a page was opened for the person at this computer; {_AGAIN} when they have decided",
    Rung.URL: f"the person was given a page to decide on; {_AGAIN} when they have decided",
    Rung.TERMINAL: f"waiting for a person's decision; {_AGAIN} later",
    Rung.APPROVER: f"waiting for approval by a person who may give it; {_AGAIN} later",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A person has not decided yet; `message` says so, and what to do next, for the model."""

    message: str


@dataclass(frozen=True, slots=True)
class PageAddress:
    """The address of the page on which a person decides, which the host gives to the person."""

    message: str
    url: str


Verdict = Consent | Question | PanelQuestion | PageAddress | Preview | Waiting


class ConsentLadder:
    """Obtains consent to guarded calls in the first way that reaches a person."""

    def __init__(self, guard: Guard, ways: Ways | None = None) -> None:
        self._guard = guard
        self._approvals = guard.approvals
        self._ways = ways or Ways()
        self._unreached: TTLCache[tuple[str, str], bool] = TTLCache(_MAX_UNREACHED, _UNREACHED_TTL_SECONDS)
        self.panel = PanelConsent(guard, self._ways)

    def can_ask(self, ctx: RequestContext, caller: Caller) -> bool:
        """Whether a person can be asked about this caller's calls."""
        if self._guard.mode is GuardMode.BLOCK:
            return False
        return self._shows_forms(ctx, caller) or self.panel.is_there(ctx) or bool(self._other_rungs(ctx))

    async def has_asked(self, ctx: RequestContext, caller: Caller, call: GuardedCall) -> bool:
        """Whether a person is asked about this very call outside of it: what they decide counts."""
        if self.panel.has_shown(ctx, call):
            return True
        if not self._other_rungs(ctx):
            return False
        return await self._approvals.find(call, caller.directory) is not None

    async def obtain(self, asking: Asking, params: CallToolRequestParams, token: str | None) -> Verdict:
        """Return consent to a call, or what the call is answered with instead. Raises like `Guard.decide`."""
        answer = answer_in(asking.ctx, params)
        if self._other_rungs(asking.ctx) or self.panel.is_there(asking.ctx):
            token = None  # a token proves no consent, and a person can be asked
        if token or self._guard.mode is GuardMode.BLOCK:
            answer = ConsentAnswer(token, channel="token") if token else None
            return await self._decide(asking, answer, can_ask=can_elicit(asking.ctx))
        was_never_shown, host = False, _host_of(asking.ctx, asking.caller)
        is_known = host in self._unreached
        try:
            if verdict := await self._ask_in_form(asking, answer):
                return verdict
        except NeverShown:
            was_never_shown = True
            self._unreached[host] = True
        if verdict := await self.panel.show(asking, has_other_ways=bool(self._other_rungs(asking.ctx))):
            return verdict
        if verdict := await self._wait_for_approval(asking, answer):
            return verdict
        # A person can be as quick as a host, once.
        if was_never_shown and not (is_known and self._guard.mode is GuardMode.TWO_STEP):
            raise NeverShown
        return await self._decide(asking, None, can_ask=False)

    async def _ask_in_form(self, asking: Asking, answer: ConsentAnswer | None) -> Verdict | None:
        """Show a form, or take its answer. Returns None if the host shows no forms."""
        if answer and answer.channel == "form":
            return await self._decide(asking, answer, can_ask=can_elicit(asking.ctx))
        if answer or not self._shows_forms(asking.ctx, asking.caller):
            return None
        if is_modern(asking.ctx):
            return await self._decide(asking, None, can_ask=True)
        return await self._ask_in_legacy_form(asking)

    async def _ask_in_legacy_form(self, asking: Asking) -> Verdict:
        """Show a form and wait for its answer; beside one that was not answered during the call before, open a page."""
        forms, opened = OpenForms.of(asking.ctx), None
        form = forms.find(asking.call)
        if form is None:
            question = await self._decide(asking, None, can_ask=True)
            if not isinstance(question, Question):
                return question
            form = forms.show(asking.ctx, asking.call, question)
        elif not form.done():
            opened = await self._open_approval(asking)
        try:
            decision = await self._wait_for_either(form, opened.approval if opened else None)
        except BaseException:  # the host gave the call up
            forms.close(asking.call, form)
            raise
        if not decision and not form.done():
            return Waiting(_WAITING[opened.rung] if opened else _OPEN_FORM)
        forms.close(asking.call, form)
        if not decision and form.cancelled():  # with another call of the same kind, which the host gave up
            return await self._ask_in_legacy_form(asking)
        if decision and opened:
            return await self._confirm(asking, opened.approval, decision)
        if opened:
            await self._approvals.use(opened.approval)  # the form was first
        return await self._decide(asking, form.result(), can_ask=True)

    async def _wait_for_either(self, form: "asyncio.Task[ConsentAnswer]", approval: Approval | None) -> Decision | None:
        """Wait until the form is answered, or until there is a decision, which is returned."""
        if approval is None:
            await asyncio.wait({form}, timeout=self._ways.hold_seconds)
            return None
        waiting = asyncio.create_task(self._approvals.wait_for_decision(approval, self._ways.hold_seconds))
        try:
            await asyncio.wait({form, waiting}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            waiting.cancel()

    async def _wait_for_approval(self, asking: Asking, answer: ConsentAnswer | None) -> Verdict | None:
        """Ask outside of the call, and wait for the decision. Returns None if no way leads to a person.

        `answer` is the host's to a question before, which may have been the address of the page.
        """
        has_address = answer is not None and answer.channel == "page"
        opened = await self._open_approval(asking)
        if opened is None:
            return None
        if has_address and answer and answer.reply == "decline":
            await self._decline(asking, opened.approval)
        elif opened.url and is_modern(asking.ctx) and not has_address:
            return PageAddress(URL_MESSAGE, opened.url)
        decision = await self._approvals.wait_for_decision(opened.approval, self._ways.hold_seconds)
        return await self._confirm(asking, opened.approval, decision) if decision else Waiting(_WAITING[opened.rung])

    async def _open_approval(self, asking: Asking) -> "_Opened | None":
        """Make sure that a person can decide on the call, in the first way that is there. Returns None if none is."""
        rungs = self._other_rungs(asking.ctx)
        if not rungs:
            return None
        approval = await self._approvals.find(asking.call, asking.caller.directory)
        asking.record.consent = "asked"
        if approval and await self._approvals.decision_on(approval):
            return _Opened(approval, rungs[0])
        target = await asking.call.read_target()
        if approval is None or approval.target != target.fingerprint:
            approval = await self._approvals.request(
                asking.call,
                target,
                directory=asking.caller.directory,
                asked_by=host_name(asking.ctx),
                lifetime_seconds=self._ways.lifetime_seconds,
            )
            count_confirmation(asking.call.tool, "asked")
            if self._ways.announce and Rung.APPROVER in rungs:
                await self._ways.announce(approval)
        for rung in rungs:
            if opened := await self._reach(asking, rung, approval):
                return opened
        return _Opened(approval, None)  # not now, as the page after too many others; never without asking

    async def _reach(self, asking: Asking, rung: Rung, approval: Approval) -> "_Opened | None":
        """Take one way to a person; returns None if it is not there."""
        if rung is Rung.PAGE:
            is_open = self._ways.open_page is not None and await self._ways.open_page(approval)
            return _Opened(approval, rung) if is_open else None
        if rung is Rung.URL:
            url = self._ways.page_url(asking.ctx, approval) if self._ways.page_url else None
            if url and not is_modern(asking.ctx):
                self._give_address(asking, approval, url)
            return _Opened(approval, rung, url) if url else None
        return _Opened(approval, rung)

    def _give_address(self, asking: Asking, approval: Approval, url: str) -> None:
        """Give the host the address of a page in the legacy era, once; a person who declines it has decided."""

        async def give() -> None:
            with anyio.move_on_after(approval.expires - self._approvals.clock()):
                if await ask_to_open(asking.ctx, URL_MESSAGE, url, approval.id) == "decline":
                    await self._decline(asking, approval)
                elif await self._approvals.wait_for_decision(approval, float("inf")):
                    await asking.ctx.session.send_elicit_complete(approval.id)

        OpenForms.of(asking.ctx).run_once(approval.id, give)

    async def _decline(self, asking: Asking, approval: Approval) -> None:
        """Store that the person did not want to open the page."""
        now = self._approvals.clock()
        decision = Decision(approval.id, False, Consent.URL, asking.caller.principal, now)
        await self._approvals.decide(approval, decision)

    async def _confirm(self, asking: Asking, approval: Approval, decision: Decision) -> Consent:
        """Use a decision, and record who made it and how long it took."""
        allowed = {rung.value for rung in self._ways.rungs}
        if decision.consent.value not in allowed:  # the terminal has settings of its own
            await self._approvals.use(approval)
            raise NotConfirmed("the person decided in a way that the operator of this server does not allow")
        self.panel.void_questions(asking)
        asking.record.approver = decision.by
        asking.record.consent_seconds = decision.decided_at - approval.asked_at
        return await count_verdict(asking, self._guard.confirm(asking.call, approval, decision), is_answer=True)

    async def _decide(
        self, asking: Asking, answer: ConsentAnswer | None, *, can_ask: bool
    ) -> Consent | Question | Preview:
        return await decide(self._guard, asking, answer, can_ask=can_ask)

    def _shows_forms(self, ctx: RequestContext, caller: Caller) -> bool:
        """Whether the host shows forms, unless it declined one by itself and a person can be reached otherwise."""
        is_allowed = Rung.FORM in self._ways.rungs and can_elicit(ctx)
        return is_allowed and not (_host_of(ctx, caller) in self._unreached and self._other_rungs(ctx))

    def _other_rungs(self, ctx: RequestContext) -> list[Rung]:
        """Return the ways outside of the host that may be there, the first to be tried first."""
        is_there = {
            Rung.FORM: False,
            Rung.APP: False,
            Rung.PAGE: self._ways.open_page is not None,
            Rung.URL: self._ways.page_url is not None and can_open_url(ctx),
        }
        return [rung for rung in self._ways.rungs if is_there.get(rung, True)]


@dataclass(frozen=True, slots=True)
class _Opened:
    """An approval on which a person can decide, how, and the address of its page if the host is given one.

    Without a rung it waits, and no person can be told just now.
    """

    approval: Approval
    rung: Rung | None
    url: str | None = None


def _host_of(ctx: RequestContext, caller: Caller) -> tuple[str, str]:
    return caller.principal, host_name(ctx)
