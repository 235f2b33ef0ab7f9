"""Hosts in memory: an SDK client, the real server, the real client and the real directory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeVar

import anyio
import httpx
import mcp_types as types
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated, Subscription
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from contacts_mcp.app import Embedded, Platform, build_app
from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import Risk
from contacts_mcp.directory import EXTENSIONS
from contacts_mcp.guard import MIN_DECISION_SECONDS, Guard
from contacts_mcp.middleware import REQUEST_ID_SCOPE_KEY
from contacts_mcp.server import CALLER_SCOPE_KEY, Caller, build_server
from contacts_mcp.settings import load_settings
from contacts_mcp.tools import TOOLS, Backend
from support.processes import wait_until
from support.quick import place_directory

LEGACY, MODERN = "legacy", "2026-07-28"
MISSING_ID = "00000000-0000-0000-0000-000000000000"
T = TypeVar("T")
_check_schema = Draft202012Validator.check_schema


@cache
def _check_schema_once(schema: str) -> None:
    _check_schema(json.loads(schema))


# The SDK's client checks the schema of an answer in every session, which takes longer than the call.
Draft202012Validator.check_schema = lambda schema: _check_schema_once(json.dumps(schema))  # type: ignore[assignment]

each_era = pytest.mark.parametrize(
    "era", [pytest.param(LEGACY, id="legacy"), pytest.param(MODERN, id="modern", marks=pytest.mark.slow)]
)
"""In both eras; the plain tests run the legacy one, since most of the others run in the modern one."""


@dataclass
class Person:
    """The person at the host: answers questions with `content`, after `meanwhile`, and keeps the questions."""

    content: dict[str, Any] | None = None
    action: str = "accept"
    meanwhile: Callable[[], Any] | None = None
    asked: list[types.ElicitRequestFormParams] = field(default_factory=list)

    async def __call__(self, _context: object, params: Any) -> types.ElicitResult:
        self.asked.append(params)
        if self.meanwhile:
            await self.meanwhile()
        return types.ElicitResult(action=self.action, content=self.content)  # type: ignore[arg-type]

    @property
    def question(self) -> str:
        (asked,) = self.asked
        return asked.message


async def read_question() -> None:
    """Take as long as a person: a real server takes a form that is declined sooner for one that was never shown."""
    await anyio.sleep(MIN_DECISION_SECONDS + 0.2)


class Host:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def raw(self, tool: str, **arguments: Any) -> types.CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a call that must succeed."""
        return answer_of(await self.raw(tool, **arguments))

    async def apply(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a tool that plans first, after its plan was applied."""
        plan = await self.call(tool, **arguments)
        return await self.call(tool, **arguments, apply=True, plan=plan["plan"])

    async def create(self, name: str = "Ola Nordmann") -> dict[str, str]:
        """Create a contact, even one that exists already; the argument that names it."""
        return {"contact_id": (await self.call("create_contact", name=name, allow_duplicate=True))["id"]}

    async def has(self, contact: dict[str, str]) -> bool:
        """Whether a contact can still be read."""
        return not (await self.raw("get_contact", **contact)).is_error

    async def error(self, tool: str, **arguments: Any) -> str:
        """The line of a call that must fail."""
        result = await self.raw(tool, **arguments)
        assert result.is_error, text_of(result)
        return text_of(result)

    async def declined(self, tool: str, **arguments: Any) -> str:
        """The reason of a call that a person must not have agreed to."""
        answer = await self.call(tool, **arguments)
        assert answer.keys() == {"done", "reason"}, answer
        assert answer["done"] is False
        return str(answer["reason"])


def with_ids(value: Any, ids: Mapping[str, str]) -> Any:
    """Arguments in which each value that is the name of a record is replaced by the record's id."""
    match value:
        case str():
            return ids.get(value, value)
        case list():
            return [with_ids(item, ids) for item in value]
        case dict():
            return {name: with_ids(item, ids) for name, item in value.items()}
        case _:
            return value


def answer_of(result: types.CallToolResult) -> dict[str, Any]:
    """The answer; asserts that its text and its structured content are equal."""
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == result.structured_content
    return result.structured_content


def deleted(record_id: str, name: str | None = None, consent: str = "person", **more: Any) -> dict[str, Any]:
    """The answer of a deletion that was made; `name` is what the call has read of the record."""
    record = {"id": record_id, **({"name": name} if name else {})}
    return {"done": True, "records": [record], **more, **({"consent": consent} if consent else {})}


def text_of(result: types.CallToolResult) -> str:
    """The text of a result, which has no other content."""
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


@asynccontextmanager
async def host(
    backend: Path | Embedded | Platform, era: str = MODERN, person: Person | None = None, **settings: Any
) -> AsyncIterator[Host]:
    """A host connected to a server over a directory file or another backend; without a person it cannot ask."""
    where = Embedded(place_directory(backend), "test") if isinstance(backend, Path) else backend
    app = build_app(load_settings(**settings), where)
    async with Client(app.server, mode=era, elicitation_callback=person, raise_exceptions=False) as client:
        yield Host(client)


@asynccontextmanager
async def host_of_service(
    respond: Callable[[httpx.Request], Any],
    era: str = MODERN,
    person: Person | None = None,
    *,
    server: Mapping[str, Any] = MappingProxyType({}),
    **backend: Any,
) -> AsyncIterator[Host]:
    """A host, without a cache, of a server whose service answers as `respond` says.

    `server` are arguments of `build_server`, and `backend` those of Backend. Every tool is listed.
    """
    offered: dict[str, Any] = {"known_extensions": EXTENSIONS, **backend}
    async with (
        ContactsClient(base_url="http://service", transport=httpx.MockTransport(respond)) as api,
        Client(
            server_over(**{"backend_for": lambda _: Backend(api, **offered), **server}),
            mode=era,
            elicitation_callback=person,
            cache=None,
        ) as client,
    ):
        yield Host(client)


def server_over(api: ContactsClient | None = None, **more: Any) -> Server[Any]:
    """A server that has every tool over a client of the caller's own; `more` replaces arguments of `build_server`."""
    defaults: dict[str, Any] = {"version": "0", "instructions": "", "tools": TOOLS, "guard": Guard()}
    defaults |= {
        "backend_for": lambda _: Backend(api, known_extensions=EXTENSIONS),
        "lifespan": lambda _: nullcontext(),
    }
    return build_server(**{**defaults, **more})


@asynccontextmanager
async def enter_in_one_task(context: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """A context for a fixture, entered and left in one task: anyio needs that, pytest-asyncio does not do it."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def hold() -> None:
        async with context as value:
            entered.set_result(value)
            await leave.wait()

    holder = asyncio.create_task(hold())
    await asyncio.wait({holder, entered}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield entered.result() if entered.done() else await holder  # type: ignore[misc]
    finally:
        leave.set()
        await holder


LIST_CHANGED = "the list"


class Listener(Host):
    """A host that gets change notifications: `events` has the URIs, and LIST_CHANGED for a changed resource list."""

    def __init__(self, client: Client | None = None) -> None:
        super().__init__(client)  # type: ignore[arg-type]
        self.events: list[str] = []

    async def notified(self, message: object) -> None:
        match message:
            case types.ResourceUpdatedNotification():
                self.events.append(message.params.uri)
            case types.ResourceListChangedNotification():
                self.events.append(LIST_CHANGED)

    async def listen(self, subscription: Subscription) -> None:
        async for event in subscription:
            self.events.append(event.uri if isinstance(event, ResourceUpdated) else LIST_CHANGED)

    async def events_before(self, event: str) -> list[str]:
        """Wait for an event, and return and drop the events before it."""
        await wait_until(lambda: event in self.events)
        index = self.events.index(event)
        before, self.events[:] = self.events[:index], self.events[index + 1 :]
        return before

    async def subscribe(self, uri: str) -> None:
        await self.client.session.send_request(
            types.SubscribeRequest(params=types.SubscribeRequestParams(uri=uri)), types.EmptyResult
        )

    async def unsubscribe(self, uri: str) -> None:
        request = types.UnsubscribeRequest(params=types.UnsubscribeRequestParams(uri=uri))
        await self.client.session.send_request(request, types.EmptyResult)


@asynccontextmanager
async def listening(server: Any, era: str, uris: Collection[str], name: str = "test") -> AsyncIterator[Listener]:
    """A host that is notified of `uris` and of changed lists; `server` is anything that a Client accepts."""
    listener = Listener()
    info = types.Implementation(name=name, version="1")
    handler = listener.notified if era == LEGACY else None  # a modern client would get every notification twice
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


@asynccontextmanager
async def host_of_writer(respond: Callable[[httpx.Request], Any]) -> AsyncIterator[Host]:
    """A host whose caller may write but not read, of a server whose service answers as `respond` says."""
    info = types.Implementation(name="writer", version="1")
    async with ContactsClient(base_url="http://service", transport=httpx.MockTransport(respond)) as api:
        server = server_over(api)
        identify_callers(server, {info.name: Caller(info.name, frozenset({Risk.WRITE}))})
        async with Client(server, mode=MODERN, client_info=info, cache=None) as client:
            yield Host(client)


async def protocol_error(asking: Any) -> Any:
    """The error of a request that must fail."""
    with pytest.raises(MCPError) as failed:
        await asking
    return failed.value.error
