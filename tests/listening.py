"""Clients that listen for changes, in either era, and clients of several callers of one server."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import anyio
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated, Subscription
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    EmptyResult,
    Implementation,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    SubscribeRequest,
    SubscribeRequestParams,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)

from contacts_mcp.middleware import REQUEST_ID_SCOPE_KEY
from contacts_mcp.server import CALLER_SCOPE_KEY, Caller
from harness import LEGACY, Host
from waiting import until

LIST_CHANGED = "the list"


class Listener(Host):
    """A host that gets change notifications: `events` has the URIs, and LIST_CHANGED for a changed resource list."""

    def __init__(self, client: Client | None = None) -> None:
        super().__init__(client)  # type: ignore[arg-type]
        self.events: list[str] = []

    async def notified(self, message: object) -> None:
        """Add a notification of a legacy session."""
        match message:
            case ResourceUpdatedNotification():
                self.events.append(message.params.uri)
            case ResourceListChangedNotification():
                self.events.append(LIST_CHANGED)

    async def listen(self, subscription: Subscription) -> None:
        """Add the notifications of a modern stream, until it ends."""
        async for event in subscription:
            self.events.append(event.uri if isinstance(event, ResourceUpdated) else LIST_CHANGED)

    async def events_before(self, event: str) -> list[str]:
        """Wait for an event, and return and drop the events before it."""
        await until(lambda: event in self.events)
        index = self.events.index(event)
        before, self.events[:] = self.events[:index], self.events[index + 1 :]
        return before

    async def subscribe(self, uri: str) -> None:
        await self.client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=uri)), EmptyResult)

    async def unsubscribe(self, uri: str) -> None:
        request = UnsubscribeRequest(params=UnsubscribeRequestParams(uri=uri))
        await self.client.session.send_request(request, EmptyResult)


@asynccontextmanager
async def listening(server: Any, era: str, uris: Collection[str], name: str = "test") -> AsyncIterator[Listener]:
    """A host that is notified of `uris` and of changed lists; `server` is anything that a Client accepts."""
    listener = Listener()
    info = Implementation(name=name, version="1")
    handler = listener.notified if era == LEGACY else None  # a modern client would get everything twice
    async with Client(server, mode=era, message_handler=handler, client_info=info) as client:
        listener.client = client
        if era == LEGACY:
            for uri in uris:
                await listener.subscribe(uri)
            yield listener
            return
        async with (
            client.listen(resources_list_changed=True, resource_subscriptions=list(uris)) as subscription,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(listener.listen, subscription)
            yield listener
            tasks.cancel_scope.cancel()


def identify_callers(server: Server[Any], callers: Mapping[str, Caller]) -> None:
    """Let the client's own name decide its caller, as a credential does over a network."""

    async def admit(ctx: Any, call_next: Any) -> Any:
        client = ctx.session.client_params
        if client is None:
            return await call_next(ctx)
        scope = {CALLER_SCOPE_KEY: callers[client.client_info.name], REQUEST_ID_SCOPE_KEY: "request"}
        return await call_next(replace(ctx, request=SimpleNamespace(scope=scope)))

    server.middleware.insert(0, admit)


async def protocol_error(asking: Any) -> Any:
    """The protocol error of a request that must fail."""
    try:
        await asking
    except MCPError as exc:
        return exc.error
    raise AssertionError("it did not fail")
