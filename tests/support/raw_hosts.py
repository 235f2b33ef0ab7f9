"""Hosts that speak JSON-RPC without an SDK, over HTTP and in memory."""

import asyncio
import itertools
import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from contacts_mcp.transports._eras import serve_connection
from support.hosts import LEGACY, MODERN

_LEGACY_VERSION = "2025-11-25"
FORMS = {"elicitation": {"form": {}}}
_PHRASE_TO_TYPE = re.compile(r'To erase, type "(.*)"\.$')
_ANSWER_TIMEOUT_SECONDS = 30.0

Message = dict[str, Any]
Headers = list[tuple[str, str]]
Hear = Callable[[str], Awaitable[None]]
"""Gets the data of each event of a stream as it arrives."""

CONTENT: Headers = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]


def key(secret: str) -> Headers:
    return [("X-API-Key", secret)]


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
        return "error" in self.message or bool(self.message["result"].get("isError"))

    @property
    def content(self) -> dict[str, Any]:
        """The structured content of a successful tool call."""
        assert not self.result["isError"], self.body
        return self.result["structuredContent"]

    @property
    def line(self) -> str:
        """The text of an error of the protocol or of a tool."""
        if "error" in self.message:
            return self.message["error"]["message"]
        assert self.result.get("isError"), self.body
        return self.result["content"][0]["text"]


def as_answer(message: Message) -> Answer:
    """A message that arrived in another way."""
    return Answer("", json.dumps(message))


class _Closing(ABC):
    """Closes itself at the end of a `with` block."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @abstractmethod
    async def aclose(self) -> None: ...


class HttpConnection(_Closing):
    """One keep-alive connection to a port of this machine, opened when it is used."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(
        self, method: str, path: str, headers: Headers, body: bytes = b"", hear: Hear | None = None
    ) -> Answer:
        """Send a request and read the whole answer. Raises OSError or EOFError if the connection breaks."""
        fields = [("Host", f"127.0.0.1:{self._port}"), ("Content-Length", str(len(body))), *headers]
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return await self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body, hear)

    async def send(self, request: bytes, hear: Hear | None = None) -> Answer:
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_SECONDS):
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
    """Yield the body as it arrives: complete, or in chunks of whole events."""
    if "content-length" in headers:
        yield (await reader.readexactly(int(headers["content-length"]))).decode()
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            yield (await reader.readexactly(size)).decode()
            await reader.readline()
        await reader.readline()


@dataclass
class ModernConnection(_Closing):
    """A caller of the modern era. Its host shows forms, unless its `capabilities` say otherwise."""

    port: int
    headers: Headers = field(default_factory=list)
    capabilities: dict[str, Any] = field(default_factory=lambda: FORMS)

    def __post_init__(self) -> None:
        self.wire = HttpConnection(self.port)
        self._numbers = itertools.count(1)

    async def request(self, method: str, hear: Hear | None = None, **params: Any) -> Answer:
        message = modern(next(self._numbers), method, self.capabilities, **params)
        headers = [*CONTENT, *routing(method, params.get("name") or params.get("uri")), *self.headers]
        return await self.wire.exchange("POST", "/mcp", headers, json.dumps(message).encode(), hear)

    async def call(self, tool: str, **arguments: Any) -> Answer:
        return await self.request("tools/call", name=tool, arguments=arguments)

    async def answer(self, question: Answer, tool: str, decision: str, **arguments: Any) -> Answer:
        """The second round: the same call again, with the question's state and a decision in the form."""
        form = {"confirm": {"action": "accept", "content": {"decision": decision}}}
        state = question.result["requestState"]
        return await self.request("tools/call", name=tool, arguments=arguments, inputResponses=form, requestState=state)

    async def aclose(self) -> None:
        await self.wire.aclose()


@dataclass
class LegacySession:
    """A caller of the legacy era with a session. It answers every form with `decision`."""

    port: int
    headers: Headers = field(default_factory=list)
    decision: str = "delete"
    before_answering: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    capabilities: dict[str, Any] = field(default_factory=lambda: FORMS)
    session: str = ""
    asked: list[str] = field(default_factory=list)
    """The questions so far."""

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
        opened = await self.request("initialize", **initialize_params(self.capabilities))
        self.session = opened.headers["mcp-session-id"]
        try:
            await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        except BaseException:
            self.session = ""
            raise
        return self

    async def leave(self) -> None:
        headers, self.session = self.all_headers, ""  # an abandoned call must not leave the session twice
        await self.wire.exchange("DELETE", "/mcp", headers)

    async def __aexit__(self, *_: object) -> None:
        """Close the connections, and leave the session as it is; `leave` ends it."""
        try:
            await self.wire.aclose()
        finally:  # also if this is cancelled while the first one closes
            await self._answering.aclose()


def fill_form(question: Message, *, agrees: bool = True) -> Message:
    """The form of a person who agrees to a question, or who keeps the record. Boxes for related records stay empty."""
    schema = question["requestedSchema"]
    (name,) = schema["required"]
    field = schema["properties"][name]
    if not agrees:
        return {name: "keep"}
    if "enum" in field:
        return {name: field["enum"][-1]}
    asked = _PHRASE_TO_TYPE.search(question["message"])
    assert asked, question["message"]
    return {name: asked[1]}


async def answer_question(
    ask: Callable[..., Awaitable[Message]], fill: Callable[[Message], Message], tool: str, arguments: Message
) -> Message:
    """Call a tool as a modern host does, and answer its question, if any, with the form that `fill` returns."""
    call: Message = {"name": tool, "arguments": arguments}
    response = await ask("tools/call", **call)
    result = response.get("result", {})
    if "requestState" not in result:
        return response
    form = {"action": "accept", "content": fill(result["inputRequests"]["confirm"]["params"])}
    return await ask("tools/call", **call, inputResponses={"confirm": form}, requestState=result["requestState"])


def accepted(question: dict[str, Any], **form: Any) -> dict[str, Any]:
    """The answer to a question of the legacy era: the completed form."""
    result = {"action": "accept", "content": form}
    return {"jsonrpc": "2.0", "id": question["id"], "result": result}


_LINE_TIMEOUT_SECONDS = 120.0
"""For an answer on pipes or in memory, also if a thousand requests wait at a time."""
Responder = Callable[[Message], Awaitable[Message | None]]
"""Takes a question of the legacy era; returns a `result` or `error` member, or None to leave it unanswered."""


async def declines(_question: Message) -> Message:
    return {"result": {"action": "decline"}}


class LineHost:
    """A host that writes lines with `write_line`, takes the server's with `receive`, and answers its questions.

    A request that is cancelled by its task is cancelled at the server as well.
    """

    def __init__(self, era: str, person: Responder, capabilities: Message, write_line: Callable[[str], None]) -> None:
        self._era, self._person, self._capabilities = era, person, capabilities
        self._write_line = write_line
        self.asked: list[Message] = []
        """The questions of the legacy era."""
        self.notified: list[Message] = []
        """The notifications of the server."""
        self.greeting: Message = {}
        """The response to `initialize`."""
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[Message]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def call(self, tool: str, arguments: Message, **members: Any) -> Message:
        """The response to a tool call; `members` are added beside its arguments."""
        return await self.request("tools/call", name=tool, arguments=arguments, **members)

    async def request(self, method: str, **params: Any) -> Message:
        number = next(self._numbers)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        if self._era != LEGACY:
            message = modern(number, method, self._capabilities, **params)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        self.send(message)
        try:
            async with asyncio.timeout(_LINE_TIMEOUT_SECONDS):
                return await answer
        except asyncio.CancelledError:
            self._cancel(number)
            raise
        finally:
            self._open.pop(number, None)

    def send(self, message: Message) -> None:
        self._write_line(json.dumps(message))

    def cancel(self) -> None:
        for number in self._open:
            self._cancel(number)

    def _cancel(self, number: int) -> None:
        self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})

    @property
    def busy(self) -> bool:
        return bool(self._answering)

    def receive(self, line: str) -> None:
        message = json.loads(line)
        if "method" not in message:
            if (waiting := self._open.get(message.get("id"))) and not waiting.done():
                waiting.set_result(message)
        elif message["method"] == "elicitation/create":
            self.asked.append(message)
            task = asyncio.create_task(self._answer(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            self.notified.append(message)

    async def _answer(self, question: Message) -> None:
        response = await self._person(question)
        if response is not None:
            self.send({"jsonrpc": "2.0", "id": question["id"], **response})

    async def initialize(self, version: str) -> None:
        if self._era == LEGACY:
            params = {**initialize_params(self._capabilities), "protocolVersion": version}
            self.greeting = await self.request("initialize", **params)
            self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})


class _Lines:
    """Both files of a stdio server in memory: it reads lines from a queue and writes them to a host."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.host: LineHost

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self.queue.get()) is not None:
            yield line

    async def write(self, text: str) -> None:
        self.host.receive(text)

    async def flush(self) -> None:
        """Nothing is buffered."""


@asynccontextmanager
async def line_host(
    server: Server[Any],
    era: str,
    person: Responder = declines,
    *,
    forms: bool = True,
    capabilities: Message | None = None,
    version: str = _LEGACY_VERSION,
) -> AsyncIterator[LineHost]:
    """A host of a server in this event loop, with or without forms or with other capabilities.

    `version` is the legacy era's.
    """
    lines = _Lines()
    if capabilities is None:
        capabilities = FORMS if forms else {}
    host = lines.host = LineHost(era, person, capabilities, lines.queue.put_nowait)
    # The task that serves also enters and leaves the context: a fixture or test may be cancelled anywhere.
    serving = asyncio.create_task(_serve(server, cast("anyio.AsyncFile[str]", lines)))
    try:
        await host.initialize(version)
        yield host
    finally:
        lines.queue.put_nowait(None)
        async with asyncio.timeout(_LINE_TIMEOUT_SECONDS):
            await serving


async def _serve(server: Server[Any], lines: "anyio.AsyncFile[str]") -> None:
    async with stdio_server(lines, lines) as (read, write), server.lifespan(server) as state:
        await serve_connection(server, read, write, state)


class Pipe(LineHost):
    """A modern host of a server process, on its standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        stdin = process.stdin
        super().__init__(MODERN, declines, FORMS, lambda line: stdin.write(line.encode() + b"\n"))
        self._process = process
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            self.receive(line.decode())

    async def aclose(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        async with asyncio.timeout(_LINE_TIMEOUT_SECONDS):
            await self._process.wait()
            await self._reader


def modern(identifier: Any, method: str, capabilities: Message | None = None, /, **params: Any) -> Message:
    """A request of the 2026-07-28 era, which carries its own envelope."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities or {},
    }
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": {**params, "_meta": meta}}


def notification(method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def routing(method: str, name: str | None) -> Headers:
    """The headers of a modern request that a proxy may read instead of its body."""
    return [("MCP-Protocol-Version", MODERN), ("Mcp-Method", method), *([("Mcp-Name", name)] if name else [])]


def raw_call(tool: str, header: str, **arguments: Any) -> bytes:
    """The bytes of a modern tool call with this header line, or several."""
    body = json.dumps(modern(1, "tools/call", name=tool, arguments=arguments)).encode()
    headers = [("Content-Length", str(len(body))), *CONTENT, *routing("tools/call", tool)]
    lines = ["POST /mcp HTTP/1.1", "Host: localhost", header, *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def initialize_params(capabilities: Message) -> Message:
    client = {"name": "test", "version": "1"}
    return {"protocolVersion": _LEGACY_VERSION, "capabilities": capabilities, "clientInfo": client}
