"""Hosts as they are: what each declares, and what its questions do. A deletion is tried in each of them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from contacts_mcp.audit import Trail
from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import CreateContact, GetContact, NotFound
from contacts_mcp.directory import EXTENSIONS
from contacts_mcp.guard import (
    ANSWER_LIFETIME_SECONDS,
    Approval,
    ApprovalStore,
    Consent,
    Guard,
    GuardMode,
    MemoryNonceStore,
    Rung,
    Seal,
)
from contacts_mcp.server import LOCAL_CALLER, ApprovalDesk, CallRecorder, Ways
from contacts_mcp.server._panel import DECIDE, QUESTION_META
from contacts_mcp.tools import TOOLS, Backend, WriteBudget
from support.clock import Clock
from support.hosts import LEGACY, MODERN, server_over
from support.quick import place_directory
from support.raw_hosts import FORMS, LineHost, Message, fill_form, line_host

URLS: Message = {"elicitation": {"url": {}}}
APPS: Message = {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}
_SHORT_HOLD_SECONDS, _LONG_HOLD_SECONDS = 0.05, 30.0
"""How long a call waits for a person who does nothing, and at most for one who decides at once."""


class Forms(StrEnum):
    """What a host does with a form."""

    SHOWS = "shows them"
    NONE = "has none"
    DECLINES = "declines them by itself"
    HANGS = "never answers them"


class Will(StrEnum):
    """What the person wants."""

    YES = "yes"
    NO = "no"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Profile:
    """A host: its name for a reader, its protocol era, what it declares, and what it does with forms."""

    name: str
    era: str
    capabilities: Message = field(hash=False)
    forms: Forms

    @property
    def shows_panel(self) -> bool:
        """Whether it shows the panel beside a call (MCP Apps)."""
        return "extensions" in self.capabilities

    def __str__(self) -> str:
        return self.name


PROFILES = (
    Profile("VS Code", LEGACY, {"elicitation": {"form": {}, "url": {}}, **APPS}, Forms.SHOWS),
    Profile("Claude Desktop", LEGACY, APPS, Forms.NONE),
    Profile("Claude Code (terminal)", LEGACY, {"elicitation": {}}, Forms.SHOWS),
    Profile("Claude Code (terminal), new protocol", MODERN, {"elicitation": {}}, Forms.SHOWS),
    Profile("Claude Code in an editor", LEGACY, {"elicitation": {}}, Forms.DECLINES),
    Profile("Claude Code in an editor, new protocol", MODERN, {"elicitation": {}}, Forms.DECLINES),
    Profile("Claude Code in an editor that hangs", LEGACY, {"elicitation": {}}, Forms.HANGS),
    Profile("Codex", LEGACY, FORMS, Forms.SHOWS),
    Profile("Cursor", LEGACY, {**FORMS, **APPS}, Forms.SHOWS),
    Profile("Gemini CLI", LEGACY, {}, Forms.NONE),
    Profile("Goose", LEGACY, {**FORMS, **APPS}, Forms.SHOWS),
    Profile("n8n", LEGACY, {}, Forms.NONE),
    Profile("an agent on a bare SDK", MODERN, {}, Forms.NONE),
)


AuditRecord = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a deletion: in which way consent was given, the calls it took, and whether the contact is gone."""

    consent: str | None
    calls: int
    is_deleted: bool
    answers: list[Message]


class Scene:
    """A host, a person with a will of their own, and a contact that the host's model wants to delete."""

    def __init__(self, api: ContactsClient, profile: Profile, will: Will, mode: GuardMode = GuardMode.ASK) -> None:
        self.api, self.profile, self.will = api, profile, will
        self.clock, self.budget = Clock(), WriteBudget(0)
        self.pages: list[str] = []
        """The approvals whose page was opened in the person's browser."""
        self.trail: list[AuditRecord] = []
        recorder = CallRecorder(Trail(outputs=[self]), {tool.name: tool.risk for tool in TOOLS})
        seal = Seal(ANSWER_LIFETIME_SECONDS, clock=self.clock)
        nonces = MemoryNonceStore(self.clock)
        self.guard = Guard(mode, seal=seal, nonce_store=nonces, min_decision_seconds=1.0)
        self.is_page_busy, self.address = False, ""
        self.opened: list[str] = []
        """The addresses that the host was given for the person."""
        self.ways = Ways(
            (Rung.FORM, Rung.APP, Rung.PAGE, Rung.URL),
            open_page=self.open_page,
            page_url=lambda _ctx, approval: f"{self.address}{approval.id}" if self.address else None,
        )
        self.hold(is_long=will is not Will.NOTHING and profile.forms is not Forms.HANGS)
        self.desk = ApprovalDesk(self.guard, TOOLS, self._backend)
        self.server = server_over(backend_for=self._backend, guard=self.guard, ways=self.ways, recorder=recorder)
        self._deciding: set[asyncio.Task[None]] = set()
        self.host: LineHost
        self.contact_id = ""

    has_unsent = False

    async def write(self, record: AuditRecord, *, durable: bool) -> None:
        """Take a record of the audit trail."""
        self.trail.append(record)

    def _backend(self, _caller: object) -> Backend:
        return Backend(self.api, known_extensions=EXTENSIONS, budget=self.budget)

    def remove_browser(self, address: str = "") -> None:
        """Let there be no browser on this computer; the server has its pages at `address`, if there is one."""
        self.address = address
        object.__setattr__(self.ways, "open_page", None)

    def add_browser(self) -> None:
        """Let there be a browser again."""
        object.__setattr__(self.ways, "open_page", self.open_page)

    def hold(self, *, is_long: bool) -> None:
        """Set how long the next calls wait for the person."""
        object.__setattr__(self.ways, "hold_seconds", _LONG_HOLD_SECONDS if is_long else _SHORT_HOLD_SECONDS)

    async def open_page(self, approval: Approval) -> bool:
        """Open the page, unless it is open or too many were opened; the person decides on it."""
        if self.is_page_busy:
            return False
        if approval.id not in self.pages:
            self.pages.append(approval.id)
            self._start(self._decide_on(approval, Consent.PAGE))
        return True

    async def decide(self, will: Will) -> None:
        """Let the person decide on the page that is open, and do nothing about later ones."""
        (approval,) = await self.desk.list_pending(LOCAL_CALLER, of_all=False)
        self.will = will
        await self._decide_on(approval, Consent.PAGE)
        self.will = Will.NOTHING

    async def _decide_on(self, approval: Approval, consent: Consent) -> None:
        if self.will is Will.YES:
            question = await self.desk.open(LOCAL_CALLER, approval)
            await self.desk.approve(LOCAL_CALLER, question, {"decision": "delete"}, consent, "")
        elif self.will is Will.NO:
            await self.desk.keep(approval, consent, "")

    async def _open_address(self, url: str) -> Message | None:
        """What the host does with the address of a page: the person opens it and decides there, or does not open it."""
        if self.will is not Will.YES:
            return {"action": "decline"} if self.will is Will.NO else None
        self.opened.append(url)
        (approval,) = await self.desk.list_pending(LOCAL_CALLER, of_all=False)
        assert url == f"{self.address}{approval.id}"
        self._start(self._decide_on(approval, Consent.URL))
        return {"action": "accept"}

    def answer_later(self, question: Message, answer: Message) -> None:
        """Answer a form of the legacy era whose call has ended."""
        self.clock.now += 60
        self.host.send({"jsonrpc": "2.0", "id": question["id"], "result": answer})

    async def create_contact(self, name: str) -> str:
        return (await self.api.send(CreateContact(name=name))).id

    def _start(self, deciding: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(deciding)
        self._deciding.add(task)

    async def answer_form(self, question: Message) -> Message | None:
        """What the host does with a form, in the legacy era."""
        if self.profile.forms is Forms.HANGS:
            return None
        answer = await self._fill(question["params"])
        return None if answer is None else {"result": answer}

    async def _fill(self, params: Message) -> Message | None:
        if "url" in params:
            return await self._open_address(params["url"])
        if self.profile.forms is Forms.DECLINES:
            self.clock.now += 0.05
            return {"action": "decline"}
        self.clock.now += 5  # a person reads
        if self.will is Will.NOTHING:
            return None
        return {"action": "accept", "content": fill_form(params)} if self.will is Will.YES else {"action": "decline"}

    async def call(self, tool: str, **arguments: Any) -> Message:
        """Call a tool as this host does: in the modern era it brings the answer to a question in a second request."""
        response = await self.host.call(tool, arguments)
        result = response.get("result", {})
        if question := result.get("_meta", {}).get(QUESTION_META):
            return await self._decide_in_panel(tool, question) or response
        if "requestState" not in result:
            return response
        answer = await self._fill(result["inputRequests"]["confirm"]["params"])
        if answer is None:
            return response
        state = result["requestState"]
        return await self.host.call(tool, arguments, inputResponses={"confirm": answer}, requestState=state)

    async def _decide_in_panel(self, tool: str, question: Message) -> Message | None:
        """What the panel does with a question: the person reads it and decides, or does nothing."""
        self.clock.now += 5
        if self.will is Will.NOTHING:
            return None
        decision = {"arguments": question["arguments"], "secret": question["secret"], "agree": self.will is Will.YES}
        return await self.host.call(DECIDE, {"tool": tool, **decision})

    async def delete(self, max_calls: int = 2) -> Outcome:
        """Call `delete_contact` until it is done or refused, as a model does that reads its answers."""
        answers: list[Message] = []
        for _ in range(max_calls):
            answers.append(await self.call("delete_contact", contact_id=self.contact_id))
            if "call again with the same arguments" not in reason_of(answers[-1]):
                break
            self.hold(is_long=self.will is not Will.NOTHING)
        consents = [record["consent"] for record in self.trail if record["outcome"] == "done"]
        return Outcome(consents[0] if consents else None, len(answers), not await self.has_contact(), answers)

    def use_store(self, store: ApprovalStore) -> None:
        """Keep approvals in another store."""
        self.guard.approvals._store = store

    def seal_of_a_stranger(self) -> Seal:
        """A seal with another key, at the same time."""
        return Seal(ANSWER_LIFETIME_SECONDS, clock=self.clock)

    async def has_contact(self, contact_id: str = "") -> bool:
        try:
            await self.api.send(GetContact(contact_id=contact_id or self.contact_id))
        except NotFound:
            return False
        return True


def reason_of(response: Message) -> str:
    """Why nothing was changed, as the model reads it; empty if something was."""
    result = response.get("result", {})
    return str(result.get("structuredContent", {}).get("reason", "") or (result.get("isError") and result) or "")


@asynccontextmanager
async def scene_in(path: Path, profile: Profile, will: Will, mode: GuardMode = GuardMode.ASK) -> AsyncIterator[Scene]:
    """A host of this profile on a new directory with one contact."""
    async with ContactsClient.for_directory(place_directory(path)) as api:
        scene = Scene(api, profile, will, mode)
        scene.contact_id = await scene.create_contact("Ola Nordmann")
        host = line_host(scene.server, profile.era, scene.answer_form, capabilities=profile.capabilities)
        async with host as scene.host:
            yield scene
