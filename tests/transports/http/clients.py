"""Clients of a network server: the SDK's over either transport, and hand-made requests."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from mcp import Client
from mcp.client.sse import sse_client

from support.hosts import MODERN, Host, Person
from support.processes import HttpServer
from support.raw_hosts import modern

DELETE = {"decision": "delete"}


def keyed(home: Path, address: str, **variables: str) -> HttpServer:
    """A server whose callers bring their own keys for the service at `address`."""
    return HttpServer(home, "--auth", "key", WAYSCLOUD_API_URL=address, **variables)


@asynccontextmanager
async def connected(
    url: str, transport: str, era: str, person: Person | None = None, key: str | None = None
) -> AsyncIterator[Host]:
    headers = {"X-API-Key": key} if key else {}
    async with httpx_of_sdk(headers) as http:
        target: Any = sse_client(f"{url}/sse", headers=headers) if transport == "sse" else streamable(url, http)
        async with Client(target, mode=era, elicitation_callback=person, raise_exceptions=False) as client:
            yield Host(client)


def httpx_of_sdk(headers: dict[str, str]) -> AbstractAsyncContextManager[Any]:
    from mcp.shared._httpx_utils import create_mcp_http_client

    return create_mcp_http_client(headers=headers)


def streamable(url: str, http: Any) -> Any:
    from mcp.client.streamable_http import streamable_http_client

    return streamable_http_client(f"{url}/mcp", http_client=http)


def headers_of(method: str, tool: str | None = None, **more: str) -> dict[str, str]:
    named = {"Mcp-Name": tool} if tool else {}
    return {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
        **named,
        **more,
    }


async def post(http: httpx.AsyncClient, tool: str, arguments: dict[str, Any], **headers: str) -> httpx.Response:
    body = modern(1, "tools/call", name=tool, arguments=arguments)
    return await http.post("/mcp", json=body, headers=headers_of("tools/call", tool, **headers))


async def initialize(http: httpx.AsyncClient, **headers: str) -> dict[str, str]:
    """Open a legacy session, and return the headers for its further requests."""
    accept = {"Accept": "application/json, text/event-stream", **headers}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    answer = await http.post("/mcp", json=opening, headers=accept)
    assert answer.status_code == 200, answer.text
    session = {**accept, "Mcp-Session-Id": answer.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await http.post("/mcp", json=ready, headers=session)).status_code == 202
    return session
