"""merge_contacts: one question that names all, nothing lost, the others deleted last."""

from typing import Any

import httpx
import pytest

from contacts_mcp.contract import DeleteContact
from harness import NOBODY, Host, Person
from manyfold import Unsteady


@pytest.fixture
async def doubles(either: Host) -> tuple[Host, list[dict[str, Any]], list[str]]:
    """Three records of Ola, of whom the second is in a group, and another group that all are strangers to."""
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


async def test_everything_goes_into_one_and_the_others_go(
    doubles: tuple[Host, list[dict[str, Any]], list[str]], person: Person
) -> None:
    """LogFields, tags, notes and groups are united, conflicts reported, and what has no room is kept in the notes."""
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


async def test_one_question_names_all_of_them(
    doubles: tuple[Host, list[dict[str, Any]], list[str]], person: Person
) -> None:
    """By name, id and what tells them apart; a no leaves everything as it was."""
    host, (keep, *others), _ = doubles

    line = await host.error("merge_contacts", keep_id=keep["id"], merge_ids=[each["id"] for each in others])

    assert line.startswith("refused: the person declined")
    assert all(each["id"] in person.question for each in (keep, *others))
    assert "first" not in person.question
    assert (await host.call("list_contacts"))["total"] == 3
    assert (await host.call("get_contact", contact_id=keep["id"])).get("email") is None


async def test_the_newest_value_wins_where_that_is_preferred(directory: Host, person: Person) -> None:
    """Whoever was changed last is right about the number."""
    person.content = {"decision": "merge"}
    keep = await directory.call("create_contact", name="Ola", phone_number="+4799999999")
    other = await directory.call("create_contact", name="Ola", phone_number="+4790000001")
    await directory.call("update_contact", contact_id=other["id"], add_tags=["new"])

    merged = await directory.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]], prefer="newest")

    assert merged["contact"]["phone_number"] == "+4790000001"
    assert merged["conflicts"][0]["settled"] == "the newest wins; the other is in the notes"


async def test_a_contact_that_changed_meanwhile_is_not_merged(
    doubles: tuple[Host, list[dict[str, Any]], list[str]], person: Person
) -> None:
    """What the person agreed to is no longer so."""
    host, (keep, other, _), _ = doubles
    person.content = {"decision": "merge"}
    person.meanwhile = lambda: host.call("update_contact", contact_id=other["id"], name="Per Berg")

    line = await host.error("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert line.startswith("not_confirmed: the target was changed after the question was asked")
    assert (await host.call("list_contacts"))["total"] == 3


async def test_a_contact_that_changed_and_changed_back_is_not_merged(directory: Host, person: Person) -> None:
    """It looks the same, within the same second, and somebody was at work on it."""
    ids = [(await directory.call("create_contact", name=name))["id"] for name in ("Ola", "Per")]
    person.content = {"decision": "merge"}

    async def there_and_back() -> None:
        for name in ("Per Berg", "Per"):
            await directory.call("update_contact", contact_id=ids[1], name=name)

    person.meanwhile = there_and_back

    line = await directory.error("merge_contacts", keep_id=ids[0], merge_ids=[ids[1]])

    assert line.startswith("not_confirmed: the target was changed after the question was asked")


@pytest.mark.parametrize("which", ["keep_id", "merge_ids"])
async def test_who_is_not_there_stops_it_before_anybody_is_asked(either: Host, person: Person, which: str) -> None:
    """And is named."""
    ola = (await either.call("create_contact", name="Ola"))["id"]
    given = {"keep_id": ola, "merge_ids": [NOBODY]} if which == "merge_ids" else {"keep_id": NOBODY, "merge_ids": [ola]}

    line = await either.error("merge_contacts", **given)

    assert line.startswith(f"not_found: there is no contact {NOBODY}; nothing was merged")
    assert not person.asked


async def test_a_contact_is_not_merged_with_itself(either: Host) -> None:
    """However its id is written."""
    ola = (await either.call("create_contact", name="Ola"))["id"]

    assert "names a contact twice" in await either.error("merge_contacts", keep_id=ola, merge_ids=[ola.upper()])


async def test_what_could_not_be_deleted_is_named(platform: Host, unsteady: Unsteady, person: Person) -> None:
    """Everything is in the kept one by then, and calling again finishes it."""
    person.content = {"decision": "merge"}
    keep = await platform.call("create_contact", name="Ola", phone_number="+4799999999")
    other = await platform.call("create_contact", name="Ola", email="ola@example.com")
    answer = unsteady.service.answer

    def refuse(method: str, *rest: Any) -> Any:
        return (403, {}) if method == "DELETE" else answer(method, *rest)

    unsteady.service.answer = refuse  # type: ignore[method-assign]
    merged = await platform.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])
    unsteady.service.answer = answer  # type: ignore[method-assign]
    again = await platform.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert merged["not_deleted"] == [f"{other['id']}: permission_denied"]
    assert merged["contact"]["email"] == "ola@example.com"
    assert again["deleted"] == [other["id"]]
    assert DeleteContact.idempotent


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_group_that_is_deleted_meanwhile_holds_up_no_merge(
    platform: Host, unsteady: Unsteady, person: Person, method: str
) -> None:
    """Neither while its members are looked at, nor when the kept contact is about to join it."""
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

    unsteady.service.answer = delete_first  # type: ignore[method-assign]
    merged = await platform.call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert merged["deleted"] == [other["id"]]
    assert merged["groups_joined"] == ["Choir"]


async def test_a_merge_that_ends_half_way_says_how_far_it_came(
    platform: Host, unsteady: Unsteady, person: Person
) -> None:
    """The kept one is changed by then, so the error must not say that nothing was."""
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

    unsteady.service.answer = lose  # type: ignore[method-assign]
    line = await platform.error("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])

    assert line.startswith("unreachable: ")
    assert "until then 1 of 3 done: 1 updated; " in line
    assert "nothing was changed" not in line
