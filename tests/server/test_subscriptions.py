"""Hearing of changes in both eras: what is promised, accepted, bounded, and ended."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.lowlevel import NotificationOptions
from mcp.server.subscriptions import ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_PARAMS, JSONRPCNotification, JSONRPCRequest

from contacts_mcp.app import App, Embedded, build_app
from contacts_mcp.guard import Guard
from contacts_mcp.resources import GROUP
from contacts_mcp.server import Subscriptions, build_server
from contacts_mcp.server._subscriptions import TenantListeners
from contacts_mcp.settings import load_settings
from harness import LEGACY, MODERN, NOBODY, Host, held
from listening import LIST, listening, refusal
from waiting import until

each_era = pytest.mark.parametrize("era", [LEGACY, MODERN])
ELSEWHERE = "test://watched-resource"


@pytest.fixture
def app(tmp_path: Path) -> App:
    return build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test"))


@pytest.fixture
async def writer(app: App) -> AsyncIterator[Host]:
    async with held(Client(app.server, mode=MODERN)) as client:
        yield Host(client)


def addresses(number: int) -> list[str]:
    return [GROUP.format(id=f"{index:08x}{NOBODY[8:]}") for index in range(number)]


@each_era
async def test_only_the_list_of_resources_is_promised_to_change(app: App, era: str) -> None:
    """Tools and prompts stay as they are for as long as the server runs."""
    async with Client(app.server, mode="auto" if era == MODERN else era) as client:
        promised = client.server_capabilities

        assert promised.resources
        assert (promised.resources.subscribe, promised.resources.list_changed) == (True, True)
        assert promised.tools
        assert promised.prompts
        assert (promised.tools.list_changed, promised.prompts.list_changed) == (False, False)


async def test_what_cannot_change_is_not_acknowledged(app: App) -> None:
    """A stream says what it will bring."""
    async with (
        Client(app.server, mode=MODERN) as client,
        client.listen(tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True) as stream,
    ):
        assert stream.honored.model_dump(exclude_none=True) == {"resources_list_changed": True}


@each_era
async def test_an_address_that_is_not_ours_is_accepted(app: App, writer: Host, era: str) -> None:
    """It never is told of, and does no harm."""
    async with listening(app.server, era, [ELSEWHERE]) as ear:
        await writer.call("create_contact_group", name="Choir")

        assert await ear.until(LIST) == []


async def test_nothing_is_told_of_after_unsubscribing(app: App, writer: Host) -> None:
    """Neither of what was taken back, nor of what never was asked for."""
    groups = [await writer.call("create_contact_group", name=name) for name in ("Choir", "Board")]
    uris = [GROUP.format(id=group["id"]) for group in groups]
    async with listening(app.server, LEGACY, uris) as ear:
        await ear.unsubscribe(uris[0])
        await ear.unsubscribe(ELSEWHERE)
        for group in groups:
            await writer.call("update_contact_group", group_id=group["id"], name="another")

        assert await ear.until(uris[1]) in ([], [LIST])


@each_era
async def test_each_hears_of_the_addresses_they_asked_for(app: App, writer: Host, era: str) -> None:
    """Not of what another session watches."""
    groups = [await writer.call("create_contact_group", name=name) for name in ("Choir", "Board")]
    uris = [GROUP.format(id=group["id"]) for group in groups]
    async with listening(app.server, era, [uris[0]]), listening(app.server, era, [uris[1]]) as ear:
        for group in groups:
            await writer.call("update_contact_group", group_id=group["id"], name="another")

        assert await ear.until(uris[1]) in ([], [LIST])


@each_era
async def test_what_was_watched_makes_room_when_its_session_ends(
    app: App, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come and go while somebody else of the tenant stays."""
    monkeypatch.setattr("contacts_mcp.server._subscriptions._MAX_URIS_PER_TENANT", 10)
    async with listening(app.server, era, addresses(2)):
        for _ in range(3):
            async with listening(app.server, era, addresses(8)[2:]):
                pass
            async with listening(app.server, era, addresses(16)[10:]):
                pass


@each_era
async def test_nobody_watches_any_number_of_addresses(app: App, era: str) -> None:
    """The line says how many; what was watched before still is."""
    async with listening(app.server, era, addresses(200)) as ear:
        if era == LEGACY:
            await ear.subscribe(addresses(1)[0])  # the same again is no other
            error = await refusal(ear.subscribe(addresses(201)[200]))
        else:
            error = await refusal(_listen(ear.client, addresses(201)))

        assert error.code == INVALID_PARAMS
        assert "no more than 200 resources" in error.message


async def _listen(client: Client, uris: list[str]) -> None:
    async with client.listen(resource_subscriptions=uris):
        pass


def test_a_tenant_watches_no_more_than_can_be_looked_through() -> None:
    """What is given back makes room."""
    tenant = TenantListeners()
    for number in range(5):
        tenant.watch(addresses((number + 1) * 1_000 - 1)[number * 1_000 :], f"caller {number}")
    tenant.watch(addresses(4_004)[4_000:], "another")

    with pytest.raises(MCPError, match="too many resources"):
        tenant.watch(addresses(5_100)[5_000:], "another")
    tenant.unwatch(addresses(999), "caller 0")
    tenant.watch(addresses(5_100)[5_000:], "another")


def test_one_caller_leaves_room_for_others() -> None:
    """Who shares a directory with many cannot take every place there is."""
    tenant = TenantListeners()
    tenant.watch(addresses(1_000), "one")

    with pytest.raises(MCPError, match="too many resources"):
        tenant.watch(addresses(1_001)[1_000:], "one")
    tenant.watch(addresses(1_001)[1_000:], "another")


async def test_streams_end_with_a_last_word_when_the_server_stops(app: App) -> None:
    """A graceful end, as against a broken connection; and none begins after it."""
    async with Client(app.server, mode=MODERN) as client, client.listen(resources_list_changed=True) as stream:
        app.close_subscriptions()

        with anyio.fail_after(5):
            assert [event async for event in stream] == []  # a broken stream would raise
        assert (await refusal(_listen(client, []))).message.startswith("stopping: ")
    assert app.subscriptions.tenant_count == 0


async def test_a_session_that_does_not_read_holds_up_nobody(app: App, writer: Host) -> None:
    """The writer's calls come back, and so does the end of that session."""
    groups = [await writer.call("create_contact_group", name=str(number)) for number in range(8)]
    async with create_client_server_memory_streams() as (ours, theirs), anyio.create_task_group() as tasks:
        tasks.start_soon(app.server.run, *theirs, app.server.create_initialization_options())
        await _shake_hands(*ours)
        for number, group in enumerate(groups):
            await _ask(*ours, number, "resources/subscribe", uri=GROUP.format(id=group["id"]))
        with anyio.fail_after(5):
            for group in groups:
                await writer.call("update_contact_group", group_id=group["id"], name="another")

        assert app.subscriptions.tenant_count == 1
        await ours[1].aclose()
        await until(lambda: not app.subscriptions.tenant_count)
        tasks.cancel_scope.cancel()


async def _shake_hands(read: Any, write: Any) -> None:
    who = {"clientInfo": {"name": "deaf", "version": "1"}, "capabilities": {}, "protocolVersion": "2025-11-25"}
    await _ask(read, write, "hello", "initialize", **who)
    await write.send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")))


async def _ask(read: Any, write: Any, identifier: int | str, method: str, **params: Any) -> None:
    await write.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=identifier, method=method, params=params)))
    await read.receive()


async def test_other_lists_are_told_of_where_they_are_said_to_change(tmp_path: Path) -> None:
    """As a server does whose tools come and go: what is published is what is heard."""
    subscriptions = Subscriptions(NotificationOptions(tools_changed=True))
    server = build_server(
        version="0",
        instructions="",
        tools=(),
        backend_for=lambda _: None,  # type: ignore[arg-type, return-value]
        guard=Guard(),
        lifespan=build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test")).connection.lifespan,
        subscriptions=subscriptions,
    )
    async with Client(server, mode="auto") as client, client.listen(tools_list_changed=True) as stream:
        assert client.server_capabilities.tools
        assert client.server_capabilities.tools.list_changed
        await subscriptions.publish(ToolsListChanged())

        with anyio.fail_after(5):
            assert await anext(aiter(stream)) == ToolsListChanged()
