# /// script
# requires-python = ">=3.11"
# dependencies = ["llama-index-core==0.14.25", "llama-index-tools-mcp==0.6.0"]
# ///
"""LlamaIndex: `uv run examples/frameworks/with_llama_index.py`."""

import asyncio

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec
from scenario import Script, server

TIMEOUT_SECONDS = 60
script = Script()


class ScriptedModel(FunctionCallingLLM):
    """Replaces a model such as OpenAI("gpt-5")."""

    @property
    def metadata(self):
        return LLMMetadata(is_function_calling_model=True)

    def _prepare_chat_with_tools(self, tools, **_):
        return {"tools": tools}

    async def achat_with_tools(self, tools, chat_history=None, **_):
        schemas = {tool.metadata.name: tool.metadata.get_parameters_dict() for tool in tools}
        call = script.next(schemas, chat_history[-1].content)
        message = ChatMessage(role=MessageRole.ASSISTANT, content="" if call else "Done.")
        return ChatResponse(message=message, additional_kwargs={"call": call})

    def get_tool_calls_from_response(self, response, **_):
        call = response.additional_kwargs["call"]
        return [ToolSelection(tool_id="call", tool_name=call.tool, tool_kwargs=call.arguments)] if call else []

    def _unused(self, *_, **__):
        raise NotImplementedError

    chat = complete = stream_chat = stream_complete = achat = acomplete = astream_chat = astream_complete = _unused


async def main() -> None:
    """Run an agent. The client starts a process for each call over stdio, and cannot show questions."""
    where = server()
    contacts = BasicMCPClient(where.url or where.command, args=where.args, timeout=TIMEOUT_SECONDS)
    tools = await McpToolSpec(client=contacts).to_tool_list_async()
    agent = FunctionAgent(tools=tools, llm=ScriptedModel(), streaming=False, timeout=None)
    await agent.run("Tidy up my contacts.")
    script.read((await contacts.read_resource(script.export)).contents[0].text)


asyncio.run(main())
