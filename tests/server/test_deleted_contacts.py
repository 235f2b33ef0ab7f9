"""list_deleted_contacts and restore_contact: what they show and bring back, and where they exist."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contacts_mcp.app import Platform
from contacts_mcp.client import Credential
from support.hosts import MISSING_ID, Host, Person, deleted, enter_in_one_task, host, host_of_service
from support.processes import API_KEY

NAMES = {"list_deleted_contacts", "restore_contact"}


@pytest.fixture
def person() -> Person:
    return Person(content={"decision": "delete"})


@pytest.fixture
async def directory(tmp_path: Path, person: Person) -> AsyncIterator[Host]:
    connecting = host(tmp_path / "contacts.db", person=person, default_region="NO", write_budget=0)
    async with enter_in_one_task(connecting) as connected:
        yield connected


async def _delete(directory: Host, name: str = "Ola Nordmann", **fields: Any) -> str:
    """Create and delete a contact; its id."""
    contact_id = str((await directory.call("create_contact", name=name, **fields, allow_duplicate=True))["id"])
    assert await directory.call("delete_contact", contact_id=contact_id) == deleted(contact_id, name)
    return contact_id


async def test_deleted_contact_is_listed_and_restored_but_not_into_its_groups(directory: Host, person: Person) -> None:
    ola = await directory.call("create_contact", name="Ola Nordmann", notes="Allergic to nuts")
    await directory.call("create_contact_group", name="Kor")
    await directory.call("add_group_members", group="Kor", contact_ids=[ola["id"]])
    await directory.call("delete_contact", contact_id=ola["id"])

    (listed,) = (await directory.call("list_deleted_contacts", search="nordmann"))["contacts"]
    restored = await directory.call("restore_contact", contact_id=listed["id"])

    assert "It can be restored later, but not into its groups." in person.question
    assert listed.keys() == {"id", "name", "deleted_at"}
    assert restored["restored"]
    assert restored["note"] == (
        "the contact is in no group; the directory does not keep which it was in; "
        "add_group_members adds it to those it belongs to"
    )
    assert (await directory.call("get_contact", contact_id=ola["id"]))["notes"] == "Allergic to nuts"
    assert (await directory.call("list_group_members", group="Kor"))["members"] == []
    assert (await directory.call("list_deleted_contacts"))["contacts"] == []


async def test_contact_is_restored_by_its_name_among_deleted_contacts(directory: Host) -> None:
    """Although a live contact has the name, too."""
    await directory.call("create_contact", name="Ola Nordmann")
    deleted = await _delete(directory)

    assert (await directory.call("restore_contact", contact="nordmann, ola"))["id"] == deleted


async def test_name_of_several_deleted_contacts_restores_none_and_lists_them(directory: Host) -> None:
    ids = [await _delete(directory), await _delete(directory, company_name="Fjell AS")]

    several = await directory.error("restore_contact", contact="Ola Nordmann")
    none = await directory.error("restore_contact", contact="Kari Moe")

    assert several.startswith('ambiguous: 2 deleted contacts match "Ola Nordmann": ')
    assert f'{ids[1]} ("Ola Nordmann", "Fjell AS", deleted ' in several
    assert none.startswith('not_found: no deleted contact matches "Kari Moe"; nothing was changed; list_deleted_')
    assert len((await directory.call("list_deleted_contacts"))["contacts"]) == 2


async def test_restored_record_of_a_merge_is_separate_and_named_when_the_other_is_erased(
    directory: Host, person: Person
) -> None:
    """The erasure of one does not reach the other, but the question names it."""
    ola = {"name": "Ola Nordmann", "phone_number": "+4790000001", "allow_duplicate": True}
    keep, other = [(await directory.call("create_contact", **ola))["id"] for _ in range(2)]
    person.content = {"decision": "merge"}
    await directory.call("merge_contacts", keep_id=keep, merge_ids=[other])
    (listed,) = (await directory.call("list_deleted_contacts"))["contacts"]

    restored = await directory.call("restore_contact", contact_id=other)
    person.content = {"typed": "Ola Nordmann"}
    await directory.call("gdpr_delete_contact", contact_id=keep, reason="Article 17 request")

    assert (listed["id"], listed["merged_into"]) == (other, keep)
    assert restored["was_merged_into"] == keep
    assert f"which it was in, but the merge may have added {keep} to them; " in restored["note"]
    assert f"erasing it or {keep} does not erase the other" in restored["note"]
    assert other in person.asked[-1].message
    assert (await directory.call("get_contact", contact_id=other))["name"] == "Ola Nordmann"


async def test_erased_or_unknown_contact_is_not_restored(directory: Host, person: Person) -> None:
    erased = await _delete(directory)
    person.content = {"typed": "Ola Nordmann"}
    await directory.call("gdpr_delete_contact", contact_id=erased, reason="Article 17 request")

    refused = await directory.error("restore_contact", contact_id=erased)
    unknown = await directory.error("restore_contact", contact_id=MISSING_ID)

    assert "was erased; nothing of it is left to restore" in refused
    assert unknown.startswith("not_found: ")
    assert (await directory.call("list_deleted_contacts"))["contacts"] == []


async def test_restoring_a_live_contact_changes_nothing(directory: Host) -> None:
    ola = await directory.call("create_contact", name="Ola Nordmann")

    answer = await directory.call("restore_contact", contact_id=ola["id"])

    assert (answer["restored"], answer["note"]) == (False, "the contact was not deleted; nothing was changed")
    assert await directory.call("get_contact", contact_id=ola["id"]) == ola


async def test_pages_of_deleted_contacts_hold_each_contact_once(directory: Host) -> None:
    deleted = [await _delete(directory, f"Ola {number}") for number in range(12)]

    first = await directory.call("list_deleted_contacts")
    second = await directory.call("list_deleted_contacts", after=first["next_after"])

    assert [each["id"] for page in (first, second) for each in page["contacts"]] == deleted
    assert len(first["contacts"]) == 10
    assert "next_after" not in second


async def test_operator_can_have_a_restoration_confirmed(tmp_path: Path) -> None:
    person = Person(content={"decision": "delete"})
    async with host(tmp_path / "contacts.db", person=person, confirm=["restore_contact"]) as directory:
        deleted = await _delete(directory)
        person.content = {"decision": "keep"}
        await directory.declined("restore_contact", contact_id=deleted)

    assert f'person "Ola Nordmann" (id {deleted}' in person.asked[-1].message
    assert "The contact is live again, in no group." in person.asked[-1].message


async def test_platform_has_no_tool_that_restores() -> None:
    """It documents no endpoint for it; a call is refused without a request."""
    platform = Platform(Credential.key(API_KEY, "test"), "http://127.0.0.1:9")
    async with host(platform) as service:
        listed = {tool.name for tool in (await service.client.list_tools()).tools}
        line = await service.error("restore_contact", contact_id=MISSING_ID)

    assert not NAMES & listed
    assert line.startswith("unknown_tool: restore_contact does not exist or is switched off here")
    assert "list_deleted_contacts" not in line


@pytest.mark.parametrize(("extensions", "offered"), [(["persons"], set()), (["persons", "restore"], NAMES)])
async def test_directory_service_is_asked_whether_it_can_restore(extensions: list[str], offered: set[str]) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/directory"
        return httpx.Response(200, json={"extensions": extensions, "scopes": ["read", "write"]})

    async with host_of_service(respond, tells_scopes=True) as service:
        listed = {tool.name for tool in (await service.client.list_tools()).tools}

    assert NAMES & listed == offered
