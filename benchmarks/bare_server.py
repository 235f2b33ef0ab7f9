"""What a server on the SDK costs at the least: our tools as data, constant answers, nothing of ours imported."""

import json
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from page import CONTACT

_SCHEMAS = Path(__file__).parent.parent / "tool_schemas"


def _read_tools() -> list[types.Tool]:
    """The committed tools; the same folder holds the exports for model providers, which are left out."""
    documents = [json.loads(path.read_text("utf-8")) for path in sorted(_SCHEMAS.glob("*.json"))]
    return [types.Tool.model_validate(document) for document in documents if "inputSchema" in document]


async def _list_tools(_ctx: Any, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=_read_tools())


async def _call_tool(_ctx: Any, _params: types.CallToolRequestParams) -> types.CallToolResult:
    text = types.TextContent(type="text", text=json.dumps(CONTACT, separators=(",", ":")))
    return types.CallToolResult(content=[text], structured_content=CONTACT)


async def _serve() -> None:
    server = Server("bare", on_list_tools=_list_tools, on_call_tool=_call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_serve)
