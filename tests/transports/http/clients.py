"""Clients of a network server: the SDK's over either transport, and hand-made requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from support.hosts import MODERN, Host, Person
from support.processes import HttpServer
from support.raw_hosts import initialize_params, modern

DELETE = {"decision": "delete"}
ACCEPT = "application/json, text/event-stream"


def keyed(home: Path, address: str, **variables: str) -> HttpServer:
    """A server whose callers bring their own keys for the service at `address`."""
    return HttpServer(home, "--auth", "key", WAYSCLOUD_API_URL=address, **variables)


@asynccontextmanager
async def connected(
    url: str, transport: str, era: str, person: Person | None = None, key: str | None = None
) -> AsyncIterator[Host]:
    headers = {"X-API-Key": key} if key else {}
    async with create_mcp_http_client(headers=headers) as http:
        target: Any = sse_client(f"{url}/sse", headers=headers)
        if transport != "sse":
            target = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(target, mode=era, elicitation_callback=person, raise_exceptions=False) as client:
            yield Host(client)


async def ask(
    app: Any, method: str = "POST", path: str = "/mcp", headers: Any = (), content: Any = None
) -> httpx.Response:
    """The answer of an app in memory."""
    transport = httpx.ASGITransport(app)
    async with asyncio.timeout(10), httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.request(method, path, headers=headers, content=content)


def line_of(answer: httpx.Response) -> str:
    """The message that a client shows."""
    return answer.json()["error"]["message"]


def headers_of(method: str, tool: str | None = None, **more: str) -> dict[str, str]:
    named = {"Mcp-Name": tool} if tool else {}
    return {"Accept": ACCEPT, "MCP-Protocol-Version": MODERN, "Mcp-Method": method, **named, **more}


async def post(http: httpx.AsyncClient, tool: str, arguments: dict[str, Any], **headers: str) -> httpx.Response:
    body = modern(1, "tools/call", name=tool, arguments=arguments)
    return await http.post("/mcp", json=body, headers=headers_of("tools/call", tool, **headers))


async def initialize(http: httpx.AsyncClient, **headers: str) -> dict[str, str]:
    """Open a legacy session, and return the headers for its further requests."""
    accept = {"Accept": ACCEPT, **headers}
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params({})}
    answer = await http.post("/mcp", json=opening, headers=accept)
    assert answer.status_code == 200, answer.text
    session = {**accept, "Mcp-Session-Id": answer.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await http.post("/mcp", json=ready, headers=session)).status_code == 202
    return session
