"""The directory service as the backend of `contacts-mcp serve`, instead of the platform."""

import asyncio
import json

import pytest

from contacts_mcp.app import Platform
from contacts_mcp.client import Credential
from network.servers import replica_here
from support.hosts import Person, host
from support.processes import ContactsService, StdioServer, make_keys
from support.raw_hosts import ModernConnection, key, modern

pytestmark = pytest.mark.system


@pytest.fixture
def served(location, tmp_path):
    """A service as a process, and keys of two tenants."""
    keys = make_keys(location, "ola", "kari")
    with ContactsService(tmp_path / "service", location) as service:
        yield service, *keys


def platform(service, secret):
    return Platform(Credential.key(secret, "test"), service.url)


async def test_tools_change_only_the_records_of_their_keys_tenant(served):
    service, ola, kari = served
    person = Person({"decision": "delete"})
    async with host(platform(service, ola), person=person) as tools, host(platform(service, kari)) as others:
        made = await tools.call("create_contact", name="Ola Nordmann", phone_number="+4799999999", tags=["vip"])
        contact = {"contact_id": made["id"]}
        group = {"group_id": (await tools.call("create_contact_group", name="VIP"))["id"]}
        added = await tools.call("add_group_members", **group, contact_ids=[made["id"]])
        found = await tools.call("find_contacts", query="nordmann ola")
        changed = await tools.call("update_contact", **contact, notes="Called")

        assert added["added"] == 1
        assert [each["id"] for each in found["candidates"]] == [made["id"]]
        assert changed["notes"] == "Called"
        assert (await others.call("list_contacts"))["total"] == 0
        renamed = {"name": "Taken"}
        for tool, arguments in (
            ("get_contact", contact),
            ("get_contact_group", group),
            ("update_contact", contact | renamed),
            ("update_contact_group", group | renamed),
        ):
            assert (await others.error(tool, **arguments)).startswith("not_found: ")

        await tools.call("delete_contact", **contact)
        assert (await tools.error("get_contact", **contact)).startswith("not_found: ")
    assert "Ola Nordmann" in person.question


async def test_stdio_server_works_with_the_directory_service(served, tmp_path):
    service, ola, _ = served
    with StdioServer(tmp_path, WAYSCLOUD_API_URL=service.url, WAYSCLOUD_API_KEY=ola) as server:
        server.write_line(
            json.dumps(modern(1, "tools/call", name="create_contact", arguments={"name": "Ola"})).encode()
        )
        answer = await asyncio.to_thread(server.read_line)
        await asyncio.to_thread(server.close_input)

    assert json.loads(answer)["result"]["structuredContent"]["name"] == "Ola"
    assert ola[-40:] not in server.written


def test_doctor_accepts_a_key_of_the_directory_service(command, served):
    service, ola, _ = served
    done = command("doctor", WAYSCLOUD_API_URL=service.url, WAYSCLOUD_API_KEY=ola)

    assert done.code == 0, done.out
    assert "✓ connection: it answers; 0 contacts" in done.out
    assert ola[-40:] not in done.out + done.err


async def test_network_callers_use_keys_of_their_own_tenants(served, tmp_path):
    service, ola, kari = served
    async with (
        replica_here(tmp_path, auth="key", api_url=service.url) as port,
        ModernConnection(port, key(ola)) as first,
        ModernConnection(port, key(kari)) as second,
        ModernConnection(port, key(f"{ola[:-1]}?")) as unauthenticated,
    ):
        mine = {"contact_id": (await first.call("create_contact", name="Ola's")).content["id"]}
        theirs = {"contact_id": (await second.call("create_contact", name="Kari's")).content["id"]}

        for caller, own, foreign in ((first, mine, theirs), (second, theirs, mine)):
            assert (await caller.call("list_contacts")).content["total"] == 1
            assert (await caller.call("get_contact", **own)).content["id"] == own["contact_id"]
            assert (await caller.call("get_contact", **foreign)).line.startswith("not_found: ")
        assert (await unauthenticated.call("list_contacts")).status == 401


async def test_write_with_a_read_only_key_reports_the_missing_scope(served, location):
    service, *_ = served
    (reader,) = await asyncio.to_thread(make_keys, location, "ola", scopes=["read"])
    async with host(platform(service, reader)) as tools:
        assert (await tools.call("list_contacts"))["total"] == 0
        line = await tools.error("create_contact", name="Ola")

    assert "scope" in line
