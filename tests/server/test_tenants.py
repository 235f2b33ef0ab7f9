"""Several callers of one server: with their own directory, sharing the server's, or without permission to read."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp.server.lowlevel import Server
from mcp_types import PromptReference

from contacts_mcp.app import Embedded, connect
from contacts_mcp.client import Credential
from contacts_mcp.contract import Risk
from contacts_mcp.prompts import PROMPTS
from contacts_mcp.resources import GROUP_URI, Completions, ResourceCatalog
from contacts_mcp.server import Caller, Subscriptions
from contacts_mcp.tools import TOOLS, Backend
from support import hosts

pytestmark = pytest.mark.slow

CALLERS = {
    "ada": Caller("ada", credential=Credential.key("wayscloud_pat_ada", "test")),
    "bob": Caller("bob", credential=Credential.key("wayscloud_pat_bob", "test")),
    "cleo": Caller("cleo"),
    "dan": Caller("dan"),
    "writer": Caller("writer", frozenset({Risk.WRITE})),
}
_TAG = ("add_person", "tag")


@dataclass
class Office:
    """One server with several callers; `ada` and `bob` have directories of their own."""

    server: Server[Any]
    subscriptions: Subscriptions

    @asynccontextmanager
    async def host(self, name: str, era: str, *uris: str) -> AsyncIterator[hosts.Listener]:
        async with hosts.listening(self.server, era, uris, name) as listener:
            yield listener


@asynccontextmanager
async def _office(folder: Path) -> AsyncIterator[Office]:
    subscriptions = Subscriptions()
    async with AsyncExitStack() as stack:
        directories = {name: connect(Embedded(folder / f"{name}.db", "test")) for name in ("ada", "bob", "")}
        for directory in directories.values():
            await stack.enter_async_context(directory.lifespan())
        server = hosts.server_over(
            backend_for=lambda caller: Backend(directories[caller.tenant]),
            resources=ResourceCatalog(TOOLS),
            prompts=PROMPTS,
            completions=Completions(TOOLS),
            subscriptions=subscriptions,
        )
        hosts.identify_callers(server, CALLERS)
        yield Office(server, subscriptions)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with hosts.enter_in_one_task(_office(tmp_path)) as server:
        yield server


async def create_group(host: hosts.Listener, name: str = "Choir") -> str:
    return GROUP_URI.format(id=(await host.call("create_contact_group", name=name))["id"])


async def rename(host: hosts.Listener, group: str) -> None:
    await host.call("update_contact_group", group_id=group.rpartition("/")[2], name="another")


@hosts.each_era
async def test_changes_of_another_tenant_are_not_notified(office: Office, era: str) -> None:
    """Not even for a URI that was guessed, and not as a changed list."""
    async with office.host("bob", hosts.MODERN) as bob, office.host("ada", hosts.MODERN) as ada:
        hers, his = await create_group(ada), await create_group(bob)
        async with office.host("ada", era, hers, his) as listener:
            await rename(bob, his)
            await create_group(bob)
            await rename(ada, hers)

            assert await listener.events_before(hers) == []
            assert await listener.events_before(hosts.LIST_CHANGED) == []


@hosts.each_era
async def test_callers_who_share_a_directory_are_notified_of_each_others_changes(office: Office, era: str) -> None:
    async with office.host("dan", hosts.MODERN) as dan:
        group = await create_group(dan)
        async with office.host("cleo", era, group) as cleo:
            await rename(dan, group)

            assert await cleo.events_before(group) == []
            assert await cleo.events_before(hosts.LIST_CHANGED) == []


@hosts.each_era
async def test_resources_of_another_tenant_are_not_listed_or_readable(office: Office, era: str) -> None:
    async with office.host("bob", era) as bob, office.host("ada", era) as ada:
        his = await create_group(bob)

        assert [item.uri for item in (await bob.client.list_resources()).resources] == [his]
        assert (await ada.client.list_resources()).resources == []
        assert (await hosts.protocol_error(ada.client.read_resource(his))).data == {"uri": his}


@hosts.each_era
async def test_tags_of_another_tenant_are_not_suggested(office: Office, era: str) -> None:
    """Even if they were just suggested to their own tenant."""
    async with office.host("bob", era) as bob, office.host("ada", era) as ada:
        for host, tag in ((bob, "vinyl"), (ada, "violin")):
            await host.call("create_contact", name="Ola", tags=[tag])

        assert await suggested(bob) == ["vinyl"]
        assert await suggested(ada) == ["violin"]


async def suggested(host: hosts.Listener) -> list[str]:
    found = await host.client.complete(PromptReference(name=_TAG[0]), {"name": _TAG[1], "value": "vi"})
    return found.completion.values


@hosts.each_era
async def test_caller_without_read_has_no_resources(office: Office, era: str) -> None:
    """Nothing is listed, read, suggested or notified; prompts are texts, and remain."""
    async with office.host("cleo", hosts.MODERN) as cleo:
        group = await create_group(cleo)
        await cleo.call("create_contact", name="Ola", tags=["vinyl"])
        async with office.host("writer", era, group) as writer, office.host("dan", era, group) as dan:
            await rename(cleo, group)
            await dan.events_before(group)
            await dan.events_before(hosts.LIST_CHANGED)

            assert writer.events == []
            assert (await writer.client.list_resources()).resources == []
            assert (await writer.client.list_resource_templates()).resource_templates == []
            assert (await hosts.protocol_error(writer.client.read_resource(group))).message.startswith("not_found: ")
            assert await suggested(writer) == []
            assert len((await writer.client.list_prompts()).prompts) == len(PROMPTS)


@hosts.each_era
async def test_caller_without_read_does_not_learn_of_other_contacts(office: Office, era: str) -> None:
    """A refusal or a likely duplicate would tell that the number is stored."""
    contact = {"name": "Ola", "phone_number": "+4799999999"}
    async with office.host("cleo", era) as cleo, office.host("writer", era) as writer:
        first = await cleo.call("create_contact", **contact)

        by_reader = await cleo.error("create_contact", **contact)
        by_writer = await writer.call("create_contact", **contact)

    assert first["id"] in by_reader
    assert by_writer.keys().isdisjoint({"warnings", "likely_duplicates"})


@hosts.each_era
async def test_tenant_is_dropped_with_its_last_listener(office: Office, era: str) -> None:
    async with office.host("ada", era), office.host("bob", era):
        async with office.host("ada", era):
            assert office.subscriptions.tenant_count == 2
        assert office.subscriptions.tenant_count == 2

    assert office.subscriptions.tenant_count == 0
