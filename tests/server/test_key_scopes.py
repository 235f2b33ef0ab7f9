"""A key of a directory service that only reads, or only writes: the tools that it does not allow are not listed."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp_types import Implementation

from contacts_mcp.client import ContactsClient, Credential
from contacts_mcp.contract import Risk
from contacts_mcp.directory import Directory
from contacts_mcp.tools import TOOLS, Backend, ServiceOffer
from support.hosts import MODERN, Host, Person, server_over

READING = {tool.name for tool in TOOLS if tool.risk is Risk.READ}
WRITING = {tool.name for tool in TOOLS if tool.risk is not Risk.READ}


@asynccontextmanager
async def _host_with_key(path: Path, *scopes: str, person: Person | None = None, tells_scopes: bool = True) -> Any:
    """A host of a server that has a key with these scopes to a directory service, and an id of a contact there."""
    async with Directory(path, keys=True) as directory:
        transport = httpx.ASGITransport(directory.app)
        keys = [(await directory.create_key("test", "owner", each))[0] for each in (scopes, ["read", "write"])]
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as owner:
            made = await owner.post("/v1/contacts", json={"name": "Ola"}, headers={"X-API-Key": keys[1]})
        async with (
            ContactsClient(
                credential=Credential.key(keys[0], "test"), base_url="http://service", transport=transport
            ) as api,
            Client(
                server_over(backend_for=lambda _: Backend(api, tells_scopes=tells_scopes)),
                mode=MODERN,
                elicitation_callback=person,
                client_info=Implementation(name="test", version="1"),
            ) as client,
        ):
            yield Host(client), made.json()["id"]


async def _listed(host: Host) -> set[str]:
    return {tool.name for tool in (await host.client.list_tools()).tools}


async def test_read_only_key_lists_only_tools_that_read(tmp_path: Path) -> None:
    async with _host_with_key(tmp_path / "contacts.db", "read") as (host, contact_id):
        assert await _listed(host) == READING
        assert (await host.call("get_contact", contact_id=contact_id))["name"] == "Ola"


async def test_writing_tool_with_a_read_only_key_is_refused_before_a_person_is_asked(tmp_path: Path) -> None:
    person = Person({"decision": "delete"})
    async with _host_with_key(tmp_path / "contacts.db", "read", person=person) as (host, contact_id):
        lines = [
            await host.error("create_contact", name="Kari"),
            await host.error("delete_contact", contact_id=contact_id),
            await host.error("import_contacts", content="name\nKari\n"),
        ]
        assert (await host.call("list_contacts"))["total"] == 1

    assert lines == [
        f"permission_denied: the key for the contact directory does not have the scope write, which {tool} needs; "
        "nothing was changed"
        for tool in ("create_contact", "delete_contact", "import_contacts")
    ]
    assert person.asked == []


async def test_write_only_key_lists_no_tool_that_shows_stored_data(tmp_path: Path) -> None:
    async with _host_with_key(tmp_path / "contacts.db", "write") as (host, _):
        listed = await _listed(host)
        made = await host.call("create_contact", name="Kari")

    assert listed < WRITING
    assert {"create_contact", "update_contact"} <= listed
    assert made["name"] == "Kari"


async def test_key_with_both_scopes_lists_every_tool(tmp_path: Path) -> None:
    async with _host_with_key(tmp_path / "contacts.db", "read", "write") as (host, _):
        assert await _listed(host) == READING | WRITING


async def test_service_that_tells_no_scopes_limits_nothing(tmp_path: Path) -> None:
    """The platform is not asked; it refuses what a key does not allow, and has no extensions."""
    async with _host_with_key(tmp_path / "contacts.db", "read", tells_scopes=False) as (host, _):
        assert await _listed(host) == {tool.name for tool in TOOLS if tool.extension is None}
        assert "does not have the scope 'write'" in await host.error("create_contact", name="Kari")


@pytest.mark.parametrize(("status", "extensions"), [(404, frozenset()), (500, None), (503, None)])
async def test_service_that_does_not_answer_the_question_limits_nothing(
    status: int, extensions: frozenset[str] | None, monkeypatch: Any
) -> None:
    monkeypatch.setattr("contacts_mcp.tools._offer._TIMEOUT_SECONDS", 0.05)
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    async with ContactsClient(base_url="http://service", transport=transport) as api:
        assert await Backend(api, tells_scopes=True).offer() == ServiceOffer(extensions=extensions)
