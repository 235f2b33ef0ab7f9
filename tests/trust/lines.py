"""A host that speaks JSON-RPC in lines of its own making, in memory: no SDK stands between an attack and the server."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from harness import LEGACY
from network.callers import FORMS
from processes import modern

_PATIENCE = 120.0
"""Seconds for an answer, also where a thousand are waited for at once."""
Message = dict[str, Any]
Person = Callable[[Message], Awaitable[Message | None]]
"""Takes a question of the legacy era; gives the members `result` or `error` of the response, or none at all."""


async def declines(_question: Message) -> Message:
    """Whoever does not want it."""
    return {"result": {"action": "decline"}}


class _Lines:
    """What the server reads, line by line, until None."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self.queue.get()) is not None:
            yield line


class LineHost:
    """Sends requests as they are, and answers the server's as `person` does."""

    def __init__(self, era: str, person: Person, capabilities: Message) -> None:
        self._era, self._person, self._capabilities = era, person, capabilities
        self.lines = _Lines()
        self.asked: list[Message] = []
        """The questions of the legacy era."""
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[Message]] = {}
        self._busy: set[asyncio.Task[None]] = set()

    async def call(self, tool: str, arguments: Message, **members: Any) -> Message:
        """A tool call, with whatever members beside its arguments; the response as it came."""
        return await self.request("tools/call", name=tool, arguments=arguments, **members)

    async def request(self, method: str, **params: Any) -> Message:
        """Any request; the response as it came."""
        number = next(self._numbers)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        if self._era != LEGACY:
            message = modern(number, method, **params)
            message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self._capabilities
        self._open[number] = asyncio.get_running_loop().create_future()
        self.send(message)
        async with asyncio.timeout(_PATIENCE):
            return await self._open[number]

    def send(self, message: Message) -> None:
        """Say something that may be no request."""
        self.lines.queue.put_nowait(json.dumps(message))

    def cancel(self) -> None:
        """Take back the requests that are open."""
        for number in self._open:
            self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})

    @property
    def busy(self) -> bool:
        """Whether a question is still being thought about."""
        return bool(self._busy)

    async def write(self, text: str) -> None:
        """Hear a line of the server."""
        message = json.loads(text)
        if "method" not in message:
            if (waiting := self._open.pop(message.get("id"), None)) and not waiting.done():
                waiting.set_result(message)
        elif message["method"] == "elicitation/create":
            self.asked.append(message)
            task = asyncio.create_task(self._answer(message))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def flush(self) -> None:
        """Nothing is held back."""

    async def _answer(self, question: Message) -> None:
        response = await self._person(question)
        if response is not None:
            self.send({"jsonrpc": "2.0", "id": question["id"], **response})

    async def open(self) -> None:
        """Shake hands, where the era has it."""
        if self._era == LEGACY:
            whoever = {"name": "test", "version": "1"}
            await self.request(
                "initialize", protocolVersion="2025-11-25", capabilities=self._capabilities, clientInfo=whoever
            )
            self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})


@asynccontextmanager
async def line_host(
    server: Server[Any], era: str, person: Person = declines, *, forms: bool = True
) -> AsyncIterator[LineHost]:
    """A host of a server in this event loop, which shows forms or does not."""
    host = LineHost(era, person, FORMS if forms else {})
    # Entered and left by the task that serves, since a fixture or a test may be cut off anywhere.
    serving = asyncio.create_task(_serve(server, host))
    try:
        await host.open()
        yield host
    finally:
        host.lines.queue.put_nowait(None)
        async with asyncio.timeout(_PATIENCE):
            await serving


async def _serve(server: Server[Any], host: LineHost) -> None:
    stdin, stdout = cast("anyio.AsyncFile[str]", host.lines), cast("anyio.AsyncFile[str]", host)
    async with stdio_server(stdin, stdout) as (read, write):
        await server.run(read, write, server.create_initialization_options())
