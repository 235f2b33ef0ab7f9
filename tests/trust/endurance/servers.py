"""Real server processes over real directory files, the hosts that call them, and the proxy that causes faults."""

import asyncio
import json
import random
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from support.processes import ContactsService, HttpServer, clean_environment, make_keys
from support.raw_hosts import Answer, HttpConnection, LegacySession, ModernConnection, Pipe, port_of
from support.services import ReceivedRequest, ScriptedServer, reply, reset

_SETTINGS = {"CONTACTS_MCP_RATE": "0", "CONTACTS_MCP_WRITE_BUDGET": "0"}
_MAX_LINE_BYTES = 2**22
_PHRASE_TO_TYPE = re.compile(r'To erase, type "(.*)"\.$')
_CALLS_PER_SESSION = 200
_FAULT_SHARE = 0.06
"""The share of requests that meet a fault while the proxy is faulty."""
_STALL_SECONDS = 0.3
_HOP_BY_HOP = ("host", "content-length", "connection")


class Host(Protocol):
    """Calls tools for a person who agrees to what is asked, or declines it. `calls` counts what was sent."""

    calls: int

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer: ...

    async def read(self, uri: str) -> Answer: ...

    async def aclose(self) -> None: ...


def fill_form(question: dict[str, Any], agrees: bool) -> dict[str, Any]:
    """The form of a person who agrees, or who keeps the record."""
    ((name, field),) = question["requestedSchema"]["properties"].items()
    if not agrees:
        return {name: "keep"}
    if "enum" in field:
        return {name: field["enum"][-1]}
    asked = _PHRASE_TO_TYPE.search(question["message"])
    assert asked, question["message"]
    return {name: asked[1]}


class ModernHost:
    """A host of the modern era, which answers a question with a second call. `client` is a connection or a pipe."""

    def __init__(self, client: ModernConnection | Pipe) -> None:
        self.calls = 0
        self._client = client

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer:
        answer = await self._send("tools/call", name=tool, arguments=arguments)
        asked = answer.message.get("result", {}).get("inputRequests")
        if not asked:
            return answer
        form = {"confirm": {"action": "accept", "content": fill_form(asked["confirm"]["params"], agrees)}}
        state = answer.result["requestState"]
        return await self._send("tools/call", name=tool, arguments=arguments, inputResponses=form, requestState=state)

    async def read(self, uri: str) -> Answer:
        return await self._send("resources/read", uri=uri)

    async def _send(self, method: str, **params: Any) -> Answer:
        self.calls += 1
        answer = await self._client.request(method, **params)
        return answer if isinstance(answer, Answer) else Answer("", json.dumps(answer))

    async def aclose(self) -> None:
        if isinstance(self._client, ModernConnection):
            await self._client.wire.aclose()


class LegacyHost:
    """A host of the legacy era over HTTP, which leaves its session now and then and opens another."""

    def __init__(self, port: int) -> None:
        self.calls = 0
        self._port = port
        self._session: _Session | None = None

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer:
        session = await self._open()
        session.agrees = agrees
        return await session.call(tool, **arguments)

    async def read(self, uri: str) -> Answer:
        return await (await self._open()).request("resources/read", uri=uri)

    async def _open(self) -> "_Session":
        self.calls += 1
        if self.calls % _CALLS_PER_SESSION == 0:
            await self.aclose()
        if self._session is None:
            self._session = await _Session(self._port).__aenter__()
        return self._session

    async def aclose(self) -> None:
        session, self._session = self._session, None  # an abandoned call must not leave the session twice
        if session is not None:
            try:
                await session.leave()
            finally:
                await session.__aexit__()


class _Session(LegacySession):
    agrees = True

    def filled(self, question: dict[str, Any]) -> dict[str, Any]:
        return fill_form(question["params"], self.agrees)


class FaultyProxy(ScriptedServer):
    """Passes requests on to a service. While `is_faulty`, some requests or answers are lost.

    If an answer is lost, the service has done what was asked before the caller notices the fault.
    """

    def __init__(self, port: int, seed: int) -> None:
        super().__init__()
        self.is_faulty = False
        self._service = port
        self._wires: list[HttpConnection] = []
        self._exchanges: set[asyncio.Task[Answer]] = set()
        self._random = random.Random(seed)
        self._faults: list[Callable[[ReceivedRequest, asyncio.StreamWriter], Awaitable[None]]] = [
            lambda _, writer: reply(503, {"detail": "Down for a moment"})(writer),
            lambda _, writer: reset(writer),
            self._stall,
            self._lose_answer,
            self._answer_502,
            self._truncate_answer,
        ]

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await asyncio.gather(*self._exchanges, return_exceptions=True)
        for wire in self._wires:
            await wire.aclose()

    async def _meet(self, seen: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if self.is_faulty and self._random.random() < _FAULT_SHARE:
            await self._random.choice(self._faults)(seen, writer)
            return
        answer = await self._forward(seen)
        await reply(answer.status, raw=answer.body.encode(), headers=_end_to_end(answer))(writer)

    async def _stall(self, _seen: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(_STALL_SECONDS)
        await reset(writer)

    async def _lose_answer(self, seen: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await self._forward(seen)
        await reset(writer)

    async def _answer_502(self, seen: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await self._forward(seen)
        await reply(502, {"detail": "Bad gateway"})(writer)

    async def _truncate_answer(self, seen: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        answer = await self._forward(seen)
        body = answer.body.encode()
        headers = _end_to_end(answer)
        await reply(answer.status, raw=body[: len(body) // 2], headers=headers, length=len(body) + 1)(writer)

    async def _forward(self, seen: ReceivedRequest) -> Answer:
        """The service's answer, which is read to its end even if the caller is gone."""
        exchange = asyncio.create_task(self._exchange(seen))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(exchange)

    async def _exchange(self, seen: ReceivedRequest) -> Answer:
        wire = self._wires.pop() if self._wires else HttpConnection(self._service)
        headers = [(name, value) for name, value in seen.headers.items() if name not in _HOP_BY_HOP]
        answer = await wire.exchange(seen.method, seen.path, headers, seen.body)
        self._wires.append(wire)
        return answer


def _end_to_end(answer: Answer) -> list[str]:
    return [f"{name}: {value}" for name, value in answer.headers.items() if name not in _HOP_BY_HOP]


@dataclass(frozen=True)
class Backend:
    """The environment of a server: the directory's file, the settings, and other running processes."""

    file: Path
    variables: dict[str, str]
    proxy: FaultyProxy | None = None
    processes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningServer:
    """A server process, and how the host of a caller reaches it."""

    pid: int
    host: Callable[[int], Host]


OpenBackend = Callable[[Path], AbstractAsyncContextManager[Backend]]
StartServer = Callable[[Path, Backend], AbstractAsyncContextManager[RunningServer]]


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Backend]:
    """A directory inside the server."""
    file = folder / "contacts.db"
    yield Backend(file, {"CONTACTS_MCP_DIRECTORY": str(file)})


@asynccontextmanager
async def upstream(folder: Path) -> AsyncIterator[Backend]:
    """A directory served by another process, behind a proxy that can cause faults."""
    file = folder / "service.db"
    (key,) = await asyncio.to_thread(make_keys, file, "owner")
    with ContactsService(folder / "service", file, "--rate", "0") as service:
        async with FaultyProxy(port_of(service.url), seed=1) as proxy:
            variables = {"WAYSCLOUD_API_KEY": key, "WAYSCLOUD_API_URL": proxy.url}
            yield Backend(file, variables, proxy, {"the service": service.process.pid})


@asynccontextmanager
async def stdio(folder: Path, backend: Backend) -> AsyncIterator[RunningServer]:
    """A server on pipes, which all callers share in the modern era."""
    environment = clean_environment(folder, **_SETTINGS, **backend.variables)
    with (folder / "stderr").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "contacts_mcp", "serve"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=environment,
            limit=_MAX_LINE_BYTES,
        )
    pipe = Pipe(process)
    try:
        yield RunningServer(process.pid, lambda _: ModernHost(pipe))
    finally:
        await pipe.aclose()


@asynccontextmanager
async def http(folder: Path, backend: Backend) -> AsyncIterator[RunningServer]:
    """A server over Streamable HTTP with a connection for each caller; every other caller is of the legacy era."""
    hosts: list[ModernHost | LegacyHost] = []
    with HttpServer(folder, **_SETTINGS, **backend.variables) as server:

        def host(caller: int) -> Host:
            hosts.append(LegacyHost(server.port) if caller % 2 else ModernHost(ModernConnection(server.port)))
            return hosts[-1]

        yield RunningServer(server.process.pid, host)
        for each in hosts:
            await each.aclose()
