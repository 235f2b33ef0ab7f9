"""A model whose calls wait for a person, the desk that takes the person's decisions, and a browser without windows."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from mcp import Client
from mcp_types import Implementation

from contacts_mcp.approval_page._loopback_app import LoopbackApp
from contacts_mcp.audit import Trail
from contacts_mcp.client import ContactsClient
from contacts_mcp.directory import EXTENSIONS
from contacts_mcp.guard import Approval, Guard, Rung, Seal
from contacts_mcp.server import LOCAL_CALLER, ApprovalDesk, CallRecorder, Ways
from contacts_mcp.tools import TOOLS, Backend
from support.clock import Clock
from support.hosts import LEGACY, Host, server_over
from support.quick import place_directory

CLAUDE = Implementation(name="claude-ai", version="0.1.0")
"""How Claude Desktop calls itself."""
PORT = 4242
ORIGIN = f"http://127.0.0.1:{PORT}"
BOOTSTRAP_SECONDS = 120.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Scene:
    """`model` makes calls; `desk` has those that wait. `trail` has the audit records."""

    def __init__(self, api: ContactsClient, confirm: tuple[str, ...]) -> None:
        self.api, self.clock = api, Clock()
        self.guard = Guard(confirm=confirm, seal=Seal(600, clock=self.clock))
        self.desk = ApprovalDesk(self.guard, TOOLS, self._backend)
        self.trail: list[dict[str, Any]] = []
        recorder = CallRecorder(Trail(outputs=[self]), {tool.name: tool.risk for tool in TOOLS})
        ways = Ways((Rung.FORM, Rung.PAGE), open_page=self.open_page, hold_seconds=0.05)
        self.server = server_over(backend_for=self._backend, guard=self.guard, ways=ways, recorder=recorder)
        self.model: Host

    has_unsent = False

    async def write(self, record: dict[str, Any], *, durable: bool) -> None:
        """Take a record of the audit trail."""
        self.trail.append(record)

    async def open_page(self, _approval: Approval) -> bool:
        """A test replaces this if it has a browser."""
        return True

    def _backend(self, _caller: object) -> Backend:
        return Backend(self.api, known_extensions=EXTENSIONS)

    async def ask(self, tool: str, **arguments: Any) -> Approval:
        """Let the model make a call that needs consent; what waits for the person then."""
        before = {each.id for each in await self.pending()}
        await self.model.declined(tool, **arguments)
        (approval,) = [each for each in await self.pending() if each.id not in before]
        return approval

    async def ask_to_delete(self, name: str = "Ola Nordmann", **values: Any) -> Approval:
        ola = await self.model.call("create_contact", name=name, allow_duplicate=True, **values)
        return await self.ask("delete_contact", contact_id=ola["id"])

    async def pending(self) -> list[Approval]:
        return await self.desk.list_pending(LOCAL_CALLER, of_all=False)


@asynccontextmanager
async def scene_in(path: Path, confirm: tuple[str, ...] = ()) -> AsyncIterator[Scene]:
    """A model, and a person at the same computer, on a new directory."""
    async with ContactsClient.for_directory(place_directory(path)) as api:
        scene = Scene(api, confirm)
        async with Client(scene.server, mode=LEGACY, client_info=CLAUDE, raise_exceptions=False) as client:
            scene.model = Host(client)
            yield scene


class Page:
    """What a browser shows."""

    def __init__(self, response: httpx.Response) -> None:
        self.response, self.status, self.html = response, response.status_code, response.text

    @property
    def text(self) -> str:
        """What a person reads, without the style."""
        body = re.sub(r"<style>.*?</style>", "", self.html, flags=re.DOTALL)
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body))).strip()

    @property
    def heading(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.html, re.DOTALL)
        assert found, self.html
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", found[1]))).strip()

    @property
    def token(self) -> str:
        found = re.search(r'name="token" value="([^"]*)"', self.html)
        assert found, self.html
        return found[1]


class Browser:
    """A browser that keeps cookies and follows redirects, at pages that an app serves."""

    def __init__(self, client: httpx.AsyncClient, base: str = "") -> None:
        self.client, self.base = client, base

    async def get(self, path: str, **options: Any) -> Page:
        return Page(await self.client.get(path, **options))

    async def show(self, approval: Approval) -> Page:
        return await self.get(f"{self.base}/{approval.id}")

    async def post(
        self, approval: Approval, fields: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> Page:
        """Post a form as a browser does; `headers` replace or add to its headers."""
        sent = {"Origin": str(self.client.base_url).rstrip("/"), **(headers or {})}
        return Page(await self.client.post(f"{self.base}/{approval.id}", data=fields, headers=sent))

    async def decide(self, approval: Approval, decision: str, **fields: str) -> Page:
        """Open the page and press a button."""
        shown = await self.show(approval)
        return await self.post(approval, {"token": shown.token, "decision": decision, **fields})


class LoopbackScene:
    """The pages of this computer, without a port."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.app = LoopbackApp(scene.desk, PORT, scene.clock, BOOTSTRAP_SECONDS)

    @property
    def base(self) -> str:
        return self.app._base

    def browser(self, origin: str = ORIGIN) -> Browser:
        """A browser without a session."""
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]
        return Browser(httpx.AsyncClient(transport=transport, base_url=origin, follow_redirects=True), self.base)

    async def enter(self, approval: Approval) -> tuple[Browser, Page]:
        """A browser that was opened for an approval, and what it shows."""
        browser = self.browser()
        return browser, await browser.get(self.app.make_bootstrap(approval))
