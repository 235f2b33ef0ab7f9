"""What a person reads before a bulk call: whom it changes in the directory, and how, however hostile the file."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.hosts import MODERN, Host, Person, each_era, enter_in_one_task, host

MAX_QUESTION_LENGTH = 3_000
CHANGE = {"decision": "change"}
LONG = 'W\u202e"\n' * 50


async def _create(directory: Host, **fields: Any) -> str:
    return str((await directory.call("create_contact", **fields, allow_duplicate=True))["id"])


async def _ask(directory: Host, person: Person, tool: str, **arguments: Any) -> str:
    """The question that a person declines before the plan of a call is applied."""
    plan = await directory.call(tool, **arguments)
    assert "plan" in plan, plan
    await directory.declined(tool, **arguments, apply=True, plan=plan["plan"])
    return person.asked[-1].message


async def test_import_question_names_the_contact_and_not_the_row(either, person):
    """A row with an id overwrites whoever has the id, whatever the file calls them."""
    kari = await _create(either, name="Kari Nordmann", phone_number="+4790000001", notes="private words")
    group = (await either.call("create_contact_group", name="Newsletter"))["id"]
    content = f"id,name,company_name,notes\n{kari},Old Test Entry,Fjell,x\n,Ola Nordmann,,\n"

    question = await _ask(either, person, "import_contacts", content=content, on_match="update", group_id=group)

    assert question.startswith("Change: 1 contact, and create 1, with data from a file?\n")
    expected = f'- "Kari Nordmann" (id {kari}): name "Kari Nordmann" → "Old Test Entry"; company_name (empty) → "Fjell"'
    assert f"{expected}; notes of 13 characters → 1 characters" in question
    assert 'Added to group "Newsletter"' in question
    assert ": 2 contacts." in question
    assert "private" not in question


async def test_question_shows_renamed_contacts_before_others(directory, person):
    """The one row that takes a contact's name is not hidden behind a hundred that fill an empty field."""
    ids = [await _create(directory, name=f"Person {number}") for number in range(30)]
    rows = [f"{each},Person {number},Fjell" for number, each in enumerate(ids)]
    rows[-1] = f"{ids[-1]},Test,Fjell"

    content = "\n".join(["id,name,company_name", *rows])
    question = await _ask(directory, person, "import_contacts", content=content, on_match="update")

    assert question.splitlines()[1].startswith(f'- "Person 29" (id {ids[-1]}): name "Person 29" → "Test"')
    assert "and 25 more" in question.splitlines()


async def test_update_question_shows_old_and_new_values(either, person):
    ids = [await _create(either, name=f"Person {number}", company_name=f"Old {number}") for number in range(7)]

    change = {"set_company_name": "New", "set_notes": "hidden words", "add_tags": ["vip"]}
    question = await _ask(either, person, "update_matching_contacts", **change)

    named = [line for line in question.splitlines() if line.startswith("- ")]
    assert len(named) == 5
    for line in named:
        number = line[len('- "Person ')]
        assert f"(id {ids[int(number)]}): " in line
        assert f'company_name "Old {number}" → "New"' in line
        assert 'tags +"vip"' in line
    assert "and 2 more" in question
    assert "hidden words" not in question


async def test_merge_question_shows_what_changes_and_what_is_lost(either, person):
    keep = await _create(either, name="Ola Nordmann", company_name="Fjell")
    other = await _create(either, name="Ola N.", email="ola@example.com")

    await either.declined("merge_contacts", keep_id=keep, merge_ids=[other])

    assert 'email (empty) → "ola@example.com"' in person.question
    assert 'Not kept: name "Ola N."' in person.question


@pytest.fixture
async def guarded(tmp_path: Path, person: Person) -> AsyncIterator[Host]:
    """A host whose operator has every writing workflow confirmed."""
    settings = {"confirm": "add_matching_to_group,import_contacts,update_matching_contacts"}
    async with enter_in_one_task(host(tmp_path / "guarded.db", MODERN, person, **settings)) as connected:
        yield connected


async def test_question_about_new_members_names_them_and_the_group(guarded, person):
    ids = [await _create(guarded, name=f"Person {number}", tags=["vip"]) for number in range(7)]
    group = (await guarded.call("create_contact_group", name="Newsletter"))["id"]

    question = await _ask(guarded, person, "add_matching_to_group", tags=["vip"], group_id=group)

    assert f'7 contacts to group "Newsletter" (id {group}' in question
    assert sum(f"(id {each})" in question for each in ids) == 5
    assert "and 2 more" in question


async def test_import_that_only_creates_says_so(guarded, person):
    question = await _ask(guarded, person, "import_contacts", content="name\nOla Nordmann\n")

    assert "no existing contact, and create 1, with data from a file" in question


@pytest.mark.parametrize("tool", ["import_contacts", "update_matching_contacts", "add_matching_to_group"])
async def test_question_with_hostile_values_is_bounded_and_plain(guarded, person, tool):
    """Values cannot fill the form, begin a line or end their quotation."""
    filled = {"company_name": LONG, "email": "a" * 60 + "@example.com", "tags": [LONG[:60]], "notes": "hidden"}
    ids = [await _create(guarded, name=LONG, **filled) for _ in range(8)]
    group = (await guarded.call("create_contact_group", name=LONG))["id"]
    rows = [f'{each},"{LONG.replace(chr(34), chr(34) * 2)} {each}",New,{"b" * 60}@example.com,x' for each in ids]
    content = "\n".join(["id,name,company_name,email,tags", *rows])
    arguments = {
        "import_contacts": {"content": content, "on_match": "update", "group_id": group},
        "update_matching_contacts": {"set_company_name": LONG[:200], "set_notes": "hidden", "add_tags": [LONG[:60]]},
        "add_matching_to_group": {"group_id": group},
    }[tool]

    question = await _ask(guarded, person, tool, **arguments)

    assert len(question) <= MAX_QUESTION_LENGTH
    assert question.count('"') % 2 == 0
    assert "\u202e" not in question
    assert "hidden" not in question


@pytest.mark.slow
async def test_merge_of_many_long_contacts_is_bounded(guarded, person):
    """Every contact that is deleted is named."""
    fields = {"company_name": LONG, "email": "a" * 60 + "@example.com"}
    ids = [await _create(guarded, name=f"{number} {LONG}"[:240], **fields) for number in range(21)]

    await guarded.declined("merge_contacts", keep_id=ids[0], merge_ids=ids[1:])

    assert all(each in person.question for each in ids)
    assert len(person.question) <= MAX_QUESTION_LENGTH + 500


@each_era
async def test_renamed_contact_needs_a_new_consent_even_if_its_name_is_not_overwritten(tmp_path, person, era):
    """The person agreed to a change of another name."""
    async with host(tmp_path / "contacts.db", era, person) as directory:
        kari = await _create(directory, name="Kari", company_name="Fjell")
        arguments = {"set_company_name": "Vidde"}
        plan = await directory.call("update_matching_contacts", **arguments)
        person.content = CHANGE
        person.meanwhile = lambda: directory.call("update_contact", contact_id=kari, name="Kari Nordmann")

        await directory.error("update_matching_contacts", **arguments, apply=True, plan=plan["plan"])

        assert (await directory.call("get_contact", contact_id=kari))["company_name"] == "Fjell"


@each_era
async def test_renamed_group_needs_a_new_consent(tmp_path, person, era):
    async with host(tmp_path / "contacts.db", era, person, confirm="add_matching_to_group") as directory:
        await _create(directory, name="Kari")
        group = (await directory.call("create_contact_group", name="Friends"))["id"]
        plan = await directory.call("add_matching_to_group", group_id=group)
        person.content = CHANGE
        person.meanwhile = lambda: directory.call("update_contact_group", group_id=group, name="Everybody")

        line = await directory.error("add_matching_to_group", group_id=group, apply=True, plan=plan["plan"])

        assert line.startswith("not_confirmed: the target was changed")
        assert (await directory.call("get_contact_group", group_id=group))["member_count"] == 0
