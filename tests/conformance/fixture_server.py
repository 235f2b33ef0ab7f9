"""The suite's fixture server: our server with the suite's content added, served by our own transport.

`python -m conformance.fixture_server DATABASE`
"""

import sys
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp.server.context import ServerRequestContext as Context
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import PromptsListChanged, ServerEvent, ToolsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    Tool,
)
from pydantic import BaseModel
from starlette.types import ASGIApp

from conformance import fixture_content as content
from contacts_mcp.app import Embedded, connect
from contacts_mcp.http_server import listen, run
from contacts_mcp.prompts import choose_prompts
from contacts_mcp.resources import ResourceCatalog
from contacts_mcp.server import ActiveCalls, Subscriptions
from contacts_mcp.tools import TOOLS, Backend
from contacts_mcp.transports.http import Limits, http_app
from contacts_mcp.transports.http.access import LoopbackAccess
from support.hosts import server_over

Handler = Callable[[Context, Any], Awaitable[Any]]


def fixture_app(database: Path) -> ASGIApp:
    """The product with the suite's tools in its catalog and the suite's other content in front of its handlers."""
    connection = connect(Embedded(database, "for the suite"))
    all_lists = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    calls, subscriptions = ActiveCalls(), Subscriptions(all_lists)
    server = server_over(
        tools=(*TOOLS, *content.CATALOG_TOOLS),
        backend_for=lambda _: Backend(connection),
        lifespan=connection.lifespan,
        active_calls=calls,
        resources=ResourceCatalog(TOOLS),
        prompts=choose_prompts(TOOLS),
        subscriptions=subscriptions,
    )
    add_fixture(server, subscriptions)
    return http_app(
        server,
        LoopbackAccess(),
        checks={"directory": connection.check_ready},
        calls=calls,
        close_subscriptions=subscriptions.close,
        limits=Limits(calls_per_minute=0),  # the suite makes many calls
    )


def add_fixture(server: Server[Any], subscriptions: Subscriptions) -> None:
    """Extend the server's lists by the suite's content, and answer for that content before the server does."""
    tools: dict[str, content.RawTool] = {
        **content.RAW_TOOLS,
        "test_trigger_tool_change": _publish(subscriptions, ToolsListChanged()),
        "test_trigger_prompt_change": _publish(subscriptions, PromptsListChanged()),
    }

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> BaseModel | None:
        return await tools[params.name](ctx, params) if params.name in tools else None

    async def read(_ctx: Context, params: ReadResourceRequestParams) -> BaseModel | None:
        return content.read_resource(str(params.uri))

    for method, kind, more in (
        ("tools/list", "tools", [_listed(name) for name in tools]),
        ("prompts/list", "prompts", content.PROMPTS),
        ("resources/list", "resources", content.RESOURCES),
        ("resources/templates/list", "resource_templates", content.RESOURCE_TEMPLATES),
    ):
        _extend_list(server, method, kind, more)
    _answer_first(server, "tools/call", CallToolRequestParams, call_tool)
    _answer_first(server, "prompts/get", GetPromptRequestParams, content.get_prompt)
    _answer_first(server, "resources/read", ReadResourceRequestParams, read)


def _publish(subscriptions: Subscriptions, event: ServerEvent) -> content.RawTool:
    async def run(_ctx: Context, _params: CallToolRequestParams) -> CallToolResult:
        await subscriptions.publish(event)
        return content.result("Published.")

    return run


def _listed(name: str) -> Tool:
    properties = {content.TOOL_ARGUMENTS[name]: {"type": "string"}} if name in content.TOOL_ARGUMENTS else {}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return Tool(name=name, description=f"The suite's {name}.", input_schema=schema)


def _extend_list(server: Server[Any], method: str, kind: str, more: list[Any]) -> None:
    own = server.get_request_handler(method).handler

    async def extended(ctx: Context, params: PaginatedRequestParams) -> BaseModel:
        page: BaseModel = await own(ctx, params)
        return page if params.cursor else page.model_copy(update={kind: [*getattr(page, kind), *more]})

    server.add_request_handler(method, PaginatedRequestParams, extended)


def _answer_first(server: Server[Any], method: str, params_type: type[BaseModel], answer: Handler) -> None:
    """Use `answer`, and the server's own handler if that returns None."""
    own = server.get_request_handler(method).handler

    async def answered(ctx: Context, params: BaseModel) -> BaseModel:
        return await answer(ctx, params) or await own(ctx, params)

    server.add_request_handler(method, params_type, answered)


if __name__ == "__main__":
    warnings.simplefilter("ignore", MCPDeprecationWarning)  # the suite uses deprecated methods
    with listen("127.0.0.1", 0) as listening:
        sys.stderr.write(f"listening on http://127.0.0.1:{listening.getsockname()[1]}/mcp\n")
        run(fixture_app(Path(sys.argv[1])), listening)
