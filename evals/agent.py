"""Runs an agent on one task: any model of Pydantic AI, or a scripted solution, with the tools of one MCP server."""

import json
import warnings
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp.shared.exceptions import MCPError
from pydantic_ai import Agent, UsageLimits
from pydantic_ai.exceptions import AgentRunError, ModelAPIError, ModelContextWindowExceededError, ToolFailed
from pydantic_ai.mcp import CallToolFunc, MCPToolset, ProcessToolCallback
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import RunContext

from evals.person import Person
from evals.task import Answer, Solution, Task

INSTRUCTIONS = """\
You work for a person and keep their contacts, with the tools of one server. Do exactly what they ask, and change \
nothing else. They do not read what you write while you work: they only answer questions that the server itself asks \
them. They have agreed to a plan that does what they asked for; do not apply any other plan. If they refuse something, \
leave it. Contacts are identified by their ids. National phone numbers are Norwegian."""

MAX_REQUESTS = 60
"""How often the model may be asked for its next step in one task."""
START_TIMEOUT_SECONDS = 60.0
CALL_TIMEOUT_SECONDS = 120.0
_RETRIES = 3
"""How often a model may repeat an answer that does not fit its type, or the call of a tool that does not exist."""
_ERROR_LENGTH = 300


@cache
def _encoding() -> Any:
    with warnings.catch_warnings():  # it reads its data by a deprecated function
        warnings.simplefilter("ignore", DeprecationWarning)
        import bpe_openai

    return bpe_openai.get_encoding("o200k_base")


def count_tokens(value: Any) -> int:
    """Return the o200k tokens of a text, or of a value as compact JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(_encoding().encode(text))


@dataclass(slots=True)
class Usage:
    """What a run cost.

    Attributes:
        calls: tool calls.
        call_tokens: of their arguments and results.
        list_tokens: of the server's instructions and its list of tools, once.
    """

    calls: int = 0
    call_tokens: int = 0
    list_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AgentRun:
    """The answer of an agent, or why it did not finish.

    `is_broken`: the reason is not the agent, but a model that could not be reached, or a server that did not start.
    """

    answer: Answer | None = None
    error: str = ""
    is_broken: bool = False


async def run_agent(task: Task, model: Model, server: StdioTransport, person: Person, usage: Usage) -> AgentRun:
    """Run a task, and add what it costs to `usage`. No error of the model, its agent or the server is raised."""
    toolset = MCPToolset[Any](
        Client(
            server, elicitation_handler=person.answer, init_timeout=START_TIMEOUT_SECONDS, timeout=CALL_TIMEOUT_SECONDS
        ),
        tool_error_behavior="failed",
        process_tool_call=_measuring(usage),
        include_instructions=True,
    )
    output: type[Any] = type(task.answer) if task.answer else str
    agent = Agent(model, toolsets=[toolset], output_type=output, instructions=INSTRUCTIONS, retries=_RETRIES)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(toolset)
            usage.list_tokens = await _measure_list(toolset)
        except (MCPError, OSError, RuntimeError) as exc:
            return AgentRun(error=f"the server did not start: {exc} {_read_end(server.log_file)}", is_broken=True)
        try:
            result = await agent.run(task.prompt, usage_limits=UsageLimits(request_limit=MAX_REQUESTS))
        except (AgentRunError, ScriptError) as exc:
            is_broken = isinstance(exc, ModelAPIError) and not isinstance(exc, ModelContextWindowExceededError)
            return AgentRun(error=f"{type(exc).__name__}: {exc}", is_broken=is_broken)
    return AgentRun(result.output if isinstance(result.output, Answer) else None)


def _measuring(usage: Usage) -> ProcessToolCallback:
    """Return a hook that adds each call to `usage`."""

    async def measure(_ctx: RunContext[Any], call_tool: CallToolFunc, name: str, arguments: dict[str, Any]) -> Any:
        usage.calls += 1
        usage.call_tokens += count_tokens(name) + count_tokens(arguments)
        try:
            result = await call_tool(name, arguments)
        except ToolFailed as exc:
            usage.call_tokens += count_tokens(exc.message)
            raise
        usage.call_tokens += count_tokens(result)
        return result

    return measure


def _read_end(log: object) -> str:
    text = log.read_text("utf-8", "replace") if isinstance(log, Path) and log.exists() else ""
    return " ".join(text.split())[-_ERROR_LENGTH:]


async def _measure_list(toolset: MCPToolset[Any]) -> int:
    """Return the tokens of what a model reads about the server before its first call."""
    tools = [
        {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
        for tool in await toolset.list_tools()
    ]
    return count_tokens(tools) + count_tokens(toolset.instructions or "")


class ScriptError(Exception):
    """A scripted solution met a result that it does not know."""


def scripted_model(solution: Solution) -> FunctionModel:
    """Return a model that makes the calls of a solution, one at a time."""
    return FunctionModel(_Script(solution).next, model_name="scripted")


class _Script:
    def __init__(self, solution: Solution) -> None:
        self._solution = solution
        self._is_started = False

    async def next(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        result = _last_result(messages) if self._is_started else None
        self._is_started = True
        try:
            step = self._solution.send(result)
        except StopIteration as end:
            return ModelResponse(parts=[_final_part(end.value, info)])
        except (LookupError, TypeError) as exc:
            raise ScriptError(f"{exc!r} after the result {str(result)[:300]}") from exc
        return ModelResponse(parts=[ToolCallPart(step.tool, step.arguments)])


def _last_result(messages: list[ModelMessage]) -> Any:
    part = messages[-1].parts[-1]
    if not isinstance(part, ToolReturnPart):
        raise ScriptError(f"the call had no result: {part}")
    return part.content


def _final_part(answer: Answer | None, info: AgentInfo) -> ToolCallPart | TextPart:
    if answer is None or not info.output_tools:
        return TextPart("Done.")
    return ToolCallPart(info.output_tools[0].name, answer.model_dump())
