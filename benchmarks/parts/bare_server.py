"""What a server on the SDK costs at the least: our tools as data, constant answers, nothing of ours imported."""

import json
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from page import CONTACT

_SCHEMAS = Path(__file__).parents[2] / "tool_schemas"

Fetch = Callable[[str], Awaitable[dict[str, Any]]]
"""Gets the contact with an id."""


@cache
def _read_tools() -> dict[str, types.Tool]:
    """The committed tools; the same folder holds the exports for model providers, which are left out."""
    documents = [json.loads(path.read_text("utf-8")) for path in sorted(_SCHEMAS.glob("*.json"))]
    tools = [types.Tool.model_validate(document) for document in documents if "inputSchema" in document]
    return {tool.name: tool for tool in tools}


async def _list_tools(_ctx: Any, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=list(_read_tools().values()))


def _input_schema(name: str) -> dict[str, Any]:
    """Saves the SDK from listing all tools before each call over HTTP, which would be two thirds of its cost."""
    return _read_tools()[name].input_schema


async def constant(_contact_id: str) -> dict[str, Any]:
    """The page's contact, whatever the id."""
    return CONTACT


def bare_server(fetch: Fetch = constant) -> Server[Any]:
    """A server whose every call is `get_contact`."""

    async def call_tool(_ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        contact = await fetch((params.arguments or {})["contact_id"])
        text = types.TextContent(type="text", text=json.dumps(contact, separators=(",", ":")))
        return types.CallToolResult(content=[text], structured_content=contact)

    return Server("bare", on_list_tools=_list_tools, on_call_tool=call_tool, get_tool_input_schema=_input_schema)


async def _serve() -> None:
    server = bare_server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_serve)
