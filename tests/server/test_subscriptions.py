"""Subscriptions in both eras: what is announced, accepted, limited, and ended."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.server.lowlevel import NotificationOptions
from mcp.server.subscriptions import ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_PARAMS, JSONRPCNotification, JSONRPCRequest

from contacts_mcp.app import App, Embedded, build_app
from contacts_mcp.client import ContactsClient
from contacts_mcp.resources import CONTACT_URI, GROUP_URI, ResourceCatalog
from contacts_mcp.server import Subscriptions
from contacts_mcp.server._subscriptions import TenantListeners
from contacts_mcp.settings import load_settings
from contacts_mcp.tools import TOOLS
from support import hosts
from support.processes import wait_until
from support.raw_hosts import initialize_params

UNKNOWN_URI = "test://watched-resource"


@pytest.fixture
def app(tmp_path: Path) -> App:
    return build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test"))


@pytest.fixture
async def writer(app: App) -> AsyncIterator[hosts.Host]:
    async with hosts.enter_in_one_task(Client(app.server, mode=hosts.MODERN)) as client:
        yield hosts.Host(client)


def uris_of_groups(number: int) -> list[str]:
    return [GROUP_URI.format(id=f"{index:08x}{hosts.MISSING_ID[8:]}") for index in range(number)]


@hosts.each_era
async def test_only_the_resource_list_is_announced_as_changing(app: App, era: str) -> None:
    """Tools and prompts stay the same while the server runs."""
    async with Client(app.server, mode="auto" if era == hosts.MODERN else era) as client:
        promised = client.server_capabilities

        assert promised.resources
        assert (promised.resources.subscribe, promised.resources.list_changed) == (True, True)
        assert promised.tools
        assert promised.prompts
        assert (promised.tools.list_changed, promised.prompts.list_changed) == (False, False)


async def test_stream_acknowledges_only_lists_that_can_change(app: App) -> None:
    async with (
        Client(app.server, mode=hosts.MODERN) as client,
        client.listen(tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True) as stream,
    ):
        assert stream.honored.model_dump(exclude_none=True) == {"resources_list_changed": True}


@hosts.each_era
async def test_unknown_uri_is_accepted_and_never_notified(app: App, writer: hosts.Host, era: str) -> None:
    async with hosts.listening(app.server, era, [UNKNOWN_URI]) as listener:
        await writer.call("create_contact_group", name="Choir")

        assert await listener.events_before(hosts.LIST_CHANGED) == []


async def test_unsubscribed_uri_is_no_longer_notified(app: App, writer: hosts.Host) -> None:
    """Unsubscribing from a URI that is not watched does nothing."""
    groups = [await writer.call("create_contact_group", name=name) for name in ("Choir", "Board")]
    uris = [GROUP_URI.format(id=group["id"]) for group in groups]
    async with hosts.listening(app.server, hosts.LEGACY, uris) as listener:
        await listener.unsubscribe(uris[0])
        await listener.unsubscribe(UNKNOWN_URI)
        for group in groups:
            await writer.call("update_contact_group", group_id=group["id"], name="another")

        assert await listener.events_before(uris[1]) in ([], [hosts.LIST_CHANGED])


@hosts.each_era
async def test_each_listener_is_notified_of_its_own_uris_only(app: App, writer: hosts.Host, era: str) -> None:
    groups = [await writer.call("create_contact_group", name=name) for name in ("Choir", "Board")]
    uris = [GROUP_URI.format(id=group["id"]) for group in groups]
    async with hosts.listening(app.server, era, [uris[0]]), hosts.listening(app.server, era, [uris[1]]) as listener:
        for group in groups:
            await writer.call("update_contact_group", group_id=group["id"], name="another")

        assert await listener.events_before(uris[1]) in ([], [hosts.LIST_CHANGED])


def refusing_service(status: int) -> Callable[[httpx.Request], httpx.Response]:
    """Two contacts, of which one is in a group. Updates get this status, and no contact may join the group."""

    def respond(request: httpx.Request) -> httpx.Response:
        path, last = request.url.path, request.url.path.rpartition("/")[2]
        if path == "/v1/directory":
            return httpx.Response(404)
        contact = {"id": last, "type": "person", "name": "Ola", "notes": path, "tags": []}
        if request.method != "GET":
            return httpx.Response(403 if request.method == "POST" else status, json=contact)
        members = {"members": [{"id": OTHER_ID, "name": "Ola"}]}
        groups = {"groups": [{"id": GROUP_ID, "name": "Choir", "member_count": 1}]}
        return httpx.Response(200, json=members if last == "members" else groups if "group" in last else contact)

    return respond


KEPT_ID, OTHER_ID, GROUP_ID = (f"{number}0000000-0000-0000-0000-000000000000" for number in (1, 2, 3))


@hosts.each_era
@pytest.mark.parametrize(
    ("service", "tool", "arguments", "code"),
    [
        (refusing_service(200), "merge_contacts", {"keep_id": KEPT_ID, "merge_ids": [OTHER_ID]}, "permission_denied"),
        (refusing_service(500), "update_contact", {"contact_id": KEPT_ID, "name": "Kari"}, "server_fault"),
    ],
    ids=["merge that fails after its update", "update without a usable answer"],
)
async def test_write_of_a_call_that_then_fails_is_notified(
    service: Callable[[httpx.Request], httpx.Response], tool: str, arguments: dict[str, Any], code: str, era: str
) -> None:
    """A client must not keep showing a contact that was, or may have been, changed."""
    uri = CONTACT_URI.format(id=KEPT_ID)
    async with ContactsClient(base_url="http://service", transport=httpx.MockTransport(service)) as api:
        server = hosts.server_over(api, resources=ResourceCatalog(TOOLS))
        person = hosts.Person({"decision": "merge"})
        async with (
            hosts.listening(server, era, [uri]) as listener,
            Client(server, mode=hosts.LEGACY, elicitation_callback=person) as client,
        ):
            assert (await hosts.Host(client).error(tool, **arguments)).startswith(f"{code}: ")

            assert await listener.events_before(uri) == []


@hosts.each_era
async def test_ended_session_frees_its_watched_uris(app: App, era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another listener of the tenant remains."""
    monkeypatch.setattr("contacts_mcp.server._subscriptions._MAX_URIS_PER_TENANT", 10)
    async with hosts.listening(app.server, era, uris_of_groups(2)):
        for _ in range(3):
            async with hosts.listening(app.server, era, uris_of_groups(8)[2:]):
                pass
            async with hosts.listening(app.server, era, uris_of_groups(16)[10:]):
                pass


@hosts.each_era
async def test_too_many_uris_of_one_subscriber_are_rejected(app: App, era: str) -> None:
    """The error has the limit; earlier subscriptions remain."""
    async with hosts.listening(app.server, era, uris_of_groups(200)) as listener:
        if era == hosts.LEGACY:
            await listener.subscribe(uris_of_groups(1)[0])  # watching a URI twice counts once
            error = await hosts.protocol_error(listener.subscribe(uris_of_groups(201)[200]))
        else:
            error = await hosts.protocol_error(_listen(listener.client, uris_of_groups(201)))

        assert error.code == INVALID_PARAMS
        assert "no more than 200 resources" in error.message


async def _listen(client: Client, uris: list[str]) -> None:
    async with client.listen(resource_subscriptions=uris):
        pass


def test_too_many_uris_of_one_tenant_are_rejected_until_some_are_freed() -> None:
    tenant = TenantListeners()
    for number in range(5):
        tenant.watch(uris_of_groups((number + 1) * 1_000 - 1)[number * 1_000 :], f"caller {number}")
    tenant.watch(uris_of_groups(4_004)[4_000:], "another")

    with pytest.raises(MCPError, match="too many resources"):
        tenant.watch(uris_of_groups(5_100)[5_000:], "another")
    tenant.unwatch(uris_of_groups(999), "caller 0")
    tenant.watch(uris_of_groups(5_100)[5_000:], "another")


def test_too_many_uris_of_one_caller_are_rejected_while_others_can_watch() -> None:
    tenant = TenantListeners()
    tenant.watch(uris_of_groups(1_000), "one")

    with pytest.raises(MCPError, match="too many resources"):
        tenant.watch(uris_of_groups(1_001)[1_000:], "one")
    tenant.watch(uris_of_groups(1_001)[1_000:], "another")


async def test_streams_end_gracefully_when_the_server_stops(app: App) -> None:
    """Not as a broken connection; new streams are refused."""
    async with Client(app.server, mode=hosts.MODERN) as client, client.listen(resources_list_changed=True) as stream:
        app.subscriptions.close()

        with anyio.fail_after(5):
            assert [event async for event in stream] == []  # a broken stream would raise
        assert (await hosts.protocol_error(_listen(client, []))).message.startswith("stopping: ")
    assert app.subscriptions.tenant_count == 0


async def test_session_that_does_not_read_delays_no_other(app: App, writer: hosts.Host) -> None:
    """The writer's calls return, and the session can end."""
    groups = [await writer.call("create_contact_group", name=str(number)) for number in range(8)]
    async with create_client_server_memory_streams() as (ours, theirs), anyio.create_task_group() as tasks:
        tasks.start_soon(app.server.run, *theirs, app.server.create_initialization_options())
        await _ask(*ours, "hello", "initialize", **initialize_params({}))
        await ours[1].send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")))
        for number, group in enumerate(groups):
            await _ask(*ours, number, "resources/subscribe", uri=GROUP_URI.format(id=group["id"]))
        with anyio.fail_after(5):
            for group in groups:
                await writer.call("update_contact_group", group_id=group["id"], name="another")

        assert app.subscriptions.tenant_count == 1
        await ours[1].aclose()
        await wait_until(lambda: not app.subscriptions.tenant_count)
        tasks.cancel_scope.cancel()


async def _ask(read: Any, write: Any, identifier: int | str, method: str, **params: Any) -> None:
    await write.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=identifier, method=method, params=params)))
    await read.receive()


async def test_published_event_is_notified_if_its_list_is_announced_as_changing(tmp_path: Path) -> None:
    subscriptions = Subscriptions(NotificationOptions(tools_changed=True))
    lifespan = build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test")).connection.lifespan
    server = hosts.server_over(tools=(), lifespan=lifespan, subscriptions=subscriptions)
    async with Client(server, mode="auto") as client, client.listen(tools_list_changed=True) as stream:
        assert client.server_capabilities.tools
        assert client.server_capabilities.tools.list_changed
        await subscriptions.publish(ToolsListChanged())

        with anyio.fail_after(5):
            assert await anext(aiter(stream)) == ToolsListChanged()
