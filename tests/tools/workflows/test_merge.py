"""merge_contacts: one question names all contacts, no data is lost, and the others are deleted last."""

import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import anyio
import httpx
import pytest

from contacts_mcp.contract import Contact, DeleteContact, GroupList, ListContactGroups
from contacts_mcp.tools import WORKFLOWS, Backend, parse_arguments
from support.hosts import MISSING_ID, Host


@pytest.fixture
async def doubles(either: Host) -> tuple[Host, list[dict[str, Any]], list[str]]:
    """Three records of one person, of which the second is in a group, and another group without them."""
    people = [
        await either.call("create_contact", **person)
        for person in (
            {"name": "Ola Nordmann", "phone_number": "+4799999999", "tags": ["vip"], "notes": "first"},
            {"name": "Ola N", "email": "ola@example.com", "tags": ["VIP", "oslo"], "notes": "second"},
            {"name": "Ola Nordmann", "phone_number": "+4790000009", "company_name": "ACME", "notes": "first"},
        )
    ]
    groups = [(await either.call("create_contact_group", name=name))["id"] for name in ("Choir", "Board")]
    await either.call("add_group_members", group_id=groups[0], contact_ids=[people[1]["id"]])
    return either, people, groups


async def test_merge_combines_all_data_and_deletes_the_others(doubles, person):
    """Conflicts are reported, and values without room are kept in the notes."""
    host, (keep, *others), groups = doubles
    person.content = {"decision": "merge"}

    merged = await host.call("merge_contacts", keep_id=keep["id"], merge_ids=[each["id"] for each in others])

    kept = await host.call("get_contact", contact_id=keep["id"])
    assert (kept["name"], kept["phone_number"]) == ("Ola Nordmann", "+4799999999")
    assert (kept["email"], kept["company_name"]) == ("ola@example.com", "ACME")
    assert kept["tags"] == ["vip", "oslo"]
    assert kept["notes"] == "first\nsecond\nAlso: +4790000009"
    assert [conflict["field"] for conflict in merged["conflicts"]] == ["name", "phone_number"]
    assert merged["conflicts"][1]["dropped"] == ["+4790000009"]
    assert merged["groups_joined"] == ["Choir"]
    assert merged["deleted"] == [each["id"] for each in others]
    assert [row["id"] for row in (await host.call("list_group_members", group_id=groups[0]))["members"]] == [keep["id"]]
    assert (await host.call("list_contacts"))["total"] == 1


async def test_name_in_another_order_and_number_in_another_notation_are_no_conflict(either, person):
    """The contact to keep stays as it is."""
    person.content = {"decision": "merge"}
    keep = await either.call("create_contact", name="Marit Solheim", phone_number="+4799999999")
    other = (await either.call("create_contact", name="Solheim, Marit"))["id"]
    await either.call("update_contact", contact_id=other, phone_number="999 99 999")

    merged = await either.call("merge_contacts", keep_id=keep["id"], merge_ids=[other])

    assert (merged["conflicts"], merged["changed"]) == ([], [])
    assert (await either.call("get_contact", contact_id=keep["id"])).get("notes") is None


async def test_merge_question_names_all_contacts(doubles, person):
    """By name, id and distinguishing fields; a declined question leaves everything as it was."""
    host, (keep, *others), _ = doubles

    reason = await host.declined("merge_contacts", keep_id=keep["id"], merge_ids=[each["id"] for each in others])

    assert reason == "the person declined; nothing was changed; do not try again"
    assert all(each["id"] in person.question for each in (keep, *others))
    assert "first" not in person.question
    assert (await host.call("list_contacts"))["total"] == 3
    assert (await host.call("get_contact", contact_id=keep["id"])).get("email") is None


async def test_merge_prefers_the_newest_value_if_asked(directory, person):
    """The contact that was changed last has the right number."""
    person.content = {"decision": "merge"}
    keep = await directory.call("create_contact", name="Ola", phone_number="+4799999999")
    other = await directory.call("create_contact", name="Ola", phone_number="+4790000001")
    await directory.call("update_contact", contact_id=other["id"], add_tags=["new"])

    merged = await directory.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]], prefer="newest")

    assert merged["contact"]["phone_number"] == "+4790000001"
    assert merged["conflicts"][0]["resolution"] == "the newest contact wins; the other value is kept in the notes"


async def test_merge_is_not_confirmed_if_a_contact_changed_meanwhile(doubles, person):
    """The person consented to the earlier records."""
    host, (keep, other, _), _ = doubles
    person.content = {"decision": "merge"}
    person.meanwhile = lambda: host.call("update_contact", contact_id=other["id"], name="Per Berg")

    line = await host.error("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert line.startswith("not_confirmed: the target was changed after the question was asked")
    assert (await host.call("list_contacts"))["total"] == 3


async def test_merge_is_not_confirmed_if_a_contact_changed_and_changed_back(directory, person):
    """It looks the same within the same second, but another caller is editing it."""
    ids = [(await directory.call("create_contact", name=name))["id"] for name in ("Ola", "Per")]
    person.content = {"decision": "merge"}

    async def there_and_back() -> None:
        for name in ("Per Berg", "Per"):
            await directory.call("update_contact", contact_id=ids[1], name=name)

    person.meanwhile = there_and_back

    line = await directory.error("merge_contacts", keep_id=ids[0], merge_ids=[ids[1]])

    assert line.startswith("not_confirmed: the target was changed after the question was asked")


@pytest.mark.parametrize("which", ["keep_id", "merge_ids"])
async def test_merge_with_a_missing_contact_asks_for_no_consent(either, person, which):
    """The error names the missing contact."""
    ola = (await either.call("create_contact", name="Ola"))["id"]
    given = (
        {"keep_id": ola, "merge_ids": [MISSING_ID]}
        if which == "merge_ids"
        else {"keep_id": MISSING_ID, "merge_ids": [ola]}
    )

    line = await either.error("merge_contacts", **given)

    assert line.startswith(f"not_found: there is no contact {MISSING_ID}; nothing was merged")
    assert not person.asked


async def test_contact_is_not_merged_with_itself(either):
    """Also if its id differs in case."""
    ola = (await either.call("create_contact", name="Ola"))["id"]

    assert "names a contact twice" in await either.error("merge_contacts", keep_id=ola, merge_ids=[ola.upper()])


async def test_merge_names_contacts_that_could_not_be_deleted(platform, unsteady, person):
    """The kept contact has all data by then, and another call finishes the merge."""
    person.content = {"decision": "merge"}
    keep = await platform.call("create_contact", name="Ola", phone_number="+4799999999")
    other = await platform.call("create_contact", name="Ola", email="ola@example.com")
    answer = unsteady.service.answer

    def refuse(method: str, *rest: Any) -> Any:
        return (403, {}) if method == "DELETE" else answer(method, *rest)

    unsteady.service.answer = refuse
    merged = await platform.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])
    unsteady.service.answer = answer
    again = await platform.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert merged["not_deleted"] == [f"{other['id']}: permission_denied"]
    assert merged["contact"]["email"] == "ola@example.com"
    assert again["deleted"] == [other["id"]]
    assert DeleteContact.idempotent


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_merge_ignores_a_group_that_was_deleted_meanwhile(platform, unsteady, person, method):
    """While its members are read, or just before the kept contact is added."""
    person.content = {"decision": "merge"}
    keep, other = [await platform.call("create_contact", name=name) for name in ("Ola Nordmann", "Ola N")]
    for name in ("Choir", "Board"):
        group = await platform.call("create_contact_group", name=name)
        await platform.call("add_group_members", group_id=group["id"], contact_ids=[other["id"]])
    going, answer = f"/v1/contacts/groups/{group['id']}", unsteady.service.answer

    def delete_first(asked: str, path: str, *rest: Any) -> Any:
        if (asked, path) == (method, f"{going}/members"):
            answer("DELETE", going, {}, {})
        return answer(asked, path, *rest)

    unsteady.service.answer = delete_first
    merged = await platform.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert merged["deleted"] == [other["id"]]
    assert merged["groups_joined"] == ["Choir"]


async def test_cancelled_merge_ends_within_the_grace_period_and_begins_no_other_change(monkeypatch):
    """A deletion under way gets a moment to finish; the next contact is not deleted."""
    monkeypatch.setattr("contacts_mcp.tools._job.CANCEL_GRACE_SECONDS", 0.05)
    deleted, began = [], anyio.Event()

    async def send(call: Any, _report: Any = None) -> Any:
        if isinstance(call, ListContactGroups):
            return GroupList(groups=[])
        if isinstance(call, DeleteContact):
            deleted.append(call.contact_id)
            began.set()
            await anyio.sleep(3)
        return Contact(id=call.contact_id, name="Ola")

    (tool,) = (tool for tool in WORKFLOWS if tool.name == "merge_contacts")
    ids = [f"0000000{number}{MISSING_ID[8:]}" for number in range(3)]
    given = {"keep_id": ids[0], "merge_ids": ids[1:]}
    client = SimpleNamespace(send=send, extensions=AsyncMock(return_value=frozenset()))
    arguments = parse_arguments(tool.arguments, tool.input_schema, given).arguments
    prepared = await tool.prepare(Backend(client), arguments)
    started = time.monotonic()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prepared.run)
        await began.wait()
        tasks.cancel_scope.cancel()

    assert deleted == [ids[1]]
    assert time.monotonic() - started < 2


@pytest.mark.slow
async def test_failed_merge_counts_what_was_done(platform, unsteady, person):
    """The kept contact was changed, so the error must not say that nothing was changed."""
    person.content = {"decision": "merge"}
    keep = await platform.call("create_contact", name="Ola", phone_number="+4799999999")
    other = await platform.call("create_contact", name="Ola", email="ola@example.com")
    group = await platform.call("create_contact_group", name="Choir")
    await platform.call("add_group_members", group_id=group["id"], contact_ids=[other["id"]])
    answer = unsteady.service.answer

    def lose(method: str, path: str, *rest: Any) -> Any:
        if method == "POST":
            raise httpx.ConnectError("lost")
        return answer(method, path, *rest)

    unsteady.service.answer = lose
    line = await platform.error("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert line.startswith("unreachable: ")
    assert "until then 1 of 3 done: 1 updated; " in line
    assert "nothing was changed" not in line
