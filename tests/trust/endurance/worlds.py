"""Servers as real processes over directories as real files, and hosts on them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from contacts_service import ContactsService, make_keys
from network.callers import Modern, port_of
from processes import Network, clean_environment
from trust.endurance.hosts import Host, LegacyHost, ModernHost, Pipe
from trust.endurance.weather import Weather

_SETTINGS = {"CONTACTS_MCP_RATE": "0", "CONTACTS_MCP_WRITE_BUDGET": "0"}


@dataclass(frozen=True)
class Ground:
    """What a server stands on: the file behind it all, how the server is told, and what else runs."""

    file: Path
    variables: dict[str, str]
    weather: Weather | None = None
    processes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Serving:
    """A server, and how the host of a lane gets to it."""

    pid: int
    host: Callable[[int], Host]


Standing = Callable[[Path], AbstractAsyncContextManager[Ground]]
Served = Callable[[Path, Ground], AbstractAsyncContextManager[Serving]]


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Ground]:
    """A directory in the server itself."""
    file = folder / "contacts.db"
    yield Ground(file, {"CONTACTS_MCP_DIRECTORY": str(file)})


@asynccontextmanager
async def upstream(folder: Path) -> AsyncIterator[Ground]:
    """A directory that is served by another process, behind weather that can turn bad."""
    file = folder / "service.db"
    (key,) = await asyncio.to_thread(make_keys, file, "owner")
    service = ContactsService(folder / "service", file, "--rate", "0")
    with service:
        async with Weather(port_of(service.url), seed=1) as weather:
            variables = {"WAYSCLOUD_API_KEY": key, "WAYSCLOUD_API_URL": weather.url}
            yield Ground(file, variables, weather, {"the service": service.process.pid})


@asynccontextmanager
async def stdio(folder: Path, ground: Ground) -> AsyncIterator[Serving]:
    """A server on pipes, which all lanes share in the modern era."""
    environment = clean_environment(folder, **_SETTINGS, **ground.variables)
    with (folder / "stderr").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "contacts_mcp", "serve"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=environment,
            limit=Pipe.LONGEST_LINE,
        )
    pipe = Pipe(process)
    try:
        yield Serving(process.pid, lambda _: ModernHost(pipe))
    finally:
        await pipe.aclose()


@asynccontextmanager
async def http(folder: Path, ground: Ground) -> AsyncIterator[Serving]:
    """A server over Streamable HTTP, with a connection for each lane; every other lane is of the legacy era."""
    server = Network(folder, **_SETTINGS, **ground.variables)
    with server:
        hosts: list[ModernHost | LegacyHost] = []

        def host(lane: int) -> Host:
            hosts.append(LegacyHost(server.port) if lane % 2 else ModernHost(Modern(server.port)))
            return hosts[-1]

        yield Serving(server.process.pid, host)
        for each in hosts:
            await each.aclose()
