"""Undo a bulk update by its receipt, with update_matching_contacts, on each engine and over a served directory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client

from contacts_mcp.app import Embedded, Platform
from contacts_mcp.client import ContactsClient, Credential, SyncContactsClient
from contacts_mcp.contract import BatchContacts, CreateContact, NotFound, ReadUndo, UndoUpdate, UpdateContact
from contacts_mcp.directory import Directory, parse_location
from contacts_mcp.tools import Backend, WriteBudget
from support.hosts import MISSING_ID, MODERN, Host, Person, enter_in_one_task, host, host_of_service, server_over
from support.processes import API_KEY

SECRET = "a secret of the operator, of 32 characters or more"


@pytest.fixture
def person() -> Person:
    return Person(content={"decision": "change"})


@asynccontextmanager
async def served(path: Path, person: Person) -> AsyncIterator[Host]:
    """A host over the client and the API of a served directory, with a key."""
    async with Directory(path, keys=True) as directory:
        key, _ = await directory.create_key("test")
        transport = httpx.ASGITransport(directory.app)
        credential = Credential.key(key, "test")
        async with ContactsClient(base_url="http://service", transport=transport, credential=credential) as api:
            server = server_over(backend_for=lambda _: Backend(api, tells_scopes=True, budget=WriteBudget(0)))
            async with Client(server, mode=MODERN, elicitation_callback=person, cache=None) as client:
                yield Host(client)


@pytest.fixture(params=["file", "served", pytest.param("postgresql", marks=pytest.mark.system)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path, person: Person) -> AsyncIterator[Host]:
    where = tmp_path / "contacts.db"
    connecting = served(where, person)
    if request.param != "served":
        if request.param == "postgresql":
            where = parse_location(request.getfixturevalue("postgres").create_database())  # type: ignore[assignment]
        connecting = host(Embedded(where, "test"), person=person, write_budget=0, state_keys=[SECRET])
    async with enter_in_one_task(connecting) as connected:
        yield connected


async def fill(host: Host, number: int, **fields: Any) -> list[str]:
    rows = [{"name": f"Person{index} Berg", **fields} for index in range(number)]
    return [(await host.call("create_contact", **row))["id"] for row in rows]


async def read(host: Host, contact_id: str) -> dict[str, Any]:
    return await host.call("get_contact", contact_id=contact_id)


async def test_last_bulk_update_is_undone_by_its_receipt(directory: Host, person: Person) -> None:
    """Its contacts get the values back that it replaced; the plan shows them first, and a person agrees."""
    ids = await fill(directory, 3, company_name="Old AS", tags=["fair"])
    other = (await fill(directory, 1, company_name="Other"))[0]
    before = [await read(directory, each) for each in ids]
    updated = await directory.apply("update_matching_contacts", tags=["fair"], set_company_name="New", add_tags=["x"])
    person.asked.clear()

    plan = await directory.call("update_matching_contacts", undo=updated["undo"])
    done = await directory.call("update_matching_contacts", undo=updated["undo"], apply=True, plan=plan["plan"])

    assert updated["undo_until"].endswith("Z")
    assert (plan["contacts"], plan["restores"], plan["overwrites"], plan["applied"]) == (3, 3, 3, False)
    assert plan["sample"][0]["change"] == "company_name: New → Old AS; tags: fair, x → fair"
    assert "An update is undone" in person.question
    assert 'company_name "New" → "Old AS"' in person.question
    assert (done["restores"], done["changed_since"], done["deleted"], done["erased"]) == (3, 0, 0, 0)
    for was in before:
        assert {**await read(directory, was["id"]), "updated_at": None} == {**was, "updated_at": None}
    assert (await read(directory, other))["company_name"] == "Other"
    gone = await directory.error("update_matching_contacts", undo=updated["undo"])
    assert gone.startswith("not_found: this update can no longer be undone")


async def test_contacts_that_were_changed_deleted_or_erased_since_are_counted_and_left_alone(
    directory: Host, person: Person
) -> None:
    same, changed, deleted, erased = await fill(directory, 4, tags=["fair"])
    updated = await directory.apply("update_matching_contacts", set_notes="Was at the fair")
    await directory.call("update_contact", contact_id=changed, notes="By hand")
    person.content = {"decision": "delete"}
    await directory.call("delete_contact", contact_id=deleted)
    person.content = {"typed": "Person3 Berg"}
    await directory.call("gdpr_delete_contact", contact_id=erased, reason="Article 17 request")
    person.content = {"decision": "change"}

    plan = await directory.call("update_matching_contacts", undo=updated["undo"])
    done = await directory.call("update_matching_contacts", undo=updated["undo"], apply=True, plan=plan["plan"])

    assert (plan["contacts"], plan["restores"], plan["changed_since"]) == (4, 1, 1)
    assert (plan["deleted"], plan["erased"]) == (1, 1)
    assert plan["left_alone"] == [{"id": changed, "name": "Person1 Berg"}]
    assert (done["restores"], done["changed_since"], done["deleted"], done["erased"]) == (1, 1, 1, 1)
    assert "notes" not in await read(directory, same)
    assert (await read(directory, changed))["notes"] == "By hand"


async def test_plan_to_undo_is_refused_after_a_contact_was_changed(directory: Host) -> None:
    ids = await fill(directory, 2, tags=["fair"])
    updated = await directory.apply("update_matching_contacts", add_tags=["x"])
    plan = await directory.call("update_matching_contacts", undo=updated["undo"])
    await directory.call("update_contact", contact_id=ids[0], tags=["mine"])

    line = await directory.error("update_matching_contacts", undo=updated["undo"], apply=True, plan=plan["plan"])

    assert line.startswith("conflict: the plan no longer fits")
    assert (await read(directory, ids[1]))["tags"] == ["fair", "x"]


async def test_declined_undo_changes_nothing_and_can_be_repeated(directory: Host, person: Person) -> None:
    (ola,) = await fill(directory, 1, company_name="Old")
    updated = await directory.apply("update_matching_contacts", set_company_name="New")
    plan = await directory.call("update_matching_contacts", undo=updated["undo"])
    person.content = {"decision": "keep"}

    await directory.declined("update_matching_contacts", undo=updated["undo"], apply=True, plan=plan["plan"])

    assert (await read(directory, ola))["company_name"] == "New"
    assert (await directory.call("update_matching_contacts", undo=updated["undo"]))["restores"] == 1


async def test_undo_counts_towards_the_write_budget(tmp_path: Path) -> None:
    async with host(tmp_path / "contacts.db", write_budget=5) as directory:
        await fill(directory, 2)
        updated = await directory.apply("update_matching_contacts", add_tags=["x"])
        plan = await directory.call("update_matching_contacts", undo=updated["undo"])
        line = await directory.error("update_matching_contacts", undo=updated["undo"], apply=True, plan=plan["plan"])

    assert plan["next"].startswith("cannot be applied now: this call makes 2 changes, but only 1 of 5")
    assert line.startswith("write_budget: ")


@pytest.mark.parametrize("more", [{"search": "Berg"}, {"add_tags": ["x"]}, {"normalize_phones": True}], ids=str)
async def test_undo_is_refused_together_with_a_filter_or_a_change(tmp_path: Path, more: dict[str, Any]) -> None:
    async with host(tmp_path / "contacts.db") as directory:
        line = await directory.error("update_matching_contacts", undo=MISSING_ID, **more)

    assert "undo cannot be combined with other arguments" in line


async def test_text_that_is_no_receipt_is_refused_with_the_right_place(tmp_path: Path) -> None:
    async with host(tmp_path / "contacts.db") as directory:
        line = await directory.error("update_matching_contacts", undo="last")

    assert "take the `undo` that the update answered" in line


async def test_platform_lists_no_undo_and_refuses_it_without_a_request() -> None:
    platform = Platform(Credential.key(API_KEY, "test"), "http://127.0.0.1:9")
    async with host(platform) as service:
        tools = {tool.name: tool for tool in (await service.client.list_tools()).tools}
        line = await service.error("update_matching_contacts", undo=MISSING_ID)

    assert "undo" not in tools["update_matching_contacts"].input_schema["properties"]
    assert "cannot be used here: this directory keeps no values" in line


async def test_update_of_a_service_without_undo_answers_no_receipt(tmp_path: Path) -> None:
    """The batch has no receipt either, which an older service may refuse."""
    sent: list[httpx.Request] = []
    async with Directory(tmp_path / "contacts.db") as directory:
        transport = httpx.ASGITransport(directory.app)

        async def respond(request: httpx.Request) -> httpx.Response:
            sent.append(request)
            if request.url.path == "/v1/directory":
                return httpx.Response(200, json={"extensions": ["batch", "scan"]})
            answer = await transport.handle_async_request(request)
            return httpx.Response(answer.status_code, content=await answer.aread())

        async with host_of_service(respond, known_extensions=()) as service:
            await fill(service, 1)
            done = await service.apply("update_matching_contacts", add_tags=["x"])

    assert done["updates"] == 1
    assert not {"undo", "undo_until", "undo_note"} & done.keys()
    (batch,) = [each for each in sent if each.url.path == "/v1/directory/contacts" and each.method == "POST"]
    assert b"undo" not in batch.content


async def test_argument_is_listed_where_updates_can_be_undone(tmp_path: Path) -> None:
    async with host(tmp_path / "contacts.db") as directory:
        tools = {tool.name: tool for tool in (await directory.client.list_tools()).tools}

    assert "undo" in tools["update_matching_contacts"].input_schema["properties"]


RECEIPT = "0b8a4c1e-7d52-4f7b-9a53-2f4f0f6f3c11"


def test_library_undoes_a_batch_by_the_receipt_it_was_sent_with(tmp_path: Path) -> None:
    with SyncContactsClient.for_directory(tmp_path / "contacts.db") as client:
        ola = client.send(CreateContact(name="Ola Nordmann", notes="Old"))
        update = UpdateContact(contact_id=ola.id, notes="New")
        written = client.send(BatchContacts(updates=[update], undo=RECEIPT))
        page = client.send(ReadUndo(receipt=RECEIPT))
        done = client.send(UndoUpdate(receipt=RECEIPT))
        (contact,) = client.list_all()
        with pytest.raises(NotFound):
            client.send(UndoUpdate(receipt=RECEIPT))

    assert written.undo_until == page.undo_until
    assert [(each.id, each.before, each.current) for each in page.contacts] == [
        (ola.id, {"notes": "Old"}, {"notes": "New"})
    ]
    assert (done.restored, done.remaining, contact.id) == (1, 0, ola.id)
