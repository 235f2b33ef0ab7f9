"""Answers of two-step tools: one vocabulary for a plan and its result, no repetition, and what `next` tells a model."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.hosts import Host, Person, enter_in_one_task, host

FILE = (
    "name,phone,e-mail,tags\nOla Berg,+4790000001,ola@example.com,\nPer Hansen,+4790000003,,\n,,,x\nEva Lund,22 33,,\n"
)
OVERWRITES = {"search": "Ola", "set_company_name": "Fjord AS"}
PLANNED = pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("update_matching_contacts", {**OVERWRITES, "normalize_phones": True}),
        ("import_contacts", {"content": FILE, "on_match": "update", "group": "Fair", "create_group": True}),
        ("add_matching_to_group", {"group": "Fair", "create_group": True}),
    ],
    ids=["update", "import", "add"],
)
ASKED_FOR = "repeat the call with apply and this plan if the person asked for exactly this; else show it first"


async def create_contacts(directory: Host) -> None:
    await directory.call("create_contact", name="Ola Nordmann Berg", phone_number="+4790000001", company_name="Old AS")
    await directory.call("create_contact", name="Kari Moe")


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Host]:
    """A directory with two contacts, and a person who agrees to changes."""
    person = Person({"decision": "change"})
    async with enter_in_one_task(host(tmp_path / "contacts.db", person=person)) as connected:
        await create_contacts(connected)
        yield connected


def counts_of(answer: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in answer.items() if isinstance(value, int) and not isinstance(value, bool)}


@PLANNED
async def test_plan_and_result_have_the_same_counts(directory: Host, tool: str, arguments: dict[str, Any]) -> None:
    """Only `applied` tells them apart, and what happens only when a plan is applied: a failure, a file."""
    plan = await directory.call(tool, **arguments)
    done = await directory.call(tool, **arguments, apply=True, plan=plan["plan"])

    assert (plan["applied"], done["applied"]) == (False, True)
    assert counts_of(plan)
    assert counts_of(plan).items() <= counts_of(done).items()
    assert counts_of(done).keys() - counts_of(plan).keys() <= {"failed", "unknown", "bytes"}


@PLANNED
async def test_result_does_not_repeat_the_plan(directory: Host, tool: str, arguments: dict[str, Any]) -> None:
    """It has counts, the rows that were skipped and why, and why SMS cannot reach some."""
    plan = await directory.call(tool, **arguments)
    done = await directory.call(tool, **arguments, apply=True, plan=plan["plan"])

    explained = {name for name, value in plan.items() if isinstance(value, list)} | {"understood_as", "region"}
    assert "sample" in explained & plan.keys()
    assert explained & done.keys() <= {"problems", "not_reachable_by_sms"}
    assert done.keys().isdisjoint({"plan", "next"})
    assert done.get("problems") == plan.get("problems")


async def test_result_of_an_import_names_the_rows_that_were_skipped(directory: Host) -> None:
    done = await directory.apply("import_contacts", content="name,phone,tags\nPer Hansen,+4790000003,\n,,x\n")

    assert (done["new_contacts"], done["invalid"]) == (1, 1)
    assert done["problems"] == ["row 3 has no name, number or e-mail address"]


@pytest.mark.parametrize(
    ("asks", "mode", "then"),
    [
        (True, "ask", f"{ASKED_FOR}; a form then asks the person"),
        (False, "two-step", f"{ASKED_FOR}; the call then returns a question to show to the person"),
        (False, "ask", "cannot be applied here: it needs a person's consent, and no person can be asked here"),
        (True, "block", "cannot be applied here: it needs a person's consent, and no person can be asked here"),
    ],
    ids=["form", "token", "no form", "blocked"],
)
async def test_plan_says_whether_a_person_is_asked_when_it_is_applied(
    tmp_path: Path, asks: bool, mode: str, then: str
) -> None:
    """A model need not ask the person again for what they asked for."""
    async with host(tmp_path / "contacts.db", person=Person() if asks else None, guard=mode) as directory:
        await create_contacts(directory)

        overwriting = await directory.call("update_matching_contacts", **OVERWRITES)
        adding = await directory.call("update_matching_contacts", search="Ola", add_tags=["fair"])

    assert overwriting["next"] == then
    assert adding["next"] == ASKED_FOR
