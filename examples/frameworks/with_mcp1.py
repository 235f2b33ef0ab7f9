# /// script
# requires-python = ">=3.11"
# dependencies = ["mcp==1.30.0"]
# ///
"""The MCP SDK's client, version 1: `uv run examples/frameworks/with_mcp1.py`."""

from contextlib import asynccontextmanager

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import ElicitResult
from scenario import Script, server

script = Script()


async def ask_person(_context, params):
    """Show a question of the server to the person."""
    content = script.person.answer(params.message, params.requestedSchema)
    return ElicitResult(action="accept" if content else "decline", content=content)


@asynccontextmanager
async def connect():
    """Connect to the server."""
    where = server()
    stdio = StdioServerParameters(command=where.command, args=where.args)
    async with (
        streamablehttp_client(where.url) if where.url else stdio_client(stdio) as (read, write, *_),
        ClientSession(read, write, elicitation_callback=ask_person) as session,
    ):
        await session.initialize()
        yield session


async def main() -> None:
    """Call the tools that the scripted model chooses, then read the exported file."""
    async with connect() as session:
        tools = {tool.name: tool.inputSchema for tool in (await session.list_tools()).tools}
        call = script.next(tools)
        while call:
            result = await session.call_tool(call.tool, call.arguments)
            call = script.next(tools, result.content[0].text)
        script.read((await session.read_resource(script.export)).contents[0].text)


anyio.run(main)
