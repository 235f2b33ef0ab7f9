"""The baseline: a server on the SDK with the schemas of our tools, which imports none of our code.

python -m common.bare_server               over stdio, with constant answers
python -m common.bare_server PORT [API]    over HTTP; with API, each call gets the contact from there with httpx
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from common.api_samples import CONTACT
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

_SCHEMAS = Path(__file__).parents[2] / "tool_schemas"
_API_KEY = "wayscloud_pat_bench_x"

FetchContact = Callable[[str], Awaitable[dict[str, Any]]]


@cache
def _read_tools() -> dict[str, types.Tool]:
    """Read the committed tools. The folder also contains exports for model providers, which are left out."""
    documents = [json.loads(path.read_text("utf-8")) for path in sorted(_SCHEMAS.glob("*.json"))]
    tools = [types.Tool.model_validate(document) for document in documents if "inputSchema" in document]
    return {tool.name: tool for tool in tools}


async def _list_tools(_ctx: Any, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=list(_read_tools().values()))


def _input_schema(name: str) -> dict[str, Any]:
    """Without this, the SDK lists all tools before each call over HTTP, which would be two thirds of its cost."""
    return _read_tools()[name].input_schema


async def _return_sample(_contact_id: str) -> dict[str, Any]:
    return CONTACT


def _build_server(fetch: FetchContact) -> Server[Any]:
    """A server that treats every call as `get_contact`."""

    async def call_tool(_ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        contact = await fetch((params.arguments or {})["contact_id"])
        text = types.TextContent(type="text", text=json.dumps(contact, separators=(",", ":")))
        return types.CallToolResult(content=[text], structured_content=contact)

    return Server("bare", on_list_tools=_list_tools, on_call_tool=call_tool, get_tool_input_schema=_input_schema)


async def _serve_stdio() -> None:
    server = _build_server(_return_sample)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _serve_http(port: int, api_url: str | None) -> None:
    if api_url is None:
        await _run_uvicorn(_build_server(_return_sample), port)
        return
    import httpx

    async with httpx.AsyncClient(base_url=api_url, headers={"X-API-Key": _API_KEY}, trust_env=False) as client:

        async def fetch(contact_id: str) -> dict[str, Any]:
            response = await client.get(f"/v1/contacts/{contact_id}")
            response.raise_for_status()
            contact: dict[str, Any] = response.json()
            return contact

        await _run_uvicorn(_build_server(fetch), port)


async def _run_uvicorn(server: Server[Any], port: int) -> None:
    import uvicorn

    # An access log would cost more than the request. Connections stay open between two rounds.
    app = server.streamable_http_app()
    config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, timeout_keep_alive=60)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(_serve_http(int(sys.argv[1]), *sys.argv[2:3] or [None]))
    else:
        anyio.run(_serve_stdio)
