"""Plans that exceed the write budget: a person is asked in a form, or nothing is written."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from contacts_mcp.client import ContactsClient
from contacts_mcp.tools import Backend, WriteBudget
from support.clock import Clock
from support.hosts import LEGACY, MODERN, Host, Person, each_era, enter_in_one_task, host, server_over

BUDGET = 3
FOUR = {"content": "name,phone\n" + "\n".join(f"Ola {number},+4799999{number:03}" for number in range(4))}
YES = {"decision": "change"}


@pytest.fixture
def person() -> Person:
    return Person(content=YES)


@pytest.fixture(params=[LEGACY, MODERN])
async def directory(tmp_path: Path, person: Person, request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    where = host(tmp_path / "contacts.db", request.param, person, write_budget=BUDGET)
    async with enter_in_one_task(where) as opened:
        yield opened


async def total(directory: Host) -> int:
    return int((await directory.call("list_contacts"))["total"])


async def test_import_above_the_budget_is_applied_after_a_person_agreed_in_a_form(
    directory: Host, person: Person
) -> None:
    """The plan says so before. What the person agreed to leaves the budget as it was."""
    plan = await directory.call("import_contacts", **FOUR)
    done = await directory.call("import_contacts", **FOUR, apply=True, plan=plan["plan"])
    for number in range(BUDGET):
        await directory.call("create_contact", name=f"Kari {number}")

    assert plan["next"].endswith("a form then asks the person, as only 3 changes are left in this hour without consent")
    assert "no existing contact, and create 4, with data from a file?" in person.question
    assert "These are 4 changes; 3 are left in this hour without a person's consent." in person.question
    assert (done["new_contacts"], await total(directory)) == (4, 4 + BUDGET)
    assert (await directory.error("create_contact", name="one more")).startswith("write_budget: ")


@pytest.mark.parametrize("answer", [Person(action="decline"), Person({"decision": "keep"}), Person({})])
async def test_import_above_the_budget_writes_nothing_without_a_yes(
    directory: Host, person: Person, answer: Person
) -> None:
    person.action, person.content = answer.action, answer.content
    plan = await directory.call("import_contacts", **FOUR)

    await directory.declined("import_contacts", **FOUR, apply=True, plan=plan["plan"])

    assert len(person.asked) == 1
    assert await total(directory) == 0


async def test_import_within_the_budget_asks_no_person(directory: Host, person: Person) -> None:
    three = {"content": FOUR["content"].rpartition("\n")[0]}
    plan = await directory.call("import_contacts", **three)
    await directory.call("import_contacts", **three, apply=True, plan=plan["plan"])

    assert plan["next"].startswith("repeat the call with apply and this plan if the person asked for exactly this; ")
    assert not person.asked
    assert await total(directory) == 3


@each_era
@pytest.mark.parametrize(
    ("asks", "mode"), [(False, "ask"), (False, "two-step"), (True, "block")], ids=["no form", "two-step", "blocked"]
)
async def test_import_above_the_budget_is_refused_if_no_person_can_be_asked_in_a_form(
    tmp_path: Path, era: str, asks: bool, mode: str
) -> None:
    """The plan says so before; a token proves no consent."""
    asked = Person(YES)
    settings = {"write_budget": BUDGET, "guard": mode}
    async with host(tmp_path / "contacts.db", era, asked if asks else None, **settings) as directory:
        plan = await directory.call("import_contacts", **FOUR)
        line = await directory.error("import_contacts", **FOUR, apply=True, plan=plan["plan"])
        assert await total(directory) == 0

    why = "this call makes 4 changes, but only 3 of 3 per hour are left; nothing more was changed; "
    assert plan["next"].startswith(f"cannot be applied now: {why}")
    assert line.startswith(f"write_budget: {why}")
    assert not asked.asked


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("update_matching_contacts", {"search": "Ola", "add_tags": ["x"]}), ("add_matching_to_group", {"search": "Ola"})],
)
async def test_every_plan_above_the_budget_asks_a_person(
    tmp_path: Path, person: Person, tool: str, arguments: dict[str, object]
) -> None:
    path = tmp_path / "contacts.db"
    async with host(path) as unlimited:
        await unlimited.apply("import_contacts", **FOUR)
        group = (await unlimited.call("create_contact_group", name="Choir"))["id"]
    given = {**arguments, "group_id": group} if tool == "add_matching_to_group" else arguments
    async with host(path, MODERN, person, write_budget=BUDGET) as directory:
        done = await directory.apply(tool, **given)

    assert "These are 4 changes; 3 are left" in person.question
    assert 4 in (done.get("updates"), done.get("new_members"))


async def test_no_of_a_person_counts_even_if_the_budget_has_room_again(tmp_path: Path, person: Person) -> None:
    """An hour may pass between question and answer."""
    clock = Clock()
    budget = WriteBudget(BUDGET, clock)
    person.action = "decline"

    async def wait() -> None:
        clock.now += 3_700

    person.meanwhile = wait
    async with (
        ContactsClient.for_directory(tmp_path / "contacts.db") as api,
        Client(
            server_over(backend_for=lambda _: Backend(api, budget=budget)), mode=MODERN, elicitation_callback=person
        ) as client,
    ):
        directory = Host(client)
        await directory.call("create_contact", name="Kari")
        three = {"content": FOUR["content"].rpartition("\n")[0]}
        plan = await directory.call("import_contacts", **three)
        await directory.declined("import_contacts", **three, apply=True, plan=plan["plan"])

        assert await total(directory) == 1


async def test_deletions_that_a_person_agreed_to_do_not_count(directory: Host, person: Person) -> None:
    person.content = {"decision": "delete"}
    contacts = [await directory.create() for _ in range(BUDGET)]

    for contact in contacts:
        await directory.call("delete_contact", **contact)

    assert await total(directory) == 0
