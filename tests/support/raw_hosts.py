"""Hosts that speak JSON-RPC without an SDK, over HTTP and in memory."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from support.hosts import LEGACY, MODERN

_LEGACY_VERSION = "2025-11-25"
FORMS = {"elicitation": {"form": {}}}
_PATIENCE = 30.0
"""Seconds for an answer."""

Headers = list[tuple[str, str]]
Hear = Callable[[str], Awaitable[None]]
"""Told the data of each event of a stream, as it comes."""

CONTENT: Headers = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]


def key(secret: str) -> Headers:
    """The header that brings a WAYSCloud key."""
    return [("X-API-Key", secret)]


def port_of(url: str) -> int:
    """The port in an address such as http://127.0.0.1:8000."""
    return int(url.rpartition(":")[2])


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, as text."""

    head: str
    body: str

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    @cached_property
    def headers(self) -> dict[str, str]:
        """By name in lower case."""
        fields = (line.partition(":") for line in self.head.split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in fields}

    @cached_property
    def message(self) -> dict[str, Any]:
        """The JSON-RPC answer: the body, or the last event of a stream."""
        return json.loads(self.body if self.body.startswith("{") else self.body.rpartition("data: ")[2])

    @property
    def result(self) -> dict[str, Any]:
        assert "result" in self.message, self.body
        return self.message["result"]

    @property
    def failed(self) -> bool:
        """Whether something was refused, by the protocol or by a tool."""
        return "error" in self.message or bool(self.message["result"].get("isError"))

    @property
    def content(self) -> dict[str, Any]:
        """What a tool answered."""
        assert not self.result["isError"], self.body
        return self.result["structuredContent"]

    @property
    def line(self) -> str:
        """What the caller reads where something was refused: of the protocol's error, or of a tool's."""
        if "error" in self.message:
            return self.message["error"]["message"]
        assert self.result.get("isError"), self.body
        return self.result["content"][0]["text"]


class HttpConnection:
    """One keep-alive connection to a port of this machine, opened when it is used."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(
        self, method: str, path: str, headers: Headers, body: bytes = b"", hear: Hear | None = None
    ) -> Answer:
        """Send a request and read its answer whole. Raises OSError or EOFError where the connection breaks."""
        fields = [("Host", f"127.0.0.1:{self._port}"), ("Content-Length", str(len(body))), *headers]
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return await self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body, hear)

    async def send(self, request: bytes, hear: Hear | None = None) -> Answer:
        """The same, byte for byte as it is."""
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(request)
                answer = await _answer(reader, hear)
        except BaseException:
            await self.aclose()
            raise
        if answer.headers.get("connection") == "close":
            await self.aclose()
        return answer

    async def aclose(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _answer(reader: asyncio.StreamReader, hear: Hear | None) -> Answer:
    head = Answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n"), "")
    parts = []
    async for part in _parts(reader, head.headers):
        parts.append(part)
        for line in part.splitlines() if hear else ():
            if hear and line.startswith("data: "):
                await hear(line.removeprefix("data: "))
    return Answer(head.head, "".join(parts))


async def _parts(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[str]:
    """The body as it comes: all at once, or in chunks, each of which holds whole events."""
    if "content-length" in headers:
        yield (await reader.readexactly(int(headers["content-length"]))).decode()
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            yield (await reader.readexactly(size)).decode()
            await reader.readline()
        await reader.readline()


@dataclass
class ModernConnection:
    """A caller of the modern era, whose host shows forms to somebody, unless its `capabilities` say otherwise."""

    port: int
    headers: Headers = field(default_factory=list)
    capabilities: dict[str, Any] = field(default_factory=lambda: FORMS)

    def __post_init__(self) -> None:
        self.wire = HttpConnection(self.port)
        self._numbers = itertools.count(1)

    async def request(self, method: str, hear: Hear | None = None, **params: Any) -> Answer:
        message = modern(next(self._numbers), method, **params)
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities
        name = params.get("name") or params.get("uri")
        routing = [("MCP-Protocol-Version", MODERN), ("Mcp-Method", method), *([("Mcp-Name", name)] if name else [])]
        headers = [*CONTENT, *routing, *self.headers]
        return await self.wire.exchange("POST", "/mcp", headers, json.dumps(message).encode(), hear)

    async def call(self, tool: str, **arguments: Any) -> Answer:
        return await self.request("tools/call", name=tool, arguments=arguments)

    async def answer(self, question: Answer, tool: str, decision: str, **arguments: Any) -> Answer:
        """The second round: the same call again, with the question's state and a decision in the form."""
        form = {"confirm": {"action": "accept", "content": {"decision": decision}}}
        state = question.result["requestState"]
        return await self.request("tools/call", name=tool, arguments=arguments, inputResponses=form, requestState=state)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.wire.aclose()


@dataclass
class LegacySession:
    """A caller of the legacy era with a session, who answers every form with `decision`."""

    port: int
    headers: Headers = field(default_factory=list)
    decision: str = "delete"
    before_answering: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    capabilities: dict[str, Any] = field(default_factory=lambda: FORMS)
    session: str = ""
    asked: list[str] = field(default_factory=list)
    """The questions that came."""

    def __post_init__(self) -> None:
        self.wire, self._answering = HttpConnection(self.port), HttpConnection(self.port)
        self._numbers = itertools.count(1)

    @property
    def all_headers(self) -> Headers:
        return [*CONTENT, *self.headers, *([("Mcp-Session-Id", self.session)] if self.session else [])]

    async def request(self, method: str, **params: Any) -> Answer:
        return await self.post({"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params})

    async def call(self, tool: str, **arguments: Any) -> Answer:
        return await self.request("tools/call", name=tool, arguments=arguments)

    async def post(self, message: dict[str, Any], wire: HttpConnection | None = None) -> Answer:
        return await (wire or self.wire).exchange(
            "POST", "/mcp", self.all_headers, json.dumps(message).encode(), self._hear
        )

    async def _hear(self, data: str) -> None:
        """Answer a question as soon as it comes."""
        message = json.loads(data or "{}")
        if message.get("method") == "elicitation/create":
            self.asked.append(message["params"]["message"])
            if self.before_answering:
                await self.before_answering(message)
            await self.post(accepted(message, **self.filled(message)), self._answering)

    def filled(self, question: dict[str, Any]) -> dict[str, Any]:
        """The form of a question, as the person fills it in."""
        return {"decision": self.decision}

    async def __aenter__(self) -> Self:
        """Open the session."""
        whoever = {"name": "test", "version": "1"}
        opened = await self.request(
            "initialize", protocolVersion=_LEGACY_VERSION, capabilities=self.capabilities, clientInfo=whoever
        )
        self.session = opened.headers["mcp-session-id"]
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    async def leave(self) -> None:
        """End the session."""
        await self.wire.exchange("DELETE", "/mcp", self.all_headers)
        self.session = ""

    async def __aexit__(self, *_: object) -> None:
        """Close the connections, and leave the session as it is; `leave` ends it."""
        try:
            await self.wire.aclose()
        finally:  # whoever is cancelled while the one closes leaves the other closed as well
            await self._answering.aclose()


def accepted(question: dict[str, Any], **form: Any) -> dict[str, Any]:
    """The answer to a question of the legacy era: the form as it was filled in."""
    result = {"action": "accept", "content": form}
    return {"jsonrpc": "2.0", "id": question["id"], "result": result}


_LINE_TIMEOUT_SECONDS = 120.0
"""Seconds for an answer, also where a thousand are waited for at once."""
Message = dict[str, Any]
Responder = Callable[[Message], Awaitable[Message | None]]
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

    def __init__(self, era: str, person: Responder, capabilities: Message) -> None:
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
        async with asyncio.timeout(_LINE_TIMEOUT_SECONDS):
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
    server: Server[Any], era: str, person: Responder = declines, *, forms: bool = True
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
        async with asyncio.timeout(_LINE_TIMEOUT_SECONDS):
            await serving


async def _serve(server: Server[Any], host: LineHost) -> None:
    stdin, stdout = cast("anyio.AsyncFile[str]", host.lines), cast("anyio.AsyncFile[str]", host)
    async with stdio_server(stdin, stdout) as (read, write):
        await server.run(read, write, server.create_initialization_options())


def modern(identifier: int, method: str, **params: Any) -> dict[str, Any]:
    """A request of the 2026-07-28 era, which carries its own envelope."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": {**params, "_meta": meta}}
