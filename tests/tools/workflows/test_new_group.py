"""import_contacts and add_matching_to_group into a group that does not exist yet: `create_group` with its name."""

from typing import Any

import pytest

from support.hosts import Host, Person, host

CONTENT = {"content": "name\nOla Nordmann\nKari Moe\n"}
FILLING = pytest.mark.parametrize(
    ("tool", "arguments"),
    [("import_contacts", CONTENT), ("add_matching_to_group", {"search": "Berg"})],
    ids=["import", "filter"],
)


async def _groups(directory: Host) -> list[dict[str, Any]]:
    return list((await directory.call("list_contact_groups"))["groups"])


@FILLING
async def test_new_group_is_planned_and_created_only_when_the_plan_is_applied(
    either: Host, tool: str, arguments: dict[str, Any]
) -> None:
    """The plan names it, and the result has its id."""
    for name in ("Per Berg", "Pia Berg"):
        await either.create(name)
    arguments = {**arguments, "group": " Julekort  2026 ", "create_group": True}

    plan = await either.call(tool, **arguments)
    before = await _groups(either)
    done = await either.call(tool, **arguments, apply=True, plan=plan["plan"])

    assert plan["new_group"] == {"name": "Julekort 2026"}
    assert plan["new_members"] == done["new_members"] == 2
    assert before == []
    (group,) = await _groups(either)
    assert done["new_group"] == {"name": "Julekort 2026", "id": group["id"]}
    assert (await either.call("list_group_members", group="julekort 2026"))["total"] == 2


@FILLING
async def test_group_of_the_name_is_used_if_there_is_one(either: Host, tool: str, arguments: dict[str, Any]) -> None:
    await either.create("Per Berg")
    group_id = (await either.call("create_contact_group", name="Julekort"))["id"]

    done = await either.apply(tool, **arguments, group="julekort", create_group=True)

    assert "new_group" not in done
    assert [each["id"] for each in await _groups(either)] == [group_id]


@FILLING
async def test_plan_with_a_new_group_is_refused_if_the_group_exists_meanwhile(
    either: Host, tool: str, arguments: dict[str, Any]
) -> None:
    """No second group of the name is created."""
    await either.create("Per Berg")
    arguments = {**arguments, "group": "Julekort", "create_group": True}
    plan = (await either.call(tool, **arguments))["plan"]
    await either.call("create_contact_group", name="Julekort")

    line = await either.error(tool, **arguments, apply=True, plan=plan)

    assert line.startswith("conflict: the plan no longer fits")
    assert len(await _groups(either)) == 1


@FILLING
async def test_unknown_group_without_create_group_is_refused_and_says_how_to_create_it(
    either: Host, tool: str, arguments: dict[str, Any]
) -> None:
    await either.call("create_contact_group", name="Julekort")

    line = await either.error(tool, **arguments, group="Julkort")

    assert 'no group is named "Julkort"; the nearest names are "Julekort"' in line
    assert line.endswith("call again with the name that is meant, or with create_group: true for a new group")
    assert len(await _groups(either)) == 1


@FILLING
async def test_create_group_without_a_name_is_refused(either: Host, tool: str, arguments: dict[str, Any]) -> None:
    group_id = (await either.call("create_contact_group", name="Julekort"))["id"]

    line = await either.error(tool, **arguments, group_id=group_id, create_group=True)

    assert "create_group: needs group, the name of the new group" in line


async def test_group_to_fill_is_required(either: Host) -> None:
    assert "names no group: give group_id, or group instead" in await either.error("add_matching_to_group", search="x")


async def test_question_says_that_the_group_is_new(tmp_path: Any) -> None:
    """Where an operator lets a person confirm each call; consent covers this group alone."""
    person = Person(content={"decision": "change"})
    async with host(tmp_path / "contacts.db", person=person, confirm="add_matching_to_group") as directory:
        await directory.create("Per Berg")
        arguments = {"group": "Julekort", "create_group": True, "search": "Berg"}

        assert (await directory.apply("add_matching_to_group", **arguments))["new_members"] == 1

    assert '1 contact to new group "Julekort"?' in person.question


async def test_new_group_without_contacts_is_created_as_an_empty_one(either: Host) -> None:
    done = await either.apply("add_matching_to_group", group="Julekort", create_group=True, search="Zaphod")

    assert (done["new_members"], done["members"]) == (0, 0)
    assert len(await _groups(either)) == 1
