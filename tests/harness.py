"""A host in memory: the SDK's client, the real server, the real client, the real directory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from mcp import Client
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitResult, TextContent

from contacts_mcp.app import Embedded, Platform, build_app
from contacts_mcp.client import ContactsClient
from contacts_mcp.guard import Guard
from contacts_mcp.server import build_server
from contacts_mcp.settings import load_settings
from contacts_mcp.tools import TOOLS, Backend

LEGACY, MODERN = "legacy", "2026-07-28"
NOBODY = "00000000-0000-0000-0000-000000000000"
T = TypeVar("T")


@dataclass
class Person:
    """Whoever sits behind the host: answers with `content`, or does as `reply` says; remembers what was asked."""

    content: dict[str, Any] | None = None
    action: str = "accept"
    meanwhile: Callable[[], Any] | None = None
    asked: list[ElicitRequestFormParams] = field(default_factory=list)

    async def __call__(self, _context: object, params: Any) -> ElicitResult:
        self.asked.append(params)
        if self.meanwhile:
            await self.meanwhile()
        return ElicitResult(action=self.action, content=self.content)  # type: ignore[arg-type]

    @property
    def question(self) -> str:
        (asked,) = self.asked
        return asked.message


class Host:
    """Calls tools, and reads answers and errors."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def raw(self, tool: str, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a call that must succeed."""
        return answer_of(await self.raw(tool, **arguments))

    async def error(self, tool: str, **arguments: Any) -> str:
        """The line of a call that must fail."""
        result = await self.raw(tool, **arguments)
        assert result.is_error, text_of(result)
        return text_of(result)


def answer_of(result: CallToolResult) -> dict[str, Any]:
    """The answer; the text and the structured content of every answer say the same."""
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == result.structured_content
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    """The one text of a result; links may stand beside it."""
    (block,) = (block for block in result.content if isinstance(block, TextContent))
    return block.text


@asynccontextmanager
async def host(
    backend: Path | Embedded | Platform, era: str = MODERN, person: Person | None = None, **settings: Any
) -> AsyncIterator[Host]:
    """A host connected to a server over a directory file or another backend; without a person it cannot ask."""
    where = Embedded(backend, "test") if isinstance(backend, Path) else backend
    app = build_app(load_settings(**settings), where)
    async with Client(app.server, mode=era, elicitation_callback=person, raise_exceptions=False) as client:
        yield Host(client)


@asynccontextmanager
async def host_of_service(
    respond: Callable[[httpx.Request], httpx.Response], era: str = MODERN, person: Person | None = None
) -> AsyncIterator[Host]:
    """A host connected to a server whose service answers as `respond` says."""
    async with (
        ContactsClient(base_url="http://service", transport=httpx.MockTransport(respond)) as api,
        Client(server_over(api), mode=era, elicitation_callback=person) as client,
    ):
        yield Host(client)


def server_over(api: ContactsClient, *, guard: Guard | None = None, **more: Any) -> Server[Any]:
    """A server that has every tool over a client of the caller's own; `more` is whatever else it is built of."""
    return build_server(
        version="0",
        instructions="",
        tools=TOOLS,
        backend_for=lambda _: Backend(api),
        guard=guard or Guard(),
        lifespan=lambda _: nullcontext(),
        **more,
    )


@asynccontextmanager
async def held(context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """A context for a fixture, entered and left in one task: anyio needs that, pytest-asyncio does not do it."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def hold() -> None:
        async with context as value:
            entered.set_result(value)
            await leave.wait()

    holder = asyncio.create_task(hold())
    await asyncio.wait({holder, entered}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield entered.result() if entered.done() else await holder  # type: ignore[misc]
    finally:
        leave.set()
        await holder
