"""The console's page without a browser: what it sends, and an app that runs without a port."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from contacts_mcp.app import build_console
from contacts_mcp.console import LoopbackConsole
from contacts_mcp.settings import load_settings
from support.clock import Clock
from support.raw_hosts import CONTENT, modern, routing

PORT = 4242
ORIGIN = f"http://127.0.0.1:{PORT}"
APPS = {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}}
CONSOLE_TOOLS = {
    *("list_approvals", "decide_approval", "read_audit_trail", "verify_audit_trail", "list_receipts", "list_backups")
}


class Page:
    """A page in a browser with its cookies. `base` is the path of the console, with a slash at its end."""

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self.client, self.base = client, base

    @property
    def origin(self) -> str:
        return str(self.client.base_url).rstrip("/")

    @property
    def own_headers(self) -> dict[str, str]:
        """What a browser and the page's script add to a request."""
        return {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", "X-Contacts-Console": "1"}

    async def send(self, method: str, headers: dict[str, str | None] | None = None, **params: Any) -> httpx.Response:
        """Send an MCP request; `headers` replace the page's, or leave them out if they are None."""
        message = modern(1, method, APPS, **params)
        sent = dict(CONTENT) | dict(routing(method, params.get("name"))) | self.own_headers | (headers or {})
        kept = {name: value for name, value in sent.items() if value is not None}
        return await self.client.post(f"{self.base}mcp", content=json.dumps(message), headers=kept)

    async def tools(self) -> set[str]:
        listed = result_of(await self.send("tools/list"))
        return {tool["name"] for tool in listed["tools"]}

    async def raw(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        return result_of(await self.send("tools/call", name=tool, arguments=arguments))

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The answer of a call that must succeed."""
        result = await self.raw(tool, **arguments)
        assert not result.get("isError"), result
        content: dict[str, Any] = result["structuredContent"]
        return content

    async def error(self, tool: str, /, **arguments: Any) -> str:
        """The line of a call that must fail."""
        result = await self.raw(tool, **arguments)
        assert result["isError"], result
        return str(result["content"][0]["text"])


def result_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    body = response.text if response.text.startswith("{") else response.text.rpartition("data: ")[2]
    result: dict[str, Any] = json.loads(body)["result"]
    return result


class Computer:
    """A computer on which `contacts-mcp open` runs. `opened` is the address that it opened in the browser."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.clock = Clock()
        self.console = LoopbackConsole("the test", self.clock)
        self.opened = ""
        given = {"directory": home / "contacts.db", "audit": str(home / "audit.jsonl"), **settings}
        self.app = build_console(load_settings(**given), home, PORT, self._open, self.console).asgi

    async def _open(self, address: str) -> None:
        self.opened = address

    def client(self, origin: str = ORIGIN) -> httpx.AsyncClient:
        """A browser without cookies."""
        app: Any = self.app
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=origin)

    async def enter(self) -> Page:
        """The page in the window that the command opened."""
        client = self.client()
        shown = await client.get(self.opened, follow_redirects=True)
        assert shown.status_code == 200, shown.text
        return Page(client, shown.url.path)


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[None]:
    """Run an app's lifespan, as a server does."""
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    started, stopped = asyncio.Event(), asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        assert "failed" not in message["type"], message
        (started if message["type"] == "lifespan.startup.complete" else stopped).set()

    lifespan = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, incoming.get, send))
    await incoming.put({"type": "lifespan.startup"})
    await started.wait()
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        await lifespan
        assert stopped.is_set()
