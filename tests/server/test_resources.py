"""Resources in both eras: what is listed, what is read, and the errors for what does not exist."""

import gc
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from contacts_mcp.resources import CONTACT_URI, GROUP_URI, MEMBERS_URI, ResourceCatalog
from contacts_mcp.server import ActiveCalls
from contacts_mcp.tools import DOWNLOAD_URI_TEMPLATE, TOOLS, choose_tools
from support.hosts import LEGACY, MISSING_ID, MODERN, Host, each_era, host, host_of_service, protocol_error

_NOT_FOUND = {LEGACY: -32002, MODERN: INVALID_PARAMS}


def numbered(number: int) -> str:
    return f"{number:08x}{MISSING_ID[8:]}"


@asynccontextmanager
async def client_of(
    respond: Callable[[httpx.Request], httpx.Response], era: str = MODERN, **more: Any
) -> AsyncIterator[Client]:
    """A client of a server over a service with the handler `respond`."""
    async with host_of_service(respond, era, server={"resources": ResourceCatalog(TOOLS), **more}) as service:
        yield service.client


def answering(body: object, status: int = 200) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json=body)


async def read(client: Client, uri: str) -> Any:
    (contents,) = (await client.read_resource(uri)).contents
    assert (contents.uri, contents.mime_type) == (uri, "application/json")
    return json.loads(contents.text)  # type: ignore[union-attr]


async def fill(directory: Host) -> tuple[str, str]:
    """Ids of a contact and of the group it is in."""
    contact = await directory.call("create_contact", name="Ola\u202e Nordmann", notes="Sings.")
    group = await directory.call("create_contact_group", name="Choir\u200b", description="On Mondays")
    await directory.call("add_group_members", group_id=group["id"], contact_ids=[contact["id"]])
    return contact["id"], group["id"]


@each_era
async def test_contacts_groups_and_members_are_read_by_uri(tmp_path: Path, era: str) -> None:
    """As the tools show them, without invisible characters."""
    async with host(tmp_path / "contacts.db", era) as directory:
        contact, group = await fill(directory)

        ola = await read(directory.client, CONTACT_URI.format(id=contact))
        choir = await read(directory.client, GROUP_URI.format(id=group))
        members = await read(directory.client, MEMBERS_URI.format(id=group))

        assert (ola["name"], ola["notes"]) == ("Ola Nordmann", "Sings.")
        assert (choir["name"], choir["member_count"], "members" in choir) == ("Choir", 1, False)
        assert (members["members"][0]["id"], members["total"], "note" in members) == (contact, 1, False)


@each_era
async def test_groups_are_listed_by_name_and_contacts_by_template(tmp_path: Path, era: str) -> None:
    async with host(tmp_path / "contacts.db", era) as directory:
        _, group = await fill(directory)

        (listed,) = (await directory.client.list_resources()).resources
        templates = (await directory.client.list_resource_templates()).resource_templates

        assert (listed.uri, listed.name, listed.title) == (GROUP_URI.format(id=group), f"group_{group}", "Choir")
        assert [template.uri_template for template in templates] == [
            CONTACT_URI,
            GROUP_URI,
            MEMBERS_URI,
            DOWNLOAD_URI_TEMPLATE,
        ]


async def test_next_page_continues_after_the_last_group_even_if_groups_are_added() -> None:
    """The list is sorted by name, also if the service's is not."""
    groups = [{"id": numbered(number), "name": f"Group {number:03}"} for number in reversed(range(120))]
    async with client_of(lambda _: httpx.Response(200, json={"groups": groups})) as client:
        first = await client.list_resources()
        groups = [{"id": numbered(500), "name": "A group that is new"}, *groups]
        second = await client.list_resources(cursor=first.next_cursor)
        third = await client.list_resources(cursor=second.next_cursor)

    names = [resource.title for page in (first, second, third) for resource in page.resources]
    assert names == [f"Group {number:03}" for number in range(120)]
    assert third.next_cursor is None


@each_era
@pytest.mark.parametrize("cursor", ["", "x", numbered(7), "50", "\x00"])
async def test_foreign_cursor_is_rejected(cursor: str, era: str) -> None:
    """Also for lists that have only one page."""
    async with client_of(answering({"groups": []}), era) as client:
        lists = (client.list_tools, client.list_resources, client.list_resource_templates, client.list_prompts)
        for asking in lists:
            error = await protocol_error(asking(cursor=cursor))

            assert error.code == INVALID_PARAMS
            assert error.message.startswith("invalid: cursor: ")


@each_era
@pytest.mark.parametrize(
    "uri",
    [
        "test://nonexistent",
        "contacts://contacts/groups",
        "contacts://contacts/",
        f"contacts://contacts/{MISSING_ID}/members",
        f"contacts://groups/{MISSING_ID}/members/",
        f"contacts://contacts/{MISSING_ID}/../groups",
        f"contacts://contacts/{MISSING_ID}\n",
        f"CONTACTS://contacts/{MISSING_ID}",
        f"contacts://contacts/{MISSING_ID}?x=y",
    ],
)
async def test_unknown_uri_is_not_found_without_a_request_to_the_service(uri: str, era: str) -> None:
    """Each era has its own error code; the error carries the URI."""
    asked: list[httpx.Request] = []
    async with client_of(lambda request: asked.append(request) or httpx.Response(200, json={}), era) as client:
        error = await protocol_error(client.read_resource(uri))

    assert (error.code, error.data) == (_NOT_FOUND[era], {"uri": uri})
    assert error.message.startswith("not_found: ")
    assert not asked


@each_era
async def test_resource_of_a_missing_contact_is_not_found(tmp_path: Path, era: str) -> None:
    async with host(tmp_path / "contacts.db", era) as directory:
        uri = CONTACT_URI.format(id=MISSING_ID)

        error = await protocol_error(directory.client.read_resource(uri))

        assert (error.code, error.data) == (_NOT_FOUND[era], {"uri": uri})


@each_era
@pytest.mark.parametrize(
    ("respond", "line"),
    [
        (answering({"detail": "bad key"}, 401), "authentication_failed: "),
        (answering(["no", "object"]), "unreadable_answer: "),
        (lambda _: httpx.Response(200, text="<html>"), "unreadable_answer: "),
    ],
)
async def test_error_of_the_service_is_a_protocol_error_of_one_line(respond: Any, line: str, era: str) -> None:
    """The line is the one that a tool would return."""
    async with client_of(respond, era) as client:
        for asking in (
            client.read_resource(CONTACT_URI.format(id=MISSING_ID)),
            client.list_resources(cursor=MISSING_ID),
        ):
            error = await protocol_error(asking)

            assert error.code == INTERNAL_ERROR
            assert error.message.startswith(line)
            assert "\n" not in error.message


async def never(_: httpx.Request) -> httpx.Response:
    await anyio.sleep_forever()
    raise AssertionError


@each_era
@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (never, "(unreachable|no answer in time)"),  # the client and the list have almost the same deadline
        (answering({"detail": "bad key"}, 401), "authentication_failed"),
        (lambda _: httpx.Response(200, text="<html>"), "unreadable_answer"),
    ],
    ids=["silence", "401", "no JSON"],
)
async def test_resources_are_listed_without_groups_if_the_service_does_not_answer(
    respond: Any, reason: str, era: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some clients list resources when they connect, and give up if that fails; the log has the reason."""
    monkeypatch.setattr("contacts_mcp.resources._catalog._LIST_TIMEOUT_SECONDS", 0.05)
    async with client_of(respond, era) as client:
        listed = await client.list_resources()
        templates = await client.list_resource_templates()

    assert (listed.resources, listed.next_cursor) == ([], None)
    assert len(templates.resource_templates) == 4
    assert re.search(f"resources are listed without groups: {reason}", caplog.text)


@each_era
async def test_unexpected_exception_shows_no_values(era: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither to the client nor in the log."""

    def respond(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError("Zaphod")

    async with client_of(respond, era) as client:
        error = await protocol_error(client.read_resource(CONTACT_URI.format(id=MISSING_ID)))

    assert error.message.startswith("internal_error: ")
    assert "Zaphod" not in error.message + caplog.text


@pytest.mark.slow
@each_era
async def test_request_over_the_call_limit_is_refused_before_it_starts(
    era: str, recwarn: pytest.WarningsRecorder
) -> None:
    """No coroutine is created and left unawaited."""
    async with client_of(answering({}), era, active_calls=ActiveCalls(max_per_caller=0)) as client:
        for asking in (client.read_resource(CONTACT_URI.format(id=MISSING_ID)), client.list_resources()):
            assert (await protocol_error(asking)).message.startswith("rate_limited: ")
    gc.collect()

    assert [str(warning.message) for warning in recwarn if "never awaited" in str(warning.message)] == []


async def test_members_of_a_large_group_are_cut_with_a_note() -> None:
    """After a hundred members, or earlier if they are long."""
    short = [{"id": numbered(number), "name": "Ola"} for number in range(1_234)]
    long = [{"id": numbered(number), "name": "x" * 1_500} for number in range(90)]
    uri = MEMBERS_URI.format(id=MISSING_ID)
    async with client_of(answering({"members": short})) as client:
        first = await read(client, uri)
    async with client_of(answering({"members": long})) as client:
        second = await read(client, uri)

    assert (len(first["members"]), first["total"]) == (100, 1_234)
    assert first["note"] == "only the first 100 of 1,234 are shown"
    assert len(json.dumps(second)) < 41_000
    assert second["note"] == f"only the first {len(second['members'])} of 90 are shown"


@pytest.mark.parametrize(
    ("tools", "kinds", "listed"),
    [
        (["get_contact"], [CONTACT_URI], 0),
        (["list_contact_groups", "get_contact_group"], [GROUP_URI], 1),
        (["get_contact_group", "list_group_members"], [GROUP_URI, MEMBERS_URI], 0),
        (["create_contact"], [], 0),
    ],
)
async def test_resource_of_a_disabled_tool_cannot_be_read(
    tmp_path: Path, tools: list[str], kinds: list[str], listed: int
) -> None:
    """Resources do not bypass the operator's choice of tools."""
    async with host(tmp_path / "contacts.db") as directory:
        _, group = await fill(directory)
    async with host(tmp_path / "contacts.db", tools=",".join(tools)) as directory:
        templates = (await directory.client.list_resource_templates()).resource_templates

        assert [template.uri_template for template in templates] == kinds
        assert len((await directory.client.list_resources()).resources) == listed
        for kind in {CONTACT_URI, GROUP_URI, MEMBERS_URI} - set(kinds):
            assert (await protocol_error(directory.client.read_resource(kind.format(id=group)))).code == INVALID_PARAMS
    assert not ResourceCatalog(choose_tools(only=tools)).matches("contacts://other/x")


async def test_every_list_has_a_private_cache_hint(tmp_path: Path) -> None:
    async with host(tmp_path / "contacts.db") as directory:
        contact, _ = await fill(directory)
        client = directory.client
        results = [
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resource_templates(),
            await client.list_resources(),
            await client.read_resource(CONTACT_URI.format(id=contact)),
        ]

        assert {result.cache_scope for result in results} == {"private"}
        assert [result.ttl_ms for result in results] == [3_600_000, 3_600_000, 3_600_000, 5_000, 0]
