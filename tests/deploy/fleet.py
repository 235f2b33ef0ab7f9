"""Two servers, as compose.yaml starts them, behind a real nginx, and a host that talks to them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from deploy.files import compose, image
from deploy.running import HOST, Proxy, nginx
from support.hosts import Host, Person
from support.processes import API_KEY, ListeningServer, free_port, free_ports, run_redis
from support.services import directory_service

_PATIENCE, _BOUND = 15.0, 60.0
"""Seconds that a call may take, and all that a host does."""
STATE_KEY = "0123456789abcdef" * 4


@dataclass
class Fleet:
    """What runs."""

    proxy: Proxy
    servers: list[ListeningServer]

    @asynccontextmanager
    async def host(self, era: str, person: Person | None = None, *, sse: bool = False) -> AsyncIterator[Host]:
        """A host that speaks to the fleet by its public name, with the SDK's client; it does not wait for ever."""
        headers = {"X-API-Key": API_KEY}
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
        return [f"127.0.0.1:{server.port}" for server in self.servers]


@contextmanager
def fleet(home: Path, *, own_keys: bool = False, **variables: str) -> Iterator[Fleet]:
    """Start the platform, two servers and nginx; `variables` come on top of those of compose.yaml."""
    with ExitStack() as running:
        address = running.enter_context(directory_service(home))
        servers = []
        for number, metrics in enumerate(running.enter_context(free_ports(2))):
            own = {"WAYSCLOUD_API_URL": address, "CONTACTS_MCP_METRICS_PORT": str(metrics)}
            if own_keys:
                own["CONTACTS_MCP_STATE_KEYS"] = f"{number}" * 64
            servers.append(_server(home / f"{number}", {**settings(), **own, **variables}))
        for server in servers:
            running.enter_context(server)
        yield Fleet(running.enter_context(nginx(home / "nginx", [server.port for server in servers])), servers)


def _server(home: Path, variables: dict[str, str]) -> ListeningServer:
    """The image's own command, on a port of loopback; an empty variable is left out."""
    words = image()["CMD"].words
    words[words.index("--port") + 1] = "0"
    words[words.index("--host") + 1] = "127.0.0.1"
    return ListeningServer(home, "contacts_mcp", *words, **{name: value for name, value in variables.items() if value})


@contextmanager
def fleet_redis() -> Iterator[str]:
    """Redis with the command of compose.yaml; its address."""
    _, *options = compose()["services"]["redis"]["command"]
    with free_port() as port, run_redis(port, *options):
        yield f"redis://127.0.0.1:{port}/0"


def settings() -> dict[str, str]:
    """What compose.yaml sets for a replica, with the operator's secret filled in."""
    given = dict(compose()["services"]["contacts-1"]["environment"])
    assert given["CONTACTS_MCP_STATE_KEYS"].startswith("${CONTACTS_MCP_STATE_KEYS:?")
    return {**given, "CONTACTS_MCP_STATE_KEYS": STATE_KEY}
