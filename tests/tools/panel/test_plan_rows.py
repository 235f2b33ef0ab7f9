"""list_plan_rows: the rows of each tool's plan, page by page."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp_types import CallToolResult

from support.hosts import MISSING_ID, Host, Person, answer_of, text_of
from support.loop_watch import watch_loop

Connect = Callable[..., AbstractAsyncContextManager[Host]]
Rows = list[dict[str, Any]]


async def create(host: Host, name: str, **fields: Any) -> str:
    return str((await host.call("create_contact", name=name, **fields, allow_duplicate=True))["id"])


async def page(host: Host, tool: str, arguments: dict[str, Any], **paging: Any) -> dict[str, Any]:
    return answer_of(await raw_page(host, tool=tool, arguments=arguments, **paging))


async def raw_page(host: Host, **given: Any) -> CallToolResult:
    return await host.client.call_tool("list_plan_rows", given)


async def read_all(host: Host, tool: str, arguments: dict[str, Any], **paging: Any) -> Rows:
    """The rows of all pages, as a panel reads them."""
    rows: Rows = []
    while True:
        found = await page(host, tool, arguments, offset=len(rows), **paging)
        rows += found["rows"]
        if not found["rows"] or len(rows) >= found["total"]:
            return rows


def changes_of(row: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {each["field"]: (each.get("before"), each.get("after")) for each in row["changes"]}


def write(files: Path, *lines: str) -> dict[str, str]:
    """Write a file of contacts; the argument that names it."""
    (files / "people.csv").write_text("\n".join(lines) + "\n")
    return {"path": "people.csv"}


def write_many(files: Path, count: int) -> dict[str, str]:
    lines = (f"Person{number} Berg,+4790{number:06d}" for number in range(count))
    return write(files, "name,phone", *lines)


async def test_import_shows_each_row_of_the_file_with_what_becomes_of_it(either: Host, files: Path) -> None:
    """In the order of the file, with its numbers; a contact's fields before and after."""
    ola = await create(either, "Ola Nordmann", phone_number="+4791000001", tags=["old"])
    kari = await create(either, "Kari Vik", phone_number="+4791000002", email="kari@example.com")
    for _ in range(2):
        await create(either, "Per Moe", phone_number="+4791000003")
    arguments = {
        **write(
            files,
            "name,phone,email,tags",
            "Ola Nordmann,91000001,ola@example.com,new",
            "Kari Vik,+4791000002,kari@example.com,",
            "Per Moe,+4791000003,per@example.com,",
            "Eva Dahl,22 33 44 55,,",
            "Eva Dahl,22 33 44 55,,",
            ",,,vip",
            "Liv Berg,9.1E+09,not an address,",
        ),
        "on_match": "update",
    }

    found = await page(either, "import_contacts", arguments)

    rows = {row["row"]: row for row in found["rows"]}
    plan = await either.call("import_contacts", **arguments)
    assert [*rows] == [2, 3, 4, 5, 6, 7, 8]
    assert [rows[number]["action"] for number in rows] == [
        *("update", "unchanged", "ambiguous", "create", "duplicate", "invalid", "create")
    ]
    assert (rows[2]["id"], rows[2]["name"]) == (ola, "Ola Nordmann")
    assert changes_of(rows[2]) == {"email": (None, "ola@example.com"), "tags": ("old", "old, new")}
    assert (rows[3]["id"], rows[3]["changes"], rows[3]["notes"]) == (kari, [], [])
    assert rows[4]["notes"] == ["matches 2 contacts"]
    assert changes_of(rows[5])["phone_number"] == (None, "+4722334455")
    assert rows[5]["notes"] == ["not reachable by SMS: a landline"]
    assert rows[6]["notes"][0] == "repeats row 5"
    assert rows[7]["notes"]
    assert "not reachable by SMS: destroyed by a spreadsheet" in rows[8]["notes"]
    assert "has an invalid e-mail address, which is not imported" in rows[8]["notes"]
    assert (found["plan"], found["total"], found["changes"]) == (plan["plan"], 7, 3)
    assert found["attention"] == 5


async def test_import_shows_shared_numbers_and_who_joins_the_group(either: Host, files: Path) -> None:
    """A contact that stays as it is, but joins, is an addition; one that two rows name joins once."""
    known = await create(either, "Ola Nordmann", phone_number="+4791000001")
    await create(either, "Nils Lie", phone_number="+4791000009")
    rows = ("Ola Nordmann,+4791000001", "Kari Vik,+4791000002", "Siri Foss,+4791000002", "Ada Lund,+4791000009")
    arguments = {**write(files, "name,phone", *rows), "group": "Kunder", "create_group": True}

    found = await page(either, "import_contacts", arguments)

    ola, kari, siri, ada = found["rows"]
    assert (ola["action"], ola["id"], changes_of(ola)) == ("add", known, {"group": (None, "Kunder")})
    assert changes_of(kari)["group"] == (None, "Kunder")
    assert siri["notes"] == ["shares a number or address with row 3"]
    assert ada["notes"][0].startswith("shares a number or address with contact ")
    assert found["plan"] == (await either.call("import_contacts", **arguments))["plan"]


async def test_update_shows_changes_and_numbers_that_stay_invalid(either: Host) -> None:
    ids = {
        "Ola": await create(either, "Ola", phone_number="+4791000001", company_name="Old AS"),
        "Kari": await create(either, "Kari", company_name="New AS"),
        "Per": await create(either, "Per", company_name="New AS"),
    }
    await either.call("update_contact", contact_id=ids["Per"], phone_number="12")
    arguments = {"set_company_name": "New AS", "normalize_phones": True, "default_region": "NO"}

    found = await page(either, "update_matching_contacts", arguments)

    rows = {row["name"]: row for row in found["rows"]}
    assert {name: row["id"] for name, row in rows.items()} == ids
    assert {name: row["action"] for name, row in rows.items()} == {
        "Ola": "update",
        "Kari": "unchanged",
        "Per": "unchanged",
    }
    assert changes_of(rows["Ola"]) == {"company_name": ("Old AS", "New AS")}
    (why,) = rows["Per"]["notes"]
    assert why.startswith('"12" is ')
    assert (found["total"], found["changes"], found["attention"]) == (3, 1, 1)
    assert found["plan"] == (await either.call("update_matching_contacts", **arguments))["plan"]


async def test_undo_shows_the_values_that_come_back_and_who_stays(directory: Host, person: Person) -> None:
    ids = [await create(directory, name, company_name="Old AS") for name in ("Ola", "Kari", "Per")]
    updated = await directory.apply("update_matching_contacts", set_company_name="New AS")
    await directory.call("update_contact", contact_id=ids[1], company_name="Third AS")
    person.content = {"decision": "delete"}
    await directory.call("delete_contact", contact_id=ids[2])
    arguments = {"undo": updated["undo"]}

    found = await page(directory, "update_matching_contacts", arguments)

    rows = {row["id"]: row for row in found["rows"]}
    assert [rows[each]["action"] for each in ids] == ["update", "unchanged", "unchanged"]
    assert changes_of(rows[ids[0]]) == {"company_name": ("New AS", "Old AS")}
    assert rows[ids[1]]["notes"] == ["was changed again since the update, and stays as it is"]
    assert rows[ids[2]]["notes"] == ["was deleted since the update, and stays as it is"]
    assert found["plan"] == (await directory.call("update_matching_contacts", **arguments))["plan"]


async def test_additions_to_a_group_show_who_is_new_and_who_is_a_member(either: Host) -> None:
    ids = [await create(either, name, tags=["fair"]) for name in ("Ola", "Kari")]
    group = (await either.call("create_contact_group", name="Kunder"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=[ids[0]])
    arguments = {"group": "kunder", "tags": ["fair"]}

    found = await page(either, "add_matching_to_group", arguments)

    rows = {row["id"]: row for row in found["rows"]}
    assert (rows[ids[0]]["action"], rows[ids[0]]["changes"]) == ("unchanged", [])
    assert (rows[ids[1]]["action"], changes_of(rows[ids[1]])) == ("add", {"group": (None, "Kunder")})
    assert found["plan"] == (await either.call("add_matching_to_group", **arguments))["plan"]


async def test_merge_shows_what_the_kept_contact_gets_what_is_deleted_and_what_conflicts(either: Host) -> None:
    keep = await create(either, "Ola Nordmann", company_name="Fjord AS", phone_number="+4791000001")
    other = await create(either, "Ola Nordman", company_name="Dal AS", email="ola@example.com", tags=["vip"])
    group = (await either.call("create_contact_group", name="Kunder"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=[other])
    arguments = {"keep_id": keep, "merge_ids": [other]}

    found = await page(either, "merge_contacts", arguments)

    kept, deleted = found["rows"]
    assert (kept["action"], kept["id"]) == ("merge", keep)
    assert changes_of(kept) == {"email": (None, "ola@example.com"), "tags": (None, "vip"), "group": (None, "Kunder")}
    assert kept["notes"] == [
        'name: "Ola Nordmann" is kept, not "Ola Nordman"; the contact to keep wins',
        'company_name: "Fjord AS" is kept, not "Dal AS"; the contact to keep wins',
    ]
    assert (deleted["action"], deleted["id"], deleted["notes"]) == ("delete", other, [])
    assert changes_of(deleted) == {
        "name": ("Ola Nordman", None),
        "company_name": ("Dal AS", None),
        "email": ("ola@example.com", None),
        "tags": ("vip", None),
    }
    assert found["plan"] == (await page(either, "merge_contacts", arguments))["plan"]
    await either.call("update_contact", contact_id=other, company_name="Berg AS")
    assert found["plan"] != (await page(either, "merge_contacts", arguments))["plan"]


async def test_merge_of_clusters_shows_each_kept_contact_before_those_that_are_deleted(either: Host) -> None:
    ids = [await create(either, f"Person{number}") for number in range(5)]
    arguments = {"clusters": [ids[:2], ids[2:]]}

    found = await page(either, "merge_contacts", arguments)

    assert [(row["action"], row["id"]) for row in found["rows"]] == [
        *(("merge", ids[0]), ("delete", ids[1])),
        *(("merge", ids[2]), ("delete", ids[3]), ("delete", ids[4])),
    ]


async def test_pages_and_filters_select_the_same_rows_as_the_whole_list(directory: Host, files: Path) -> None:
    """No row is missing or repeated; the counts are those of the filters."""
    lines = [f"Person{number},{'' if number % 3 else f'+4790{number:06d}'}" for number in range(90)]
    arguments = write(files, "name,phone", *lines, *lines[:30])

    rows = await read_all(directory, "import_contacts", arguments, limit=500)

    counts = await page(directory, "import_contacts", arguments, limit=1)
    assert [row["row"] for row in rows] == [*range(2, 122)]
    for show in ("all", "changes", "attention"):
        selected = await read_all(directory, "import_contacts", arguments, limit=7, show=show)
        wanted = {"all": rows, "changes": [row for row in rows if row["action"] == "create"]}
        assert selected == wanted.get(show, [row for row in rows if row["notes"]])
    assert (counts["changes"], counts["attention"]) == (90, len([row for row in rows if row["notes"]]))
    beyond = await page(directory, "import_contacts", arguments, offset=500)
    assert (beyond["rows"], beyond["total"]) == ([], 120)


async def test_first_page_plans_anew_and_the_next_ones_show_that_plan(directory: Host, api: Any, files: Path) -> None:
    arguments = write_many(files, 50)
    first = await page(directory, "import_contacts", arguments, limit=10)
    api.calls.clear()
    write_many(files, 40)

    second = await page(directory, "import_contacts", arguments, offset=10, limit=10)

    assert (second["plan"], second["total"], api.calls) == (first["plan"], 50, [])
    again = await page(directory, "import_contacts", arguments, limit=10)
    assert again["total"] == 40
    assert again["plan"] != first["plan"]
    assert (await page(directory, "import_contacts", arguments, offset=10))["plan"] == again["plan"]


async def test_plan_of_another_caller_is_not_shown(connect: Connect, directory: Host, files: Path) -> None:
    """Each caller's pages are of a plan that was made for that caller."""
    arguments = write_many(files, 50)
    before = await page(directory, "import_contacts", arguments)
    write_many(files, 40)

    async with connect("kari") as kari:
        found = await page(kari, "import_contacts", arguments, offset=10)

    assert found["total"] == 40
    assert found["plan"] != before["plan"]
    assert (await page(directory, "import_contacts", arguments, offset=10))["plan"] == before["plan"]


async def test_plan_is_not_applied_by_its_rows(directory: Host, files: Path, person: Person) -> None:
    """Also if the arguments say so."""
    arguments = write_many(files, 3)
    plan = (await directory.call("import_contacts", **arguments))["plan"]

    found = await page(directory, "import_contacts", {**arguments, "apply": True, "plan": plan})

    assert (found["plan"], found["changes"]) == (plan, 3)
    assert (await directory.call("list_contacts"))["contacts"] == []
    assert not person.asked


async def test_rows_do_not_count_as_the_last_plan_of_a_file(directory: Host, files: Path) -> None:
    """An import tells which numbers differ from the last plan that was shown with another region."""
    arguments = write(files, "name,phone", "Ola,91 00 00 01")
    await directory.call("import_contacts", **arguments)

    await page(directory, "import_contacts", {**arguments, "default_region": "SE"})

    plan = await directory.call("import_contacts", **arguments, default_region="SE")
    assert plan["region_change"][0] == "numbers that differ from the plan with NO: 1"


async def test_hostile_names_are_shown_as_harmless_text(directory: Host, files: Path) -> None:
    """Markup stays text; what is invisible or turns the direction of writing is removed, but not hidden as a change."""
    hostile = '<img src=x onerror=alert(1)>"\u202e\u200b\x07'
    await create(directory, "Kari\u200b Vik", phone_number="+4791000001")
    arguments = {
        **write(files, "name,phone,company", f'"{hostile.replace(chr(34), chr(34) * 2)}",+4791000002,' + "x" * 255),
        "on_match": "update",
    }

    (row,) = (await page(directory, "import_contacts", arguments))["rows"]
    rename = {"set_notes": "\u202esecret", "search": "Kari"}
    (changed,) = (await page(directory, "update_matching_contacts", rename))["rows"]

    assert row["name"].startswith('<img src=x onerror=alert(1)>"')
    assert not set("\u202e\u200b\x07") & set(str([row, changed]))
    assert changed["name"] == "Kari Vik"
    assert changes_of(changed)["notes"] == (None, "secret")


async def test_difference_of_long_or_invisible_values_is_seen(directory: Host) -> None:
    """Both values are cut before they differ, or differ only by what is not shown."""
    long = "n" * 2_000
    contact = await create(directory, "Ola", notes=f"{long} before")

    arguments = {"set_notes": f"{long} after"}
    (row,) = (await page(directory, "update_matching_contacts", arguments))["rows"]
    await directory.call("update_contact", contact_id=contact, notes="same")
    (hidden,) = (await page(directory, "update_matching_contacts", {"set_notes": "sa\u200bme"}))["rows"]

    before, after = changes_of(row)["notes"]
    assert before
    assert after
    assert (before[-7:], after[-6:]) == (" before", " after")
    assert len(before) < 100
    assert changes_of(hidden)["notes"] == ("same", "sa\\u200bme")


async def test_large_rows_make_shorter_pages_that_fit_a_host(directory: Host, files: Path) -> None:
    """A panel goes on after the last row that it got."""
    lines = [f"Person{number},{'n' * 900} {number}" for number in range(300)]
    arguments = write(files, "name,notes", *lines)

    first = await raw_page(directory, tool="import_contacts", arguments=arguments, limit=500)
    shown = answer_of(first)
    rows = await read_all(directory, "import_contacts", arguments, limit=500)

    assert 50 < len(shown["rows"]) < 300
    assert "left_out" not in shown
    assert len(text_of(first)) < 75_000
    assert [row["row"] for row in rows] == [*range(2, 302)]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"tool": "delete_contact", "arguments": {}}, "invalid: tool: should be 'import_contacts', "),
        ({"tool": "import_contacts"}, "invalid: arguments: is required"),
        ({"tool": "import_contacts", "arguments": {}}, "invalid: path: is required, or else content or upload"),
        ({"tool": "import_contacts", "arguments": []}, "invalid: arguments: "),
        ({"tool": "import_contacts", "arguments": {"pat": "x"}}, "invalid: pat: unknown argument; did you mean path?"),
        ({"tool": "import_contacts", "arguments": {"path": "no.csv"}}, "invalid: path: "),
        ({"tool": "add_matching_to_group", "arguments": {"group": "x"}}, 'not_found: no group is named "x"'),
        ({"tool": "merge_contacts", "arguments": {"keep_id": MISSING_ID}}, "invalid: give either keep_id and "),
        ({"tool": "update_matching_contacts", "arguments": {"undo": MISSING_ID}}, "not_found: this update can no "),
        ({"tool": "update_matching_contacts", "arguments": {"add_tags": ["x"]}, "limit": 501}, "invalid: limit: "),
        ({"tool": "update_matching_contacts", "arguments": {"add_tags": ["x"]}, "offset": -1}, "invalid: offset: "),
    ],
    ids=str,
)
async def test_call_that_makes_no_plan_is_refused_with_the_reason(directory: Host, given: Any, line: str) -> None:
    refused = await raw_page(directory, **given)

    assert refused.is_error
    assert text_of(refused).startswith(line)


@pytest.mark.slow
async def test_pages_of_ten_thousand_rows_take_a_fraction_of_the_first(directory: Host, files: Path) -> None:
    """And no page keeps the event loop from other callers."""
    arguments = write_many(files, 10_000)
    async with watch_loop() as watch:
        first = await timed(directory, arguments, 0)
        others = [await timed(directory, arguments, offset) for offset in (100, 5_000, 9_900)]

    assert min(others) < first / 5
    assert watch.longest < 0.5


async def timed(host: Host, arguments: dict[str, Any], offset: int) -> float:
    """The processor seconds of one page."""
    began = time.process_time()
    await page(host, "import_contacts", arguments, offset=offset)
    return time.process_time() - began
