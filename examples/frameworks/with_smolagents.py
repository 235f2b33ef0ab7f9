# /// script
# requires-python = ">=3.11"
# dependencies = ["smolagents[mcp]==1.26.0", "mcp<2"]
# ///
"""smolagents: `uv run examples/frameworks/with_smolagents.py`."""

from mcp import StdioServerParameters
from scenario import Script, server
from smolagents import MCPClient, Model, ToolCallingAgent
from smolagents.models import ChatMessage, ChatMessageToolCall, ChatMessageToolCallFunction, get_tool_json_schema

script = Script()


class ScriptedModel(Model):
    """Replaces a model such as InferenceClientModel()."""

    def generate(self, messages, tools_to_call_from=None, **_):
        schemas = {tool.name: get_tool_json_schema(tool)["function"]["parameters"] for tool in tools_to_call_from}
        answers = schemas.pop("final_answer")
        call = script.next(schemas, _last(messages))
        name, arguments = (
            (call.tool, call.arguments) if call else ("final_answer", {next(iter(answers["properties"])): ""})
        )
        function = ChatMessageToolCallFunction(name=name, arguments=arguments)
        return ChatMessage(
            role="assistant", tool_calls=[ChatMessageToolCall(function=function, id="call", type="function")]
        )


def _last(messages):
    content = messages[-1].content
    return content if isinstance(content, str) else content[-1]["text"]


def main() -> None:
    """Run an agent. The client cannot show questions, so that the server refuses to delete, erase or merge."""
    where = server()
    target = (
        {"url": where.url, "transport": "streamable-http"}
        if where.url
        else StdioServerParameters(command=where.command, args=where.args)
    )
    with MCPClient(target, structured_output=False) as tools:
        agent = ToolCallingAgent(tools=tools, model=ScriptedModel(), max_steps=20, verbosity_level=0)
        agent.run("Tidy up my contacts.")


main()
