# /// script
# requires-python = ">=3.11"
# dependencies = ["langchain==1.5.2", "langchain-mcp-adapters==0.3.2"]
# ///
"""LangChain: `uv run examples/frameworks/with_langchain.py`."""

import asyncio
from itertools import count

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.types import ElicitResult
from scenario import Script, server

script = Script()
numbers = count()


class ScriptedModel(BaseChatModel):
    """Replaces a model such as "anthropic:claude-sonnet-4-5"."""

    schemas: dict | None = None
    _llm_type = "scripted"

    def bind_tools(self, tools, **_):
        converted = [convert_to_openai_tool(tool, strict=True)["function"] for tool in tools]
        return ScriptedModel(schemas={tool["name"]: tool["parameters"] for tool in converted})

    def _generate(self, messages, *_, **__):
        call = script.next(self.schemas, messages[-1].text)
        calls = [{"name": call.tool, "args": call.arguments, "id": f"call_{next(numbers)}"}] if call else []
        message = AIMessage("" if call else "Done.", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


async def ask_person(_context, params, _callback_context):
    """Show a question of the server to the person."""
    content = script.person.answer(params.message, params.requestedSchema)
    return ElicitResult(action="accept" if content else "decline", content=content)


async def main() -> None:
    """Run an agent. `get_tools` starts a process for each call over stdio; `client.session` keeps one."""
    where = server()
    contacts = (
        {"transport": "streamable_http", "url": where.url}
        if where.url
        else {"transport": "stdio", "command": where.command, "args": where.args}
    )
    client = MultiServerMCPClient({"contacts": contacts}, callbacks=Callbacks(on_elicitation=ask_person))
    agent = create_agent(ScriptedModel(), await client.get_tools())
    await agent.ainvoke({"messages": "Tidy up my contacts."})
    (exported,) = await client.get_resources("contacts", uris=[script.export])
    script.read(exported.as_string())


asyncio.run(main())
