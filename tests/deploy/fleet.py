"""Two servers, as compose.yaml starts them, behind a real nginx, and a host that talks to them."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from deploy.files import compose, image
from deploy.running import HOST, Proxy, nginx, reserved, until_listening
from harness import Host, Person
from processes import KEY, clean_environment, service

_PATIENCE, _BOUND = 15.0, 60.0
"""Seconds that a call may take, and all that a host does."""
STATE_KEY = "0123456789abcdef" * 4
REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")


@dataclass
class Fleet:
    """What runs."""

    proxy: Proxy
    ports: list[int]
    metrics: list[int]
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @asynccontextmanager
    async def host(self, era: str, person: Person | None = None, *, sse: bool = False) -> AsyncIterator[Host]:
        """A host that speaks to the fleet by its public name, with the SDK's client; it does not wait for ever."""
        headers = {"X-API-Key": KEY}
        async with AsyncExitStack() as opened:
            opened.enter_context(anyio.fail_after(_BOUND))
            if sse:
                transport = sse_client(f"https://{HOST}/sse", headers=headers, httpx_client_factory=self._client_for)
            else:
                http = await opened.enter_async_context(self.proxy.client(headers))
                transport = streamable_http_client(f"https://{HOST}/mcp", http_client=http)
            client = Client(transport, mode=era, elicitation_callback=person, read_timeout_seconds=_PATIENCE)
            yield Host(await opened.enter_async_context(client))

    def _client_for(
        self, headers: dict[str, str] | None = None, timeout: Any = None, auth: Any = None
    ) -> httpx2.AsyncClient:
        return self.proxy.client(headers, timeout=timeout, auth=auth)

    def rounds(self, tool: str) -> list[str]:
        """Which replicas were asked for a tool by modern hosts, in their order."""
        lines = zip(self.proxy.log(), self.proxy.answered, strict=True)
        return [line["replica"] for line, answered in lines if answered.tool == tool]

    def addresses(self) -> list[str]:
        """The replicas as nginx's log has them."""
        return [f"127.0.0.1:{port}" for port in self.ports]

    def stop(self, number: int, how: signal.Signals = signal.SIGTERM) -> float:
        """Stop one server; the seconds that it took."""
        began = time.monotonic()
        self.servers[number].send_signal(how)
        self.servers[number].wait(20)
        return time.monotonic() - began


@contextmanager
def fleet(home: Path, *, own_keys: bool = False, **variables: str) -> Iterator[Fleet]:
    """Start the platform, two servers and nginx; `variables` come on top of those of compose.yaml."""
    with ExitStack() as running:
        address = running.enter_context(service(home))
        ports = running.enter_context(reserved(4))
        proxy = running.enter_context(nginx(home / "nginx", ports[:2]))
        self = Fleet(proxy, ports[:2], ports[2:])
        for number in (0, 1):
            own = {"WAYSCLOUD_API_URL": address, "CONTACTS_MCP_METRICS_PORT": str(ports[2 + number])}
            if own_keys:
                own["CONTACTS_MCP_STATE_KEYS"] = f"{number}" * 64
            server = _server(home / f"{number}.log", ports[number], own | variables)
            self.servers.append(running.enter_context(server))
        for number, process in enumerate(self.servers):
            until_listening(ports[number], process, home / f"{number}.log")
        yield self


@contextmanager
def redis(home: Path) -> Iterator[str]:
    """Redis with the command of compose.yaml; its address."""
    assert REDIS is not None
    with reserved(1) as (port,):
        _, *options = compose()["services"]["redis"]["command"]
        log = home / "redis.log"
        with log.open("wb") as out:
            command = [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), *options]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            until_listening(port, process, log)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(10)


def settings() -> dict[str, str]:
    """What compose.yaml sets for a replica, with the operator's secret filled in."""
    given = dict(compose()["services"]["contacts-1"]["environment"])
    assert given["CONTACTS_MCP_STATE_KEYS"].startswith("${CONTACTS_MCP_STATE_KEYS:?")
    return {**given, "CONTACTS_MCP_STATE_KEYS": STATE_KEY}


@contextmanager
def _server(log: Path, port: int, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The image's own command, on a port of loopback, with the settings of compose.yaml."""
    words = image()["CMD"].words
    words[words.index("--port") + 1] = str(port)
    words[words.index("--host") + 1] = "127.0.0.1"
    home = log.with_suffix(".home")
    home.mkdir()
    environment = clean_environment(home, **{**settings(), **variables})
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "contacts_mcp", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={name: value for name, value in environment.items() if value},
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)
