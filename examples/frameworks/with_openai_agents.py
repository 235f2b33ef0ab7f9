# /// script
# requires-python = ">=3.11"
# dependencies = ["openai-agents==0.24.0"]
# ///
"""OpenAI Agents SDK, strict schemas: `uv run examples/frameworks/with_openai_agents.py`."""

import asyncio
import json

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from scenario import Script, server

TIMEOUT_SECONDS = 60  # the default of 5 is too short for an import


class ScriptedModel(Model):
    """Replaces a model such as "gpt-5"."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def get_response(self, **request):
        schemas = {tool.name: tool.params_json_schema for tool in request["tools"]}
        last = request["input"][-1]
        call = self.script.next(schemas, last.get("output"))
        return ModelResponse(output=[_call_item(call) if call else _done_item()], usage=Usage(), response_id=None)

    def stream_response(self, *_, **__):
        raise NotImplementedError


numbers = iter(range(1_000))


def _call_item(call):
    number = f"call_{next(numbers)}"
    arguments = json.dumps(call.arguments)
    return ResponseFunctionToolCall(type="function_call", call_id=number, name=call.tool, arguments=arguments)


def _done_item():
    text = ResponseOutputText(type="output_text", text="Done.", annotations=[])
    return ResponseOutputMessage(id="done", type="message", role="assistant", status="completed", content=[text])


async def main() -> None:
    """Run an agent. The SDK has no handler for questions, so that the server refuses to delete, erase or merge."""
    where = server()
    options = {"client_session_timeout_seconds": TIMEOUT_SECONDS, "cache_tools_list": True}
    contacts = (
        MCPServerStreamableHttp({"url": where.url}, **options)
        if where.url
        else MCPServerStdio({"command": where.command, "args": where.args}, **options)
    )
    set_tracing_disabled(disabled=True)
    async with contacts:
        agent = Agent(
            name="contacts",
            model=ScriptedModel(Script()),  # model="gpt-5"
            mcp_servers=[contacts],
            mcp_config={"convert_schemas_to_strict": True},
        )
        await Runner.run(agent, "Tidy up my contacts.", max_turns=20)


asyncio.run(main())
