"""Telling of changes: on streams of their own in the modern era, on a session's standing channel in the legacy era."""

from typing import Any

from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    EmptyResult,
    NotificationParams,
    SubscribeRequestParams,
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel

from contacts_mcp.contract import Risk
from contacts_mcp.server._caller import Caller, caller_of
from contacts_mcp.server._elicitation import Context
from contacts_mcp.server._faults import invalid
from contacts_mcp.server._resources import NO_RESOURCES
from contacts_mcp.server._sessions import Session, session_of
from contacts_mcp.server._tenants import Tenants
from contacts_mcp.tools import Tool

MOST_ADDRESSES = 200
"""Addresses that one session or stream may watch."""


class Subscriptions:
    """Who wants to be told of what. `changes` says which lists can change, and is what the server promises."""

    def __init__(self, changes: NotificationOptions | None = None) -> None:
        self.changes = changes or NotificationOptions(resources_changed=True)
        self.resources = NO_RESOURCES
        self._tenants = Tenants()
        self._ended = False

    def register(self, server: Server[Any]) -> None:
        """Have `server` answer these methods."""
        server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, self.listen)
        server.add_request_handler("resources/subscribe", SubscribeRequestParams, self.subscribe)
        server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self.unsubscribe)
        server.add_notification_handler("notifications/initialized", NotificationParams, self.initialized)

    @property
    def tenants(self) -> int:
        """For how many tenants somebody listens."""
        return len([*self._tenants])

    def changed(self, tenant: str, tool: Tool, arguments: BaseModel, answer: BaseModel) -> None:
        """Tell a tenant's listeners what a call that succeeded has touched; this waits for nobody."""
        listeners = self._tenants.get(tenant)
        if listeners is None:
            return
        touched = self.resources.touched(tool, arguments, answer)
        for uri in listeners.watched(touched):
            listeners.tell(ResourceUpdated(uri))
        if touched.listing:
            listeners.tell(ResourcesListChanged())

    async def publish(self, event: ServerEvent, tenant: str = "") -> None:
        """Tell a tenant's listeners of any event."""
        if listeners := self._tenants.get(tenant):
            listeners.tell(event)

    def end(self) -> None:
        """End every stream as the protocol wants a server to end it, and open no more."""
        self._ended = True
        for tenant in self._tenants:
            tenant.stream.close()

    async def listen(self, ctx: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """A modern caller's stream, until they leave or the server ends it."""
        if self._ended:
            raise MCPError(INTERNAL_ERROR, "stopping: the server is stopping; listen again in a moment")
        caller = caller_of(ctx)
        honoured = self._honoured(params.notifications, caller)
        ours = [uri for uri in honoured.resource_subscriptions or () if self.resources.knows(uri)]
        with self._tenants.listening(caller.tenant) as tenant:
            tenant.watch(ours, caller.principal)
            try:
                return await tenant.stream(ctx, params.model_copy(update={"notifications": honoured}))
            finally:
                tenant.unwatch(ours, caller.principal)

    async def initialized(self, ctx: Context, _params: NotificationParams) -> None:
        """A legacy session is complete, and hears of changed lists from now on."""
        self._session(ctx)

    async def subscribe(self, ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        """A legacy session wants to hear of an address; where there can be nothing, it will never hear of it."""
        session = self._session(ctx)
        if session is not None and self.resources.knows(params.uri):
            if len(session.watched | {params.uri}) > MOST_ADDRESSES:
                raise _too_many()
            session.watch(params.uri)
        return EmptyResult()

    async def unsubscribe(self, ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """A legacy session wants to hear no more of an address."""
        if session := self._session(ctx):
            session.unwatch(params.uri)
        return EmptyResult()

    def _session(self, ctx: Context) -> Session | None:
        """The legacy session as a listener; None for a caller who may read nothing and so is told of nothing."""
        caller = caller_of(ctx)
        return session_of(ctx, caller, self._tenants) if Risk.READ in caller.risks else None

    def _honoured(self, asked: SubscriptionFilter, caller: Caller) -> SubscriptionFilter:
        """What of it can be told: lists that change here, and resources to those who may read them."""
        uris = list(dict.fromkeys(asked.resource_subscriptions or ()))
        if len(uris) > MOST_ADDRESSES:
            raise _too_many()
        reads = Risk.READ in caller.risks
        return SubscriptionFilter(
            tools_list_changed=asked.tools_list_changed and self.changes.tools_changed,
            prompts_list_changed=asked.prompts_list_changed and self.changes.prompts_changed,
            resources_list_changed=asked.resources_list_changed and self.changes.resources_changed and reads,
            resource_subscriptions=uris if reads else None,
        )


def _too_many() -> MCPError:
    return invalid(f"invalid: no more than {MOST_ADDRESSES} addresses can be watched at once; unsubscribe from some")
