# /// script
# requires-python = ">=3.11"
# dependencies = ["strands-agents==1.62.0"]
# ///
"""Strands Agents: `uv run examples/frameworks/with_strands.py`."""

import json
from itertools import count

from mcp import StdioServerParameters, stdio_client
from mcp.types import ElicitResult
from scenario import Script, server
from strands import Agent
from strands.models import Model
from strands.tools.mcp import MCPClient

script = Script()
numbers = count()


class ScriptedModel(Model):
    """Replaces a model such as BedrockModel()."""

    def update_config(self, **_):
        pass

    def get_config(self):
        return {}

    async def structured_output(self, *_, **__):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, *_, **__):
        schemas = {tool["name"]: tool["inputSchema"]["json"] for tool in tool_specs or ()}
        last = messages[-1]["content"][0].get("toolResult", {"content": [{}]})
        call = script.next(schemas, last["content"][0].get("text"))
        start = {"toolUse": {"name": call.tool, "toolUseId": f"call_{next(numbers)}"}} if call else {}
        delta = {"toolUse": {"input": json.dumps(call.arguments)}} if call else {"text": "Done."}
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": start}}
        yield {"contentBlockDelta": {"delta": delta}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if call else "end_turn"}}


async def ask_person(_context, params):
    """Show a question of the server to the person."""
    content = script.person.answer(params.message, params.requested_schema)
    return ElicitResult(action="accept" if content else "decline", content=content)


def main() -> None:
    """Run an agent."""
    where = server()
    stdio = StdioServerParameters(command=where.command, args=where.args)
    target = {"url": where.url} if where.url else {"transport_callable": lambda: stdio_client(stdio)}
    with MCPClient(**target, elicitation_callback=ask_person) as contacts:
        agent = Agent(model=ScriptedModel(), tools=contacts.list_tools_sync(), callback_handler=None)
        agent("Tidy up my contacts.")


main()
