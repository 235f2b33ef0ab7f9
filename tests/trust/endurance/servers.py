"""Real server processes over real directory files, the hosts that call them, and the proxy that causes faults."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from support import raw_hosts
from support.processes import ContactsService, HttpServer, clean_environment, make_keys
from support.services import ReceivedRequest, ResponseAction, reset
from trust.faults import FAULTS, Fault, Relay

_SETTINGS = {"CONTACTS_MCP_RATE": "0", "CONTACTS_MCP_WRITE_BUDGET": "0"}
_MAX_LINE_BYTES = 2**22
_CALLS_PER_SESSION = 200
_FAULT_SHARE = 0.06
"""The share of requests that meet a fault while the proxy is faulty."""
_STALL_SECONDS = 0.3


class ModernHost:
    """A host of the modern era, which answers a question with a second call. `client` is a connection or a pipe."""

    def __init__(self, client: raw_hosts.ModernConnection | raw_hosts.Pipe) -> None:
        self.calls = 0
        self._client = client

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> raw_hosts.Answer:
        return raw_hosts.as_answer(
            await raw_hosts.answer_question(self._send, partial(raw_hosts.fill_form, agrees=agrees), tool, arguments)
        )

    async def read(self, uri: str) -> raw_hosts.Answer:
        return raw_hosts.as_answer(await self._send("resources/read", uri=uri))

    async def _send(self, method: str, **params: Any) -> raw_hosts.Message:
        self.calls += 1
        answer = await self._client.request(method, **params)
        return answer.message if isinstance(answer, raw_hosts.Answer) else answer

    async def aclose(self) -> None:
        if isinstance(self._client, raw_hosts.ModernConnection):
            await self._client.wire.aclose()


class LegacyHost(raw_hosts.LegacySession):
    """A host of the legacy era over HTTP, which leaves its session now and then and opens another."""

    calls = 0
    agrees = True

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> raw_hosts.Answer:
        await self._open()
        self.agrees = agrees
        return await super().call(tool, **arguments)

    async def read(self, uri: str) -> raw_hosts.Answer:
        await self._open()
        return await self.request("resources/read", uri=uri)

    def filled(self, question: raw_hosts.Message) -> raw_hosts.Message:
        return raw_hosts.fill_form(question["params"], agrees=self.agrees)

    async def _open(self) -> None:
        self.calls += 1
        if self.session and self.calls % _CALLS_PER_SESSION == 0:
            await self.leave()
        if not self.session:
            await self.__aenter__()

    async def aclose(self) -> None:
        if self.session:
            await self.leave()
        await self.__aexit__()


async def _stall(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(_STALL_SECONDS)
    await reset(writer)


_TRANSIENT_FAULTS = [
    Fault("stall", lambda _: _stall),
    *(each for each in FAULTS if each.name in ("503", "reset before", "reset after", "504, done", "cut off")),
]


class FaultyProxy(Relay):
    """Passes requests on to a service. While `is_faulty`, some requests or answers are lost.

    If an answer is lost, the service has done what was asked before the caller notices the fault.
    """

    def __init__(self, origin: str, seed: int) -> None:
        super().__init__(httpx.AsyncHTTPTransport(), origin)
        self.is_faulty = False
        self._random = random.Random(seed)

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await self._service.aclose()

    def action(self, seen: ReceivedRequest) -> ResponseAction:
        self.seen.clear()
        is_hit = self.is_faulty and self._random.random() < _FAULT_SHARE
        return partial(self._respond, seen, self._random.choice(_TRANSIENT_FAULTS) if is_hit else None)


Host = ModernHost | LegacyHost
"""Calls tools for a person who agrees to what is asked, or declines it. `calls` counts what was sent."""


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
    file = folder / "contacts.db"
    yield Backend(file, {"CONTACTS_MCP_DIRECTORY": str(file)})


@asynccontextmanager
async def upstream(folder: Path) -> AsyncIterator[Backend]:
    """A directory served by another process, behind a proxy that can cause faults."""
    file = folder / "service.db"
    (key,) = await asyncio.to_thread(make_keys, file, "owner")
    with ContactsService(folder / "service", file, "--rate", "0") as service:
        async with FaultyProxy(service.url, seed=1) as proxy:
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
    pipe = raw_hosts.Pipe(process)
    try:
        yield RunningServer(process.pid, lambda _: ModernHost(pipe))
    finally:
        await pipe.aclose()


@asynccontextmanager
async def http(folder: Path, backend: Backend) -> AsyncIterator[RunningServer]:
    """A server over Streamable HTTP with a connection for each caller; every other caller is of the legacy era."""
    hosts: list[Host] = []
    with HttpServer(folder, **_SETTINGS, **backend.variables) as server:

        def host(caller: int) -> Host:
            hosts.append(LegacyHost(server.port) if caller % 2 else ModernHost(raw_hosts.ModernConnection(server.port)))
            return hosts[-1]

        yield RunningServer(server.process.pid, host)
        for each in hosts:
            await each.aclose()
