"""The server as the SDK wants it: every method's handler, what it may be asked, how long its lists are good for."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel import NotificationOptions, Server

from contacts_mcp.audit import LogOutput, Trail
from contacts_mcp.guard import Guard
from contacts_mcp.server import _logging as logging
from contacts_mcp.server._caller import BackendFactory
from contacts_mcp.server._calls import Calls
from contacts_mcp.server._completion import CompletionHandlers, Sources
from contacts_mcp.server._handlers import ToolHandlers
from contacts_mcp.server._observe import Discreet
from contacts_mcp.server._prompts import Prompt, PromptHandlers
from contacts_mcp.server._resources import NO_RESOURCES, ResourceHandlers, Resources
from contacts_mcp.server._subscriptions import Subscriptions
from contacts_mcp.server._trail import CallRecorder
from contacts_mcp.tools import Tool

_HOUR, _MOMENT = CacheHint(ttl_ms=3_600_000), CacheHint(ttl_ms=5_000)
_LIFETIMES: dict[CacheableMethod, CacheHint] = {
    "tools/list": _HOUR,
    "prompts/list": _HOUR,
    "resources/templates/list": _HOUR,
    "resources/list": _MOMENT,  # others change groups too, and nothing tells of it
    "resources/read": CacheHint(ttl_ms=0),
}
"""How long answers are good for; all of them are the caller's own."""

Lifespan = Callable[[Server[Any]], AbstractAsyncContextManager[Any]]


def build_server(
    *,
    version: str,
    instructions: str,
    tools: Sequence[Tool],
    backend_for: BackendFactory,
    guard: Guard,
    lifespan: Lifespan,
    calls: Calls | None = None,
    resources: Resources = NO_RESOURCES,
    prompts: Sequence[Prompt] = (),
    sources: Sources | None = None,
    subscriptions: Subscriptions | None = None,
    recorder: CallRecorder | None = None,
) -> Server[Any]:
    """The low-level SDK server over a catalog; it speaks both protocol eras on any transport.

    `backend_for` gives the backend that a caller works on; `calls` lets a transport end what is under way, and
    `subscriptions` the streams; `sources` suggest what to fill in. Without a `recorder` the trail is in the log alone.
    """
    calls, listeners = calls or Calls(), subscriptions or Subscriptions()
    listeners.resources = resources
    recorder = recorder or CallRecorder(Trail(outputs=[LogOutput()]))
    handlers = ToolHandlers(tools, backend_for, guard, calls, listeners.changed, recorder)
    server = _Server(
        "wayscloud-contacts",
        title="WAYSCloud Contacts",
        version=version,
        instructions=instructions,
        lifespan=lifespan,
        cache_hints=_LIFETIMES,
        get_tool_input_schema=_sent_as_headers,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
    )
    server.changes = listeners.changes
    ResourceHandlers(resources, backend_for, calls).register(server)
    PromptHandlers(prompts).register(server)
    CompletionHandlers(sources or {}, backend_for, calls).register(server)
    listeners.register(server)
    logging.register(server)
    server.middleware.append(Discreet({tool.name for tool in tools} | {prompt.name for prompt in prompts}))
    return server


def _sent_as_headers(_tool: str) -> None:
    """No argument of ours is sent as a header as well. Unless told so, the SDK lists all tools before each call."""


class _Server(Server[Any]):
    """Promises in both eras to tell of those lists alone that can change.

    The SDK's server asks whoever runs it (legacy), or promises all where it promises any (modern).
    """

    changes = NotificationOptions()

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,  # noqa: ARG002 - whoever runs it has no say in it
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> types.ServerCapabilities:
        """What the server can do."""
        found = super().get_capabilities(
            self.changes, experimental_capabilities, extensions, protocol_version=protocol_version
        )
        if found.tools:
            found.tools.list_changed = self.changes.tools_changed
        if found.prompts:
            found.prompts.list_changed = self.changes.prompts_changed
        if found.resources:
            found.resources.list_changed = self.changes.resources_changed
        return found
