"""Notify clients of changes: streams in the modern era, a session's standing channel in the legacy era.

Each tenant has listeners of its own, so that no client learns of another tenant's activity.
"""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import mcp_types as types
from mcp.server.connection import Connection
from mcp.server.lowlevel import NotificationOptions
from mcp.server.subscriptions import (
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from contacts_mcp.contract import Risk
from contacts_mcp.resources import ResourceCatalog, affected_resources
from contacts_mcp.server._context import Caller, RequestContext, caller_of, connection_of, invalid_params
from contacts_mcp.tools import Tool, TouchedRecords

_MAX_URIS_PER_SUBSCRIBER = 200  # URIs that one session or stream may watch
_MAX_URIS_PER_CALLER = 1_000  # URIs that all sessions and streams of one caller may watch together
_MAX_URIS_PER_TENANT = 5_000
_MAX_STREAMS_PER_TENANT = 1_024
_MAX_BUFFERED_EVENTS = 512  # a stream that is further behind is ended, and its client has to read everything again
_SESSION_KEY = "contacts_mcp.session"


class TenantListeners:
    """The listeners of one tenant and the URIs they watch. It is the `SubscriptionBus` of the SDK's streams."""

    def __init__(self) -> None:
        self.users = 0  # sessions and streams that keep this object in use
        self.stream = ListenHandler(
            self, max_subscriptions=_MAX_STREAMS_PER_TENANT, max_buffered_events=_MAX_BUFFERED_EVENTS
        )
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}
        self.watched: Counter[str] = Counter()  # URIs as the clients wrote them, and how often each is watched
        self._per_caller: Counter[str] = Counter()

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Call `listener` with each event, until the returned function is called. It must not wait or raise."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def publish(self, event: ServerEvent) -> None:
        self.notify(event)

    def notify(self, event: ServerEvent) -> None:
        """Pass an event to all listeners, without waiting: a cancelled call still notifies all of them."""
        for listener in list(self._listeners.values()):
            listener(event)

    def watch(self, uris: Collection[str], principal: str) -> None:
        """Add URIs that a caller watches. Raises MCPError if the caller or the tenant watches too many."""
        of_caller = self._per_caller[principal] + len(uris)
        if of_caller > _MAX_URIS_PER_CALLER or len(self.watched) + len(uris) > _MAX_URIS_PER_TENANT:
            raise invalid_params("invalid: too many resources are watched here; unsubscribe from some")
        self._per_caller[principal] = of_caller
        self.watched.update(uris)

    def unwatch(self, uris: Collection[str], principal: str) -> None:
        """Undo one `watch` of each URI."""
        self._per_caller[principal] -= len(uris)
        if not self._per_caller[principal]:
            del self._per_caller[principal]
        self.watched.subtract(uris)
        for uri in uris:
            if self.watched[uri] <= 0:
                del self.watched[uri]


class LegacySession:
    """Notifies one connection of its tenant's changes. A task of its own sends, so a slow client delays no other."""

    def __init__(self, connection: Connection, listeners: TenantListeners, principal: str) -> None:
        self.watched: set[str] = set()
        self._connection = connection
        self._listeners = listeners
        self._principal = principal
        self._pending: dict[ServerEvent, None] = {}  # a set in order: equal events are sent once
        self._sender: asyncio.Task[None] | None = None

    def watch(self, uri: str) -> None:
        """Start to watch a URI. Raises MCPError if the session, the caller or the tenant watches too many."""
        if uri not in self.watched:
            if len(self.watched) >= _MAX_URIS_PER_SUBSCRIBER:
                raise _too_many_uris()
            self._listeners.watch([uri], self._principal)
            self.watched.add(uri)

    def unwatch(self, uri: str) -> None:
        if uri in self.watched:
            self.watched.remove(uri)
            self._listeners.unwatch([uri], self._principal)

    def receive(self, event: ServerEvent) -> None:
        """Take an event, and have it sent if the session watches its URI."""
        if isinstance(event, ResourceUpdated) and event.uri not in self.watched:
            return
        self._pending[event] = None
        if self._sender is None:
            # In an empty context: the request id of the call that made the change is not this client's.
            self._sender = asyncio.create_task(self._send_pending(), context=contextvars.Context())

    def close(self) -> None:
        """Stop sending, and watch nothing."""
        if self._sender:
            self._sender.cancel()
        self._listeners.unwatch(self.watched, self._principal)
        self.watched.clear()

    async def _send_pending(self) -> None:
        try:
            while self._pending:
                event = next(iter(self._pending))
                del self._pending[event]
                await self._send(event)
        finally:
            self._sender = None

    async def _send(self, event: ServerEvent) -> None:
        match event:
            case ResourceUpdated(uri):
                await self._connection.send_resource_updated(uri)
            case ResourcesListChanged():
                await self._connection.send_resource_list_changed()
            case ToolsListChanged():
                await self._connection.send_tool_list_changed()
            case PromptsListChanged():
                await self._connection.send_prompt_list_changed()


class Subscriptions:
    """Handles subscriptions of both eras. `list_changes` are the lists that can change, which the server announces."""

    def __init__(self, list_changes: NotificationOptions | None = None) -> None:
        self.list_changes = list_changes or NotificationOptions(resources_changed=True)
        self.catalog = ResourceCatalog(())  # the resources that can be watched; `build_server` sets it
        self._tenants: dict[str, TenantListeners] = {}
        self._is_closed = False

    @property
    def tenant_count(self) -> int:
        return len(self._tenants)

    def notify(
        self, tenant: str, tool: Tool, arguments: BaseModel, answer: BaseModel | None, touched: TouchedRecords | None
    ) -> None:
        """Notify a tenant's listeners of what a call changed; `answer` is None if it failed. It does not wait."""
        listeners = self._tenants.get(tenant)
        if listeners is None:
            return
        affected = affected_resources(tool, arguments, answer, touched)
        for uri in list(listeners.watched):
            if affected.includes(uri):
                listeners.notify(ResourceUpdated(uri))
        if affected.group_list:
            listeners.notify(ResourcesListChanged())

    async def publish(self, event: ServerEvent, tenant: str = "") -> None:
        """Notify a tenant's listeners of an event."""
        if listeners := self._tenants.get(tenant):
            listeners.notify(event)

    def close(self) -> None:
        """End every stream with the protocol's last message, and accept no more."""
        self._is_closed = True
        for listeners in list(self._tenants.values()):
            listeners.stream.close()

    async def listen(
        self, ctx: RequestContext, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve a modern caller's stream until the caller leaves or the server closes it."""
        if self._is_closed:
            raise MCPError(types.INTERNAL_ERROR, "stopping: the server is stopping; try again in a moment")
        caller = caller_of(ctx)
        accepted = self._accepted(params.notifications, caller)
        uris = [uri for uri in accepted.resource_subscriptions or () if self.catalog.matches(uri)]
        with self._listening(caller.tenant) as listeners:
            listeners.watch(uris, caller.principal)
            try:
                return await listeners.stream(ctx, params.model_copy(update={"notifications": accepted}))
            finally:
                listeners.unwatch(uris, caller.principal)

    async def initialized(self, ctx: RequestContext, _params: types.NotificationParams) -> None:
        """Start to notify a legacy session of changed lists."""
        self._legacy_session(ctx)

    async def subscribe(self, ctx: RequestContext, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Watch a URI in a legacy session. A URI that matches no template is accepted and never notified of."""
        session = self._legacy_session(ctx)
        if session is not None and self.catalog.matches(params.uri):
            session.watch(params.uri)
        return types.EmptyResult()

    async def unsubscribe(self, ctx: RequestContext, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Stop watching a URI in a legacy session."""
        if session := self._legacy_session(ctx):
            session.unwatch(params.uri)
        return types.EmptyResult()

    def _legacy_session(self, ctx: RequestContext) -> LegacySession | None:
        """The session of a request, opened by its first request. None for a caller without READ."""
        caller, connection = caller_of(ctx), connection_of(ctx)
        if Risk.READ not in caller.risks:
            return None
        session: LegacySession | None = connection.state.get(_SESSION_KEY)
        if session is None:
            listeners = connection.exit_stack.enter_context(self._listening(caller.tenant))
            session = connection.state[_SESSION_KEY] = LegacySession(connection, listeners, caller.principal)
            connection.exit_stack.callback(session.close)
            connection.exit_stack.callback(listeners.subscribe(session.receive))
        return session

    @contextmanager
    def _listening(self, tenant: str) -> Iterator[TenantListeners]:
        """The listeners of a tenant, which are kept while any session or stream uses them."""
        listeners = self._tenants.setdefault(tenant, TenantListeners())
        listeners.users += 1
        try:
            yield listeners
        finally:
            listeners.users -= 1
            if not listeners.users:
                del self._tenants[tenant]

    def _accepted(self, wanted: types.SubscriptionFilter, caller: Caller) -> types.SubscriptionFilter:
        """Return the accepted part of a filter: lists that can change, and resources if the caller may read."""
        uris = list(dict.fromkeys(wanted.resource_subscriptions or ()))
        if len(uris) > _MAX_URIS_PER_SUBSCRIBER:
            raise _too_many_uris()
        can_read = Risk.READ in caller.risks
        return types.SubscriptionFilter(
            tools_list_changed=wanted.tools_list_changed and self.list_changes.tools_changed,
            prompts_list_changed=wanted.prompts_list_changed and self.list_changes.prompts_changed,
            resources_list_changed=wanted.resources_list_changed and self.list_changes.resources_changed and can_read,
            resource_subscriptions=uris if can_read else None,
        )


def _too_many_uris() -> MCPError:
    return invalid_params(
        f"invalid: no more than {_MAX_URIS_PER_SUBSCRIBER} resources can be watched at once; unsubscribe from some"
    )
