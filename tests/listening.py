"""Hosts that listen for changes, in either era, and hosts of several callers of one server."""

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

LIST = "the list"


class Ear(Host):
    """A host that hears of changes: `heard` holds addresses, and LIST where the list of resources changed."""

    def __init__(self, client: Client | None = None) -> None:
        super().__init__(client)  # type: ignore[arg-type]
        self.heard: list[str] = []

    async def notified(self, message: object) -> None:
        """Take in what a legacy session is told."""
        match message:
            case ResourceUpdatedNotification():
                self.heard.append(message.params.uri)
            case ResourceListChangedNotification():
                self.heard.append(LIST)

    async def listen(self, subscription: Subscription) -> None:
        """Take in what a modern stream brings, until it ends."""
        async for event in subscription:
            self.heard.append(event.uri if isinstance(event, ResourceUpdated) else LIST)

    async def until(self, event: str) -> list[str]:
        """What was heard before an event, which has to come; begins anew after it."""
        await until(lambda: event in self.heard)
        place = self.heard.index(event)
        before, self.heard[:] = self.heard[:place], self.heard[place + 1 :]
        return before

    async def subscribe(self, uri: str) -> None:
        await self.client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=uri)), EmptyResult)

    async def unsubscribe(self, uri: str) -> None:
        request = UnsubscribeRequest(params=UnsubscribeRequestParams(uri=uri))
        await self.client.session.send_request(request, EmptyResult)


@asynccontextmanager
async def listening(server: Any, era: str, uris: Collection[str], name: str = "test") -> AsyncIterator[Ear]:
    """A host that hears of `uris` and of changed lists; `server` is whatever a client takes."""
    ear = Ear()
    info = Implementation(name=name, version="1")
    handler = ear.notified if era == LEGACY else None  # a modern client would hear everything twice
    async with Client(server, mode=era, message_handler=handler, client_info=info) as client:
        ear.client = client
        if era == LEGACY:
            for uri in uris:
                await ear.subscribe(uri)
            yield ear
            return
        async with (
            client.listen(resources_list_changed=True, resource_subscriptions=list(uris)) as subscription,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(ear.listen, subscription)
            yield ear
            tasks.cancel_scope.cancel()


def tell_apart(server: Server[Any], callers: Mapping[str, Caller]) -> None:
    """Take the name that a host gives itself for its caller, as a network transport takes a credential."""

    async def admit(ctx: Any, call_next: Any) -> Any:
        client = ctx.session.client_params
        if client is None:
            return await call_next(ctx)
        scope = {CALLER_SCOPE_KEY: callers[client.client_info.name], REQUEST_ID_SCOPE_KEY: "request"}
        return await call_next(replace(ctx, request=SimpleNamespace(scope=scope)))

    server.middleware.insert(0, admit)


async def refusal(asking: Any) -> Any:
    """The protocol error of a request that must fail."""
    try:
        await asking
    except MCPError as exc:
        return exc.error
    raise AssertionError("it did not fail")
