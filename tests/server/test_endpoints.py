"""Every endpoint tool end to end, in both eras: MCP client, tool, guard, API client, directory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contacts_mcp.contract import Risk
from endpoint_cases import CASES, CONTACTS, GROUPS, RECORDS, EndpointCase
from support.hosts import LEGACY, MISSING_ID, MODERN, Host, Person, deleted, enter_in_one_task, host, with_ids

OLA = {"name": "Ola Nordmann", "phone_number": "+4799999999", "email": "ola@example.com", "tags": ["vip"]}


@pytest.fixture
def person() -> Person:
    return Person(content={"decision": "delete"})


@pytest.fixture(params=[LEGACY, MODERN])
async def directory(request: pytest.FixtureRequest, tmp_path: Path, person: Person) -> AsyncIterator[Host]:
    async with enter_in_one_task(host(tmp_path / "contacts.db", request.param, person)) as connected:
        yield connected


async def test_created_contact_is_read_back_unchanged(directory: Host) -> None:
    """create_contact, get_contact: all fields under the same names, no nulls."""
    created = await directory.call("create_contact", **OLA, notes="Likes fish", company_name="ACME AS")

    read = await directory.call("get_contact", contact_id=created["id"])

    assert read == created
    assert {"type": "person", "notes": "Likes fish", "company_name": "ACME AS", **OLA}.items() <= read.items()
    assert None not in read.values()


async def test_listed_contact_has_the_same_field_names_and_fewer_fields(directory: Host) -> None:
    """list_contacts: split rows are joined."""
    created = await directory.call("create_contact", **OLA, notes="not in lists")

    listed = await directory.call("list_contacts", search="nordmann, o", tags=["vip"], type="person")

    assert listed == {
        "contacts": [{"id": created["id"], "type": "person", **OLA}],
        "total": 1,
        "page": 1,
        "per_page": 50,
    }


async def test_pages_lead_to_the_last_page_with_each_contact_once(directory: Host) -> None:
    """list_contacts: `next_page` if there are more, newest first."""
    for number in range(5):
        await directory.call("create_contact", name=f"Contact {number}")

    seen, page = [], 1
    while page:
        answer = await directory.call("list_contacts", page=page, per_page=2)
        seen += [contact["name"] for contact in answer["contacts"]]
        page = answer.get("next_page")

    assert seen == [f"Contact {number}" for number in (4, 3, 2, 1, 0)]


async def test_misspelled_search_counts_similar_matches(directory):
    """list_contacts: `similar` tells the model that the matches are guesses; it is absent for exact matches."""
    await directory.call("create_contact", name="Kari Hansen")

    guessed = await directory.call("list_contacts", search="hansne")
    found = await directory.call("list_contacts", search="hansen")

    assert ([row["name"] for row in guessed["contacts"]], guessed["similar"]) == (["Kari Hansen"], 1)
    assert "similar" not in found


async def test_update_changes_the_given_fields_and_lists_old_and_new_values(directory: Host) -> None:
    """update_contact: set, tag and clear in one call."""
    created = await directory.call("create_contact", **OLA, notes="old")

    updated = await directory.call(
        "update_contact",
        contact_id=created["id"],
        company_name="ACME",
        add_tags=["oslo", "vip"],
        remove_tags=["VIP"],
        clear_fields=["notes", "email"],
    )

    assert updated["changed"] == [
        {"field": "company_name", "after": "ACME"},
        {"field": "tags", "added": ["oslo"], "removed": ["vip"]},
        {"field": "notes", "before": "old"},
        {"field": "email", "before": OLA["email"]},
    ]
    assert updated["tags"] == ["oslo"]
    assert "notes" not in updated
    assert "email" not in updated
    assert updated["phone_number"] == OLA["phone_number"]


async def test_update_shows_notes_only_if_it_changed_them(directory: Host) -> None:
    ola = {"contact_id": (await directory.call("create_contact", **OLA, notes="private"))["id"]}

    tagged = await directory.call("update_contact", **ola, add_tags=["oslo"])
    noted = await directory.call("update_contact", **ola, notes="private\nIn Spain")

    assert "private" not in str(tagged)
    assert "notes" not in noted
    assert noted["changed"] == [{"field": "notes", "before": "private", "after": "private\nIn Spain"}]


async def test_update_without_a_difference_lists_no_changes(directory: Host) -> None:
    created = await directory.call("create_contact", **OLA)

    updated = await directory.call("update_contact", contact_id=created["id"], email=OLA["email"], add_tags=["VIP"])

    assert updated["changed"] == []
    assert updated["updated_at"] == created["updated_at"]


async def test_tags_are_cleared_only_by_clear_fields(directory: Host) -> None:
    """update_contact: `tags` replaces all tags, but an empty array changes nothing."""
    created = await directory.call("create_contact", **OLA)
    of_ola = {"contact_id": created["id"]}

    assert (await directory.call("update_contact", **of_ola, tags=["a", "b"]))["tags"] == ["a", "b"]
    assert (await directory.call("update_contact", **of_ola, tags=[], notes="n"))["changed"] == [
        {"field": "notes", "after": "n"}
    ]
    assert (await directory.call("update_contact", **of_ola, clear_fields=["tags"]))["tags"] == []


async def test_confirmed_deletion_removes_the_contact_everywhere(directory: Host, person: Person) -> None:
    """delete_contact: the question has the name and id; then the contact is gone from lists, reads and groups."""
    created = await directory.call("create_contact", **OLA)
    group = await directory.call("create_contact_group", name="All")
    await directory.call("add_group_members", group_id=group["id"], contact_ids=[created["id"]])

    assert await directory.call("delete_contact", contact_id=created["id"]) == deleted(created["id"], OLA["name"])

    assert f'person "Ola Nordmann" (id {created["id"]}, "ola@example.com", "+4799999999", last' in person.question
    assert (await directory.error("get_contact", contact_id=created["id"])).startswith("not_found:")
    assert (await directory.call("list_contacts"))["total"] == 0
    assert (await directory.call("get_contact_group", group_id=group["id"]))["member_count"] == 0


async def test_erasure_is_reported_after_reading_the_contact_back(directory: Host, person: Person) -> None:
    """gdpr_delete_contact: the person types the name."""
    created = await directory.call("create_contact", **OLA)
    person.content = {"typed": "Ola Nordmann"}

    erased = await directory.call("gdpr_delete_contact", contact_id=created["id"], reason="Article 17 request")

    assert erased["erased"] is True
    assert erased["seen"] == "the directory shows 1 record as erased, without any data"
    assert [(each["id"], each["receipt"]) for each in erased["records"]] == [(created["id"], 1)]
    assert "Ola Nordmann" in person.question
    assert (await directory.error("get_contact", contact_id=created["id"])).startswith("not_found:")


async def test_deleted_contact_can_be_erased_by_typing_its_name(directory: Host, person: Person) -> None:
    """gdpr_delete_contact: a deletion keeps the data, so it must remain erasable."""
    created = await directory.call("create_contact", **OLA)
    await directory.call("delete_contact", contact_id=created["id"])
    person.asked.clear()
    person.content = {"typed": "Ola Nordmann"}

    erased = await directory.call("gdpr_delete_contact", contact_id=created["id"], reason="Article 17 request")

    assert erased["erased"] is True
    assert f"id {created['id']}" in person.question
    assert ", deleted 20" in person.question


@pytest.mark.parametrize(
    "reason", ["Nordmann, Ola asked", "ola-nordmann", "asked by OLA @example.com", "number +47 99 99 99 99"]
)
async def test_erasure_reason_that_repeats_personal_data_is_rejected(
    directory: Host, person: Person, reason: str
) -> None:
    """gdpr_delete_contact: the reason is kept longer than the data."""
    created = await directory.call("create_contact", **OLA)

    line = await directory.error("gdpr_delete_contact", contact_id=created["id"], reason=reason)

    assert line.startswith("invalid: reason: must not contain")
    assert not person.asked


async def test_reason_is_shown_to_the_person_who_is_asked(directory: Host, person: Person) -> None:
    """gdpr_delete_contact: and pointed out if it seems to name somebody."""
    created = await directory.call("create_contact", **OLA)
    person.action = "decline"

    for reason in ("Article 17 request", 'asked by Kari "x"'):
        await directory.declined("gdpr_delete_contact", contact_id=created["id"], reason=reason)

    plain, named = (asked.message for asked in person.asked)
    assert 'This reason is kept: "Article 17 request".\n' in plain
    assert (
        "This reason is kept: \"asked by Kari 'x'\". It may contain a name or an address: decline if it does." in named
    )


async def test_reason_is_checked_against_a_contact_that_was_deleted_before(directory: Host, person: Person) -> None:
    """gdpr_delete_contact: only the directory still knows the name, and keeps the contact until the reason is clean."""
    created = await directory.call("create_contact", **OLA)
    await directory.call("delete_contact", contact_id=created["id"])
    person.content = {"typed": "Ola Nordmann"}

    line = await directory.error("gdpr_delete_contact", contact_id=created["id"], reason="ola nordmann asked")
    await directory.error("gdpr_delete_contact", contact_id=created["id"], reason="call 90 00 00 02")
    erased = await directory.call("gdpr_delete_contact", contact_id=created["id"], reason="Article 17 request")

    assert line.startswith("invalid: ")
    assert "must not contain the contact's name" in line
    assert "seen" in erased


async def test_question_about_a_group_shows_its_size_age_and_last_rename(directory: Host, person: Person) -> None:
    """delete_contact_group: a harmless name may have been given just now, and a group may have many members."""
    created = await directory.call("create_contact", **OLA)
    group = await directory.call("create_contact_group", name="Customers")
    await directory.call("update_contact_group", group_id=group["id"], name="Old tests")
    await directory.call("add_group_members", group_id=group["id"], contact_ids=[created["id"]])
    person.action = "decline"

    await directory.declined("delete_contact_group", group_id=group["id"])

    day = group["created_at"][:10]
    assert f'group "Old tests" (id {group["id"]}, 1 member, created {day} ' in person.question
    assert f', renamed from "Customers" {day} ' in person.question


async def test_group_is_created_read_updated_and_listed(directory: Host) -> None:
    """create_contact_group, get_contact_group, update_contact_group, list_contact_groups."""
    group = await directory.call("create_contact_group", name="VIP", description="The best")
    at = {"group_id": group["id"]}

    assert await directory.call("get_contact_group", **at) == group
    assert (await directory.call("update_contact_group", **at, name="Very VIP"))["description"] == "The best"
    assert "description" not in await directory.call("update_contact_group", **at, clear_fields=["description"])
    listed = await directory.call("list_contact_groups")

    assert [(row["name"], row["member_count"]) for row in listed["groups"]] == [("Very VIP", 0)]
    assert listed["total"] == 1


async def test_members_are_added_once_and_removed(directory: Host) -> None:
    """add_group_members, list_group_members, remove_group_member; unknown contacts and members are not counted."""
    ola = await directory.call("create_contact", **OLA)
    kari = await directory.call("create_contact", name="Kari")
    group = await directory.call("create_contact_group", name="All")
    at = {"group_id": group["id"]}

    added = await directory.call("add_group_members", **at, contact_ids=[ola["id"], kari["id"], MISSING_ID])
    again = await directory.call("add_group_members", **at, contact_ids=[ola["id"]])
    page = await directory.call("list_group_members", **at, per_page=1)
    await directory.call("remove_group_member", **at, contact_id=ola["id"])
    left = await directory.call("list_group_members", **at)

    assert (added, again) == ({"added": 2}, {"added": 0})
    assert (page["total"], page["next_page"], len(page["members"])) == (2, 2, 1)
    assert [member["name"] for member in left["members"]] == ["Kari"]
    assert (await directory.call("get_contact", contact_id=ola["id"]))["name"] == "Ola Nordmann"


async def test_deleting_a_group_keeps_its_contacts(directory: Host, person: Person) -> None:
    """delete_contact_group: the question has the number of members."""
    ola = await directory.call("create_contact", **OLA)
    group = await directory.call("create_contact_group", name="All")
    await directory.call("add_group_members", group_id=group["id"], contact_ids=[ola["id"]])

    await directory.call("delete_contact_group", group_id=group["id"])

    assert 'group "All"' in person.question
    assert "members (1) stay" in person.question
    assert (await directory.call("list_contact_groups"))["total"] == 0
    assert (await directory.call("get_contact", contact_id=ola["id"]))["name"] == "Ola Nordmann"


@pytest.fixture
async def records(directory: Host) -> dict[str, str]:
    """The ids of the records that the cases of the endpoints name."""
    ids = {name: (await directory.call("create_contact", name=name))["id"] for name in CONTACTS}
    ids |= {name: (await directory.call("create_contact_group", name=name))["id"] for name in GROUPS}
    await directory.call("add_group_members", group_id=ids["customers"], contact_ids=[ids["ola"]])
    return ids


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_case_of_every_endpoint_is_answered(
    directory: Host, person: Person, records: dict[str, str], case: EndpointCase
) -> None:
    """A person is asked exactly before a deletion or an erasure."""
    person.content = {"typed": "ola", "decision": "delete"}

    assert await directory.call(case.tool, **with_ids(case.arguments, records))

    assert bool(person.asked) is (case.risk in (Risk.DESTROY, Risk.ERASE))


UNKNOWN = [case for case in CASES if case.names_records and case.risk is not Risk.ERASE]


@pytest.mark.parametrize("case", UNKNOWN, ids=str)
async def test_unknown_id_is_one_line_that_says_what_to_do(directory: Host, person: Person, case: EndpointCase) -> None:
    """No person is asked. An erasure also reaches records that the service no longer shows."""
    line = await directory.error(case.tool, **with_ids(case.arguments, dict.fromkeys(RECORDS, MISSING_ID)))

    assert line.startswith("not_found: ")
    assert "look the id up again" in line
    assert "\n" not in line
    assert not person.asked


async def test_national_number_is_normalized_if_a_default_region_is_set(tmp_path: Path) -> None:
    """The answer says so, and warns only of a number that SMS cannot reach."""
    async with host(tmp_path / "contacts.db", default_region="NO") as directory:
        created = await directory.call("create_contact", name="Ola", phone_number="999 99 999")
        updated = await directory.call("update_contact", contact_id=created["id"], phone_number="nonsense")

    assert created["phone_number"] == "+4799999999"
    assert created["information"] == ["phone_number was normalized to +4799999999"]
    assert "warnings" not in created
    assert updated["phone_number"] == "nonsense"
    assert "SMS will not reach it" in updated["warnings"][0]


async def test_group_of_the_same_name_is_pointed_out_when_created_again(directory: Host) -> None:
    first = await directory.call("create_contact_group", name="Våre kunder")
    again = await directory.call("create_contact_group", name="våre KUNDER")

    assert "warnings" not in first
    assert [each.startswith(f"group {first['id']} has the same name") for each in again["warnings"]] == [True]


async def test_removing_a_member_again_says_that_it_is_not_in_the_group(directory: Host) -> None:
    ola = await directory.call("create_contact", **OLA)
    group = await directory.call("create_contact_group", name="All")
    both = {"group_id": group["id"], "contact_id": ola["id"]}
    await directory.call("add_group_members", group_id=group["id"], contact_ids=[ola["id"]])
    await directory.call("remove_group_member", **both)

    line = await directory.error("remove_group_member", **both)

    assert line.startswith("not_found: the contact is not in this group; nothing was changed")


@pytest.mark.parametrize("blank", ["", None, "null", []], ids=repr)
async def test_update_with_only_an_empty_value_names_clear_fields(directory: Host, blank: object) -> None:
    ola = await directory.call("create_contact", **OLA)

    line = await directory.error("update_contact", contact_id=ola["id"], phone_number=blank)

    assert "to empty phone_number, use clear_fields" in line
    assert (await directory.call("get_contact", contact_id=ola["id"]))["phone_number"] == OLA["phone_number"]


async def test_number_that_sms_cannot_reach_is_kept_with_a_warning(directory: Host) -> None:
    national = await directory.call("create_contact", name="Ola", phone_number="999 99 999")
    unused = await directory.call("create_contact", name="Kari", phone_number="+4711111111")
    good = await directory.call("create_contact", name="Per", phone_number="+4799999999")

    assert national["phone_number"] == "999 99 999"
    assert "SMS will not reach it" in national["warnings"][0]
    assert "not a valid number" in unused["warnings"][0]
    assert "warnings" not in good
