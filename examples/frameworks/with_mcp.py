# /// script
# requires-python = ">=3.11"
# dependencies = ["mcp==2.3.0"]
# ///
"""The MCP SDK's client, version 2: `uv run examples/frameworks/with_mcp.py`."""

import os

import anyio
from mcp import Client, StdioServerParameters
from mcp_types import ElicitResult
from scenario import Script, server

ERA = os.environ.get("MCP_ERA", "auto")  # "legacy" for the protocol before 2026-07-28


async def main() -> None:
    """Call the tools that the scripted model chooses."""
    script = Script()
    where = server()

    async def ask_person(_context, params):
        content = script.person.answer(params.message, params.requested_schema)
        return ElicitResult(action="accept" if content else "decline", content=content)

    target = where.url or StdioServerParameters(command=where.command, args=where.args)
    async with Client(target, mode=ERA, elicitation_callback=ask_person) as client:
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        call = script.next(tools)
        while call:
            result = await client.call_tool(call.tool, call.arguments)
            call = script.next(tools, result.content[0].text)
        script.read((await client.read_resource(script.export)).contents[0].text)


anyio.run(main)
