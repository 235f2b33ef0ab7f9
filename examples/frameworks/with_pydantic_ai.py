# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic-ai-slim[mcp]==2.68.0"]
# ///
"""Pydantic AI: `uv run examples/frameworks/with_pydantic_ai.py`."""

import asyncio

from mcp.types import ElicitResult
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset, StdioTransport
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from scenario import Script, server

script = Script()


async def scripted(messages, info):
    """Replace a model such as "anthropic:claude-sonnet-4-5"."""
    schemas = {tool.name: tool.parameters_json_schema for tool in info.function_tools}
    part = messages[-1].parts[-1]
    call = script.next(schemas, part.content)
    return ModelResponse(parts=[ToolCallPart(call.tool, call.arguments) if call else TextPart("Done.")])


async def ask_person(message, _type, params, _context):
    """Show a question of the server to the person."""
    content = script.person.answer(message, params.requested_schema)
    return ElicitResult(action="accept" if content else "decline", content=content)


async def main() -> None:
    """Run an agent."""
    where = server()
    target = where.url or StdioTransport(command=where.command, args=where.args)
    contacts = MCPToolset(target, elicitation_handler=ask_person, init_timeout=30)
    agent = Agent(FunctionModel(scripted), toolsets=[contacts])
    async with agent:
        await agent.run("Tidy up my contacts.")


asyncio.run(main())
