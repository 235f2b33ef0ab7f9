"""The suite's things laid over a server: what the suite names is answered here, all else by the server's handlers."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.context import ServerRequestContext as Context
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import PromptsListChanged, ToolsListChanged
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    Tool,
)
from pydantic import BaseModel

from conformance.asking_tools import ASKING_TOOLS
from conformance.content_tools import CONTENT_TOOLS, said
from conformance.pages import PROMPTS, RESOURCES, TEMPLATES, prompt, resource
from conformance.returning_tools import RETURNING_TOOLS
from contacts_mcp.server import Subscriptions

Handler = Callable[[Context, Any], Awaitable[Any]]
_TAKES = {"test_sampling": "prompt", "test_elicitation": "message"}


class Overlay:
    """The suite's tools, prompts and resources over those of `server`; changes of lists are told to `subscriptions`."""

    def __init__(self, server: Server[Any], subscriptions: Subscriptions) -> None:
        self._server = server
        self._subscriptions = subscriptions
        changing = (self.test_trigger_tool_change, self.test_trigger_prompt_change)
        tools = (*CONTENT_TOOLS, *ASKING_TOOLS, *RETURNING_TOOLS, *changing)
        self._tools: dict[str, Handler] = {tool.__name__: tool for tool in tools}

    def lay(self) -> None:
        """Take the server's place for what the suite names."""
        listed = [_listed(name, tool) for name, tool in self._tools.items()]
        self._lengthen("tools/list", "tools", listed)
        self._lengthen("prompts/list", "prompts", PROMPTS)
        self._lengthen("resources/list", "resources", RESOURCES)
        self._lengthen("resources/templates/list", "resource_templates", TEMPLATES)
        self._answer_before("tools/call", CallToolRequestParams, self._tool)
        self._answer_before("prompts/get", GetPromptRequestParams, _prompt)
        self._answer_before("resources/read", ReadResourceRequestParams, _resource)

    async def test_trigger_tool_change(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        """Tells those who listen that the list of tools has changed."""
        await self._subscriptions.publish(ToolsListChanged())
        return said("Told.")

    async def test_trigger_prompt_change(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        """Tells those who listen that the list of prompts has changed."""
        await self._subscriptions.publish(PromptsListChanged())
        return said("Told.")

    def _lengthen(self, method: str, kind: str, more: list[Any]) -> None:
        """The first page of a list, with ours after the server's."""
        own = self._own(method)

        async def listed(ctx: Context, params: PaginatedRequestParams) -> BaseModel:
            page: BaseModel = await own(ctx, params)
            return page if params.cursor else page.model_copy(update={kind: [*getattr(page, kind), *more]})

        self._server.add_request_handler(method, PaginatedRequestParams, listed)

    def _answer_before(self, method: str, params_type: type[BaseModel], answer: Handler) -> None:
        """Our answer, and the server's where that is None."""
        own = self._own(method)

        async def answered(ctx: Context, params: BaseModel) -> BaseModel:
            return await answer(ctx, params) or await own(ctx, params)

        self._server.add_request_handler(method, params_type, answered)

    def _own(self, method: str) -> Handler:
        entry = self._server.get_request_handler(method)
        assert entry, f"the server answers no {method}"
        return entry.handler

    async def _tool(self, ctx: Context, params: CallToolRequestParams) -> BaseModel | None:
        tool = self._tools.get(params.name)
        return await tool(ctx, params) if tool else None


async def _prompt(ctx: Context, params: GetPromptRequestParams) -> BaseModel | None:
    ours = params.name in {page.name for page in PROMPTS}
    return await prompt(ctx, params) if ours else None


async def _resource(ctx: Context, params: ReadResourceRequestParams) -> BaseModel | None:
    return resource(str(params.uri))


def _listed(name: str, tool: Handler) -> Tool:
    properties = {_TAKES[name]: {"type": "string"}} if name in _TAKES else {}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name=name, description=tool.__doc__, input_schema=schema)
