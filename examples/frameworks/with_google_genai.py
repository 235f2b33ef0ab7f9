# /// script
# requires-python = ">=3.11"
# dependencies = ["google-genai==3.6.1", "mcp==2.3.0"]
# ///
"""Google's Gen AI SDK, which calls tools by itself: `uv run examples/frameworks/with_google_genai.py`."""

import asyncio
import json

import httpx2
from google import genai
from google.genai import types
from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult
from scenario import Script, server

script = Script()


def scripted(request: httpx2.Request) -> httpx2.Response:
    """Answer as Gemini would."""
    asked = json.loads(request.content)
    declarations = [tool for each in asked["tools"] for tool in each["functionDeclarations"]]
    schemas = {tool["name"]: tool.get("parameters", {}) for tool in declarations}
    response = asked["contents"][-1]["parts"][-1].get("functionResponse", {}).get("response")
    call = script.next(schemas, response)
    part = {"functionCall": {"name": call.tool, "args": call.arguments}} if call else {"text": "Done."}
    return httpx2.Response(200, json={"candidates": [{"content": {"role": "model", "parts": [part]}}]})


async def ask_person(_context, params):
    """Show a question of the server to the person."""
    content = script.person.answer(params.message, params.requested_schema)
    return ElicitResult(action="accept" if content else "decline", content=content)


async def main() -> None:
    """Generate an answer with the server's tools."""
    where = server()
    target = where.url or StdioServerParameters(command=where.command, args=where.args)
    model = httpx2.AsyncClient(transport=httpx2.MockTransport(scripted))  # leave it out to ask Gemini
    gemini = genai.Client(api_key="none", http_options=types.HttpOptions(httpx_async_client=model))
    # In the newest protocol only the client, not its session, can answer questions.
    async with Client(target, mode="legacy", elicitation_callback=ask_person) as contacts:
        calling = types.AutomaticFunctionCallingConfig(maximum_remote_calls=20)
        config = {
            "tools": [contacts.session],
            "automatic_function_calling": calling,
        }  # a model would be copied, and fail
        await gemini.aio.models.generate_content(model="gemini-2.5-pro", contents="Tidy up my contacts.", config=config)


asyncio.run(main())
