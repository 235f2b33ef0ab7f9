# /// script
# requires-python = ">=3.11"
# dependencies = ["fastmcp==4.2.3"]
# ///
"""FastMCP's client: `uv run examples/frameworks/with_fastmcp.py`."""

import asyncio

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport
from scenario import Script, server

script = Script()


async def ask_person(message, _type, params, _context):
    """Show a question of the server to the person."""
    content = script.person.answer(message, params.requested_schema)
    return ElicitResult(action="accept" if content else "decline", content=content)


async def main() -> None:
    """Call the tools that the scripted model chooses, then read the exported file."""
    where = server()
    target = where.url or StdioTransport(command=where.command, args=where.args)
    async with Client(target, elicitation_handler=ask_person) as client:
        tools = {tool.name: tool.input_schema for tool in await client.list_tools()}
        call = script.next(tools)
        while call:
            result = await client.call_tool(call.tool, call.arguments, raise_on_error=False)
            call = script.next(tools, result.content[0].text)
        script.read((await client.read_resource(script.export))[0].text)


asyncio.run(main())
