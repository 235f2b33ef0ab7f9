"""The commands `contacts-mcp directory serve` and `keys`, and the service as the backend of `contacts-mcp serve`."""

import asyncio
import io
import json
import re
import time

import httpx
import pytest

from contacts_mcp.app import Platform
from contacts_mcp.client import Credential
from contacts_mcp.contract import Risk
from contacts_mcp.directory.store import _keys
from contacts_mcp.tools import TOOLS
from network.servers import replica_here
from support.hosts import Person, host
from support.processes import ContactsService, StdioServer, address_of, make_keys
from support.raw_hosts import ModernConnection, key, modern

pytestmark = pytest.mark.system

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
KEY = re.compile(r"wayscloud_contacts_([a-z0-9]{8})_[A-Za-z0-9]{40}")


@pytest.fixture
def keys(command, location):
    """Run `contacts-mcp directory keys` on this location, which has a directory."""
    command("directory", "migrate", "--directory", address_of(location))

    def keys(*arguments):
        return command("directory", "keys", *arguments, "--directory", address_of(location))

    return keys


def test_keys_create_writes_only_the_key_to_standard_output(keys):
    made = keys("create", "my app")

    prefix = KEY.fullmatch(made.out.strip())[1]
    assert made.code == 0
    assert made.err == f"Key {prefix} can read and write the contacts of owner. It is not shown again.\n"
    listed = keys("list")
    header, row = listed.out.splitlines()
    assert header.split("  ")[0] == "PREFIX"
    assert re.fullmatch(rf"{prefix}  read,write  {TIME}  never {{4,}}  works  owner   my app  key:[0-9a-f]{{32}}", row)
    assert made.out.strip()[-40:] not in listed.out + keys("list", "--json").out


def test_keys_commands_write_json_on_request(keys):
    made = json.loads(keys("create", "my app", "--tenant", "ola", "--scope", "read", "--yes", "--json").out)

    shown = {name: value for name, value in made.items() if name != "key"}
    assert KEY.fullmatch(made["key"])[1] == made["prefix"]
    assert (made["name"], made["tenant"], made["scopes"], made["revoked_at"]) == ("my app", "ola", ["read"], None)
    assert json.loads(keys("list", "--json").out) == [shown]


def test_keys_list_without_keys_is_an_empty_list(keys):
    assert keys("list").out == "There are no keys.\n"
    assert json.loads(keys("list", "--json").out) == []


def test_keys_revoke_asks_for_confirmation(keys, monkeypatch):
    made = json.loads(keys("create", "my app", "--json").out)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    asked = keys("revoke", made["prefix"])

    assert asked.code == 1
    assert f"Revoke the key {made['prefix']} (my app) of owner, never used? Programs" in asked.err
    assert asked.out == ""
    assert json.loads(keys("list", "--json").out)[0]["revoked_at"] is None


def test_question_without_a_terminal_says_how_to_skip_it(keys, monkeypatch):
    made = json.loads(keys("create", "my app", "--json").out)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    asked = keys("revoke", made["prefix"])

    assert asked.code == 1
    assert "\nNothing was done. There is no terminal to ask at: --yes skips the question.\n" in asked.err
    assert json.loads(keys("list", "--json").out)[0]["revoked_at"] is None


def test_question_writes_nothing_to_standard_output(keys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    made = keys("create", "my app", "--tenant", "new")

    assert KEY.fullmatch(made.out.removesuffix("\n"))


def test_revoked_key_is_listed_as_revoked(keys):
    made = json.loads(keys("create", "my app", "--json").out)

    done = keys("revoke", made["prefix"], "--yes")
    again = keys("revoke", made["prefix"], "--yes")

    assert (done.code, done.out) == (0, f"Revoked the key {made['prefix']} (my app) of owner, never used.\n")
    assert re.fullmatch(rf"The key {made['prefix']} \(my app\) of owner was already revoked, {TIME}\.\n", again.out)
    assert "revoked 2" in keys("list").out


def test_keys_revoke_accepts_the_whole_key_and_an_unambiguous_beginning(keys):
    first, second = (json.loads(keys("create", name, "--json").out) for name in ("first", "second"))

    by_key = json.loads(keys("revoke", first["key"], "--yes", "--json").out)
    length = next(n for n in range(1, 9) if first["prefix"][:n] != second["prefix"][:n])
    by_beginning = json.loads(keys("revoke", second["prefix"][:length], "--yes", "--json").out)

    assert (by_key["prefix"], by_beginning["prefix"]) == (first["prefix"], second["prefix"])
    assert by_key["revoked_at"]


def test_keys_revoke_with_an_ambiguous_beginning_names_the_candidates(keys, monkeypatch):
    prefixes = iter(["abcd1111", "abcd2222"])
    monkeypatch.setattr(_keys, "_random", lambda _, length: next(prefixes) if length == 8 else "x" * length)
    keys("create", "my app")
    keys("create", "your app")

    done = keys("revoke", "abcd", "--yes")

    assert done.code == 2
    assert 'several keys begin with "abcd": abcd1111 (my app) of owner; abcd2222 (your app) of owner' in done.err
    assert {key["revoked_at"] for key in json.loads(keys("list", "--json").out)} == {None}


def test_keys_revoke_suggests_the_nearest_prefix_and_repeats_no_secret(keys):
    made = json.loads(keys("create", "my app", "--json").out)

    misspelled = keys("revoke", made["prefix"][:7] + "#")
    foreign = keys("revoke", f"wayscloud_contacts_{made['prefix']}_secret")

    assert (misspelled.code, foreign.code) == (2, 2)
    assert f'did you mean "{made["prefix"]}"?' in misspelled.err
    assert "secret" not in foreign.err
    assert len(foreign.err.splitlines()) == 1


def test_keys_create_asks_before_it_creates_a_tenant(keys, monkeypatch):
    keys("create", "a", "--tenant", "customers", "--yes")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = keys("create", "b", "--tenant", "custmers")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    agreed = keys("create", "c", "--tenant", "new")
    known = keys("create", "d", "--tenant", "customers")

    assert (refused.code, agreed.code, known.code) == (1, 0, 0)
    assert 'There is no tenant "custmers" yet. There is "customers". Create it?' in refused.err
    assert [(key["name"], key["tenant"]) for key in json.loads(keys("list", "--json").out)] == [
        ("a", "customers"),
        ("c", "new"),
        ("d", "customers"),
    ]


def test_keys_list_shows_the_caller_of_a_key_as_audit_trails_do(keys):
    made = json.loads(keys("create", "my app", "--json").out)

    assert made["caller"] == f"key:{Credential.key(made['key'], 'test').fingerprint}"
    assert json.loads(keys("list", "--json").out)[0]["caller"] == made["caller"]
    assert made["caller"] in keys("list").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("revoke", "unknown1", "--yes"), 'there is no key "unknown1"'),
        (("revoke", "", "--yes"), "there is no key"),
        (("create", ""), "the name of a key"),
        (("create", "a", "--tenant", "a\nb"), "the name of a tenant"),
    ],
)
def test_invalid_command_is_reported_in_one_line(keys, arguments, says):
    done = keys(*arguments)

    assert done.code == 2
    assert done.err.startswith("contacts-mcp: ")
    assert says in done.err
    assert len(done.err.splitlines()) == 1


def test_unusable_location_is_reported_in_one_line(command):
    done = command("directory", "keys", "list", "--directory", "/proc/nowhere/contacts.db")

    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "/proc/nowhere/contacts.db" in done.err


def test_directory_comes_from_the_environment_without_an_option(command, path):
    (key,) = make_keys(path, "ola")

    listed = command("directory", "keys", "list", CONTACTS_MCP_DIRECTORY=str(path))

    assert KEY.fullmatch(key)[1] in listed.out


def test_directory_is_the_users_own_by_default(command, tmp_path):
    command("directory", "migrate")

    assert (tmp_path / "data" / "wayscloud-contacts-mcp" / "contacts.db").exists()


def test_serve_without_keys_is_refused(command, path):
    refused = command("directory", "serve", "--directory", str(path), "--port", "0")

    assert refused.code == 2
    assert refused.err == (
        f"Created a new directory at {path}.\n"
        f"contacts-mcp: the directory at {path} has no API key; create one with"
        f" `contacts-mcp directory keys create NAME --directory {path}`\n"
    )


def test_serve_with_only_revoked_keys_is_refused(command, keys, location):
    made = json.loads(keys("create", "my app", "--json").out)
    keys("revoke", made["prefix"], "--yes")

    assert command("directory", "serve", "--directory", address_of(location), "--port", "0").code == 2


def test_serve_announces_its_address_and_number_of_keys_in_one_line(location, tmp_path):
    ola, _ = make_keys(location, "ola", "kari")
    with ContactsService(tmp_path / "service", location, CONTACTS_MCP_LOG_FORMAT="text") as service:
        answer = httpx.get(f"{service.url}/v1/contacts", headers={"X-API-Key": ola})
        written = service.written
        seconds = service.end()

    assert answer.json()["total"] == 0
    assert re.fullmatch(r"contacts-mcp \S+: Contacts API for 2 keys; listening on http://127.0.0.1:\d+\n", written)
    assert seconds < 10


def test_key_revoked_by_the_command_stops_working_in_a_running_service(keys, location, tmp_path):
    made = json.loads(keys("create", "my app", "--json").out)
    keys("create", "another")
    with ContactsService(tmp_path / "service", location) as service, httpx.Client(base_url=service.url) as client:
        client.headers["Authorization"] = f"Bearer {made['key']}"
        assert client.get("/v1/contacts").status_code == 200

        keys("revoke", made["prefix"], "--yes")
        revoked = time.monotonic()
        while client.get("/v1/contacts").status_code == 200:
            assert time.monotonic() - revoked < 5


def test_serve_takes_the_rate_limit_from_its_option(path, tmp_path):
    (key,) = make_keys(path, "ola")
    with (
        ContactsService(tmp_path / "service", path, "--rate", "1") as service,
        httpx.Client(base_url=service.url, headers={"X-API-Key": key}) as client,
    ):
        answers = [client.get("/v1/directory") for _ in range(12)]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 1


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
        assert changed["changed"] == [{"field": "notes", "after": "Called"}]
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


async def test_network_caller_with_a_read_only_key_is_shown_no_tool_that_writes(served, location, tmp_path):
    service, ola, _ = served
    (reader,) = await asyncio.to_thread(make_keys, location, "ola", scopes=["read"])
    async with (
        replica_here(tmp_path, auth="key", api_url=service.url) as port,
        ModernConnection(port, key(reader)) as only_reads,
        ModernConnection(port, key(ola)) as writes,
    ):
        shown, all_tools = [
            {tool["name"] for tool in (await each.request("tools/list")).result["tools"]}
            for each in (only_reads, writes)
        ]
        refused = (await only_reads.call("create_contact", name="Kari")).line

    assert shown == {tool.name for tool in TOOLS if tool.risk is Risk.READ}
    assert all_tools == {tool.name for tool in TOOLS}
    assert refused.startswith("permission_denied: the key for the contact directory does not have the scope write")


async def test_write_with_a_read_only_key_reports_the_missing_scope(served, location):
    service, *_ = served
    (reader,) = await asyncio.to_thread(make_keys, location, "ola", scopes=["read"])
    async with host(platform(service, reader)) as tools:
        assert (await tools.call("list_contacts"))["total"] == 0
        line = await tools.error("create_contact", name="Ola")

    assert "scope" in line
