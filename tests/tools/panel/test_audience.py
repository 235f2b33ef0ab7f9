"""list_audience: the members behind each number of check_group_audience."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from contacts_mcp.contract import UpdateContact
from support.hosts import MISSING_ID, Host, Person
from support.loop_watch import watch_loop

MEMBERS = (
    ("Ola", "+4791000001"),
    ("Kari", "+4791000001"),
    ("Per", "+46701234567"),
    ("Eva", "+4722334455"),
    ("Liv", "+4722334455"),
    ("Ada", "91 00 00 03"),
    ("Nils", "12"),
    ("Siri", None),
)
PARTS = ("reachable", "no_number", "not_e164", "invalid", "landlines", "duplicates")


async def fill_group(host: Host, members: Any = MEMBERS) -> str:
    """Create contacts with these numbers as they are written, and a group of them; its id."""
    group = str((await host.call("create_contact_group", name="Kunder"))["id"])
    ids = [(await host.call("create_contact", name=name, allow_duplicate=True))["id"] for name, _ in members]
    for contact_id, (_, number) in zip(ids, members, strict=True):
        if number:
            await host.call("update_contact", contact_id=contact_id, phone_number=number)
    await host.call("add_group_members", group_id=group, contact_ids=ids)
    return group


async def names(host: Host, group: str, part: str, **paging: Any) -> list[str]:
    return [row["name"] for row in (await host.call("list_audience", group_id=group, part=part, **paging))["contacts"]]


async def test_each_part_has_the_members_that_the_check_counts(either: Host) -> None:
    group = await fill_group(either)
    # A service may normalize a number that is written; the check says what it made of it.
    counted = await either.call("check_group_audience", group_id=group)

    for part in PARTS:
        found = await either.call("list_audience", group_id=group, part=part)
        assert (part, found["total"], len(found["contacts"])) == (part, counted[part], counted[part])
        assert {each["country"]: each["reachable"] for each in found["countries"]} == {
            each["country"]: each["numbers"] for each in counted["countries"]
        }


async def test_members_are_shown_with_their_number_and_the_reason(directory: Host, api: Any) -> None:
    group = await fill_group(directory)
    members = (await directory.call("list_group_members", group_id=group))["members"]
    (ada,) = [each["id"] for each in members if each["name"] == "Ada"]
    await api.send(UpdateContact(contact_id=ada, phone_number="91 00 00 03"))  # the tools would normalize it

    shown = {part: await directory.call("list_audience", group="kunder", part=part) for part in PARTS}

    rows = {row["name"]: row for found in shown.values() for row in found["contacts"]}
    reasons = {name: row.get("why") for name, row in rows.items()}
    assert reasons["Ola"] is None
    assert reasons["Kari"] == "duplicate"
    assert reasons["Eva"] == "landline"
    assert reasons["Liv"] == "landline, duplicate"
    assert reasons["Ada"] == "not_e164"
    assert reasons["Nils"] == "invalid"
    assert reasons["Siri"] == "no_number"
    assert (rows["Kari"]["phone_number"], rows["Kari"]["same_as"]) == ("+4791000001", "Ola")
    assert "phone_number" not in rows["Siri"]
    assert shown["reachable"]["countries"][0]["country"] == "NO"
    assert rows["Ola"]["id"] in str(await directory.call("list_group_members", group_id=group))


async def test_pages_show_each_member_once_and_read_the_group_once(directory: Host, api: Any) -> None:
    group = await fill_group(directory, [(f"Person{number}", f"+47910000{number:02d}") for number in range(25)])
    api.calls.clear()

    pages = [await names(directory, group, "reachable", offset=offset, limit=10) for offset in (0, 10, 20, 30)]
    others = [await names(directory, group, part) for part in PARTS[1:]]

    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert len({name for page in pages for name in page}) == 25
    assert others == [[]] * 5
    assert api.calls == ["GetContactGroup", "ListGroupMembers"]


async def test_members_that_another_caller_has_read_are_read_again(
    connect: Callable[..., AbstractAsyncContextManager[Host]], directory: Host, api: Any
) -> None:
    group = await fill_group(directory)
    await names(directory, group, "reachable")
    api.calls.clear()

    async with connect("kari") as kari:
        await names(kari, group, "reachable", offset=1)

    assert api.calls == ["GetContactGroup", "ListGroupMembers"]


async def test_member_who_was_erased_is_shown_by_no_later_page(directory: Host, person: Person) -> None:
    group = await fill_group(directory)
    listed = (await directory.call("list_audience", group_id=group))["contacts"]
    (erased,) = [row["id"] for row in listed if row["name"] == "Kari"]
    person.content = {"typed": "Kari"}
    await directory.call("gdpr_delete_contact", contact_id=erased, reason="Article 17 request")

    assert await names(directory, group, "reachable", offset=1) == ["Per", "Eva", "Liv", "Ada"]


async def test_hostile_names_and_numbers_are_shown_as_harmless_text(either: Host) -> None:
    group = await fill_group(either, [("<b>Ola</b>\u202e\u200b", "call \u202e<me>")])

    (row,) = (await either.call("list_audience", group_id=group, part="invalid"))["contacts"]

    assert (row["name"], row["phone_number"]) == ("<b>Ola</b>", "call <me>")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"group_id": MISSING_ID}, "not_found: "),
        ({"group": "Ukjent"}, 'not_found: no group is named "Ukjent"'),
        ({}, "invalid: group_id: is required, or group instead"),
        ({"group_id": MISSING_ID, "part": "all"}, "invalid: part: should be 'reachable', "),
    ],
)
async def test_unknown_group_or_part_is_refused(either: Host, given: dict[str, str], line: str) -> None:
    assert (await either.error("list_audience", **given)).startswith(line)


@pytest.mark.slow
async def test_audience_of_a_large_group_leaves_the_event_loop_to_others(directory: Host, files: Any) -> None:
    lines = [f"Person{number},+4790{number:06d}" for number in range(5_000)]
    (files / "all.csv").write_text("\n".join(["name,phone", *lines]))
    await directory.apply("import_contacts", path="all.csv", group="Kunder", create_group=True)

    async with watch_loop() as watch:
        found = await directory.call("list_audience", group="Kunder", limit=100)

    assert (found["total"], len(found["contacts"])) == (5_000, 100)
    assert watch.longest < 0.5
