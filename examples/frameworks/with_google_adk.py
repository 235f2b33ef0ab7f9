# /// script
# requires-python = ">=3.11"
# dependencies = ["google-adk[mcp]==2.13.0"]
# ///
"""Google's Agent Development Kit: `uv run examples/frameworks/with_google_adk.py`."""

import asyncio

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams, StreamableHTTPConnectionParams
from google.genai import types
from mcp import StdioServerParameters
from mcp.types import ElicitResult
from scenario import Script, server

TIMEOUT_SECONDS = 60  # the default of 5 is too short for an import
script = Script()


class ScriptedModel(BaseLlm):
    """Replaces a model such as "gemini-3-pro"."""

    async def generate_content_async(self, llm_request, stream=False):
        declarations = llm_request.config.tools[0].function_declarations
        schemas = {tool.name: tool.parameters_json_schema or _schema(tool.parameters) for tool in declarations}
        response = llm_request.contents[-1].parts[-1].function_response
        call = script.next(schemas, response and response.response)
        part = types.Part.from_function_call(name=call.tool, args=call.arguments) if call else types.Part(text="Done.")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


def _schema(parameters):
    return parameters.model_dump(exclude_none=True, mode="json") if parameters else {}


async def ask_person(_context, params):
    """Show a question of the server to the person."""
    content = script.person.answer(params.message, params.requested_schema)
    return ElicitResult(action="accept" if content else "decline", content=content)


async def main() -> None:
    """Run an agent."""
    where = server()
    stdio = StdioServerParameters(command=where.command, args=where.args)
    connection = (
        StreamableHTTPConnectionParams(url=where.url, timeout=TIMEOUT_SECONDS)
        if where.url
        else StdioConnectionParams(server_params=stdio, timeout=TIMEOUT_SECONDS)
    )
    contacts = McpToolset(connection_params=connection, elicitation_callback=ask_person)
    agent = LlmAgent(name="contacts", model=ScriptedModel(model="scripted"), tools=[contacts])
    runner = InMemoryRunner(agent=agent)
    await runner.run_debug("Tidy up my contacts.", quiet=True)
    await contacts.close()


asyncio.run(main())
