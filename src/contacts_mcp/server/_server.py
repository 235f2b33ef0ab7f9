"""Builds the SDK's server: the handlers of every method, its capabilities, and how long clients may cache lists."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel import NotificationOptions, Server

from contacts_mcp.audit import LogOutput, Trail
from contacts_mcp.guard import Guard
from contacts_mcp.panel import EXTENSION
from contacts_mcp.prompts import Prompt
from contacts_mcp.resources import Completions, ResourceCatalog
from contacts_mcp.server._context import ActiveCalls, BackendFactory
from contacts_mcp.server._extra_tools import ExtraTools
from contacts_mcp.server._panel import ASK, DECIDE
from contacts_mcp.server._recording import CallRecorder, SpanScrubber, set_log_level
from contacts_mcp.server._resources import CompletionHandler, PromptHandlers, ResourceHandlers
from contacts_mcp.server._subscriptions import Subscriptions
from contacts_mcp.server._tool_calls import ToolHandlers
from contacts_mcp.server._versions import fit_to_version
from contacts_mcp.server._ways import Ways
from contacts_mcp.tools import Tool

_ONE_HOUR, _FIVE_SECONDS = CacheHint(ttl_ms=3_600_000), CacheHint(ttl_ms=5_000)
_CACHE_HINTS: dict[CacheableMethod, CacheHint] = {
    "tools/list": _ONE_HOUR,
    "prompts/list": _ONE_HOUR,
    "resources/templates/list": _ONE_HOUR,
    "resources/list": _FIVE_SECONDS,  # other clients of the service change groups too, without a notification
    "resources/read": CacheHint(ttl_ms=0),
}

Lifespan = Callable[[Server[Any]], AbstractAsyncContextManager[Any]]


def build_server(
    *,
    version: str,
    instructions: str,
    tools: Sequence[Tool],
    backend_for: BackendFactory,
    guard: Guard,
    lifespan: Lifespan,
    active_calls: ActiveCalls | None = None,
    resources: ResourceCatalog | None = None,
    prompts: Sequence[Prompt] = (),
    completions: Completions | None = None,
    subscriptions: Subscriptions | None = None,
    recorder: CallRecorder | None = None,
    open_world: bool = True,
    ways: Ways | None = None,
    panel_tools: Sequence[Tool] = (),
    extra_tools: ExtraTools | None = None,
) -> Server[Any]:
    """Build the SDK's low-level server over `tools`; it speaks both protocol eras on any transport.

    A transport uses `active_calls` to cancel running calls, and `subscriptions` to close streams. Without a
    `recorder`, audit records only go to the log. `open_world` says whether the tools work on a service outside of it.
    `ways` are the ways to reach a person; the default are forms of the host. `panel_tools` exist only in hosts that
    show a panel, `extra_tools` only in the console.
    """
    active_calls, subscriptions = active_calls or ActiveCalls(), subscriptions or Subscriptions()
    resources, completions = resources or ResourceCatalog(()), completions or Completions(())
    if recorder is None:
        recorder = CallRecorder(Trail(outputs=[LogOutput()]), {tool.name: tool.risk for tool in tools})
    tool_handlers = ToolHandlers(
        tools,
        backend_for,
        guard,
        active_calls,
        subscriptions,
        recorder,
        open_world=open_world,
        ways=ways,
        panel_tools=panel_tools,
        extra_tools=extra_tools,
    )
    resource_handlers, prompt_handlers = ResourceHandlers(resources, backend_for, active_calls), PromptHandlers(prompts)
    server = _Server(
        "wayscloud-contacts",
        title="WAYSCloud Contacts",
        version=version,
        instructions=instructions,
        lifespan=lifespan,
        cache_hints=_CACHE_HINTS,
        get_tool_input_schema=_no_schema,
        on_list_tools=tool_handlers.list_tools,
        on_call_tool=tool_handlers.call_tool,
        on_list_resources=resource_handlers.list,
        on_list_resource_templates=resource_handlers.list_templates,
        on_read_resource=resource_handlers.read,
        on_list_prompts=prompt_handlers.list,
        on_get_prompt=prompt_handlers.get,
        on_completion=CompletionHandler(completions, prompts, backend_for, active_calls).complete,
        on_subscribe_resource=subscriptions.subscribe,
        on_unsubscribe_resource=subscriptions.unsubscribe,
        on_subscriptions_listen=subscriptions.listen,
    )
    server.extensions[EXTENSION] = {}
    server.list_changes, subscriptions.catalog = subscriptions.list_changes, resources
    server.add_notification_handler("notifications/initialized", types.NotificationParams, subscriptions.initialized)
    # Not `on_set_logging_level`: the constructor warns that it is deprecated, but legacy clients use it.
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_log_level)
    server.middleware.append(fit_to_version)
    server.middleware.append(
        SpanScrubber(
            {tool.name for tool in (*tools, *panel_tools)} | {ASK, DECIDE} | {prompt.name for prompt in prompts}
        )
    )
    return server


def _no_schema(_tool: str) -> None:
    """No argument is also sent as an HTTP header. Without this function the SDK lists all tools before each call."""


class _Server(Server[Any]):
    """Announces, in both eras, change notifications only for the lists that can change.

    The SDK's server lets the transport decide in the legacy era, and announces all or none in the modern era.
    """

    list_changes = NotificationOptions()

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,  # noqa: ARG002 - the transport does not decide
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> types.ServerCapabilities:
        found = super().get_capabilities(
            self.list_changes, experimental_capabilities, extensions, protocol_version=protocol_version
        )
        if found.tools:
            found.tools.list_changed = self.list_changes.tools_changed
        if found.prompts:
            found.prompts.list_changed = self.list_changes.prompts_changed
        if found.resources:
            found.resources.list_changed = self.list_changes.resources_changed
        return found
