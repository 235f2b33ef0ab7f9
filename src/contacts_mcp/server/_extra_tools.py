"""Tools of the console: a person works with them in their browser, and no model can list or call them.

They are no tools of the catalog: they do not change contacts, so they need no plan, no consent and no audit record.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from pydantic import BaseModel, ConfigDict, ValidationError

from contacts_mcp.contract import ContactsError, PermissionDenied, Risk
from contacts_mcp.server._context import (
    ActiveCalls,
    Caller,
    RequestContext,
    caller_of,
    exception_site,
    internal_error_line,
    is_of_console,
    one_line,
)
from contacts_mcp.tools import input_schema

_log = logging.getLogger(__name__)


class ExtraArguments(BaseModel):
    """The arguments of an extra tool. Unknown ones are refused; the docstring is the tool's description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtraTool:
    """A tool of the console.

    `run` gets the caller and the validated arguments. It raises a ContactsError if the caller may not do this.
    """

    name: str
    arguments: type[ExtraArguments]
    run: Callable[[Caller, Any], Awaitable[BaseModel]]
    is_read_only: bool = True

    def to_mcp(self) -> types.Tool:
        """Return the tool as the protocol lists it. Its answer has no schema, because no model reads it."""
        return types.Tool(
            name=self.name,
            title=self.name.replace("_", " ").capitalize(),
            description=" ".join((self.arguments.__doc__ or "").split()),
            input_schema=input_schema(self.arguments),
            annotations=types.ToolAnnotations(read_only_hint=self.is_read_only, open_world_hint=False),
        )


class ExtraTools:
    """Lists and calls the tools of the console. For every other client they do not exist."""

    def __init__(self, tools: Sequence[ExtraTool] = (), active_calls: ActiveCalls | None = None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._active_calls = active_calls or ActiveCalls()

    def list(self, ctx: RequestContext) -> list[types.Tool]:
        """Return the tools that the sender of a request may call."""
        return [tool.to_mcp() for tool in self._tools.values() if self.has(ctx, tool.name)]

    def has(self, ctx: RequestContext, name: str) -> bool:
        """Whether a tool exists for the sender of a request."""
        return name in self._tools and is_of_console(ctx)

    async def call(self, ctx: RequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Call a tool for which `has` is true. A failure is one line, without values."""
        tool, caller = self._tools[params.name], caller_of(ctx)
        try:
            with self._active_calls.running(ctx):
                _require_read(tool, caller)
                return _to_result(await tool.run(caller, tool.arguments.model_validate(params.arguments or {})))
            return _error("stopping: the server is stopping; call again in a moment")
        except ContactsError as exc:
            return _error(str(exc))
        except ValidationError as exc:
            return _error(f"invalid: {'; '.join(_describe(each) for each in exc.errors(include_input=False))}")
        except Exception as exc:  # noqa: BLE001 - the person reads one line; a traceback could log personal data
            _log.error("%s failed: %s", tool.name, exception_site(exc))
            return _error(internal_error_line(tool.name))


def _require_read(tool: ExtraTool, caller: Caller) -> None:
    if Risk.READ not in caller.risks:
        raise PermissionDenied(f"{tool.name} shows stored data, which you may not read", advice="")


def _to_result(answer: BaseModel) -> types.CallToolResult:
    """Return an answer; its text is short, because no model reads it."""
    data = answer.model_dump(mode="json", exclude_none=True)
    text = types.TextContent(type="text", text="The structured content has the answer.")
    return types.CallToolResult(content=[text], structured_content=data)


def _error(line: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=one_line(line))], is_error=True)


def _describe(error: Any) -> str:
    return f"{'.'.join(map(str, error['loc'])) or 'arguments'}: {error['msg']}"
