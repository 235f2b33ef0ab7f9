"""An import over a failing service, repeated, ends like an undisturbed one; no contact is created twice."""

from collections import Counter
from typing import Any

import httpx
import pytest

from support.hosts import text_of
from support.services import UnreliableService
from support.texts import read_results

ROWS = 200
HEADER = "name,phone,email,tags"
UNWRITTEN = ("unchanged", "duplicates", "ambiguous", "invalid")


def rows(count: int = ROWS) -> list[str]:
    """Build rows of which every third has no key, and ten are repeated."""
    made = [
        f"Person{number} Berg,{'' if number % 3 == 0 else f'+4790{number:06d}'},,t{number % 5}"
        for number in range(count)
    ]
    return [*made, *made[:10]]


def contents(unsteady: UnreliableService) -> Counter[tuple[Any, ...]]:
    return Counter(
        (contact["name"], contact["phone_number"], tuple(contact["tags"]))
        for contact in unsteady.service.contacts.values()
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
async def test_import_over_an_unsteady_service_creates_nothing_twice(platform, unsteady, save, seed):
    """429, 500, resets and lost answers occur at random; the counts of each call add up, and a repetition finishes."""
    path = save(HEADER, *rows())
    unsteady.__init__(seed, 0.25)
    for _ in range(12):
        plan = await platform.raw("import_contacts", path=path)
        if plan.is_error:
            assert text_of(plan).split(":")[0] in {"unreachable", "server_fault", "rate_limited", "outcome_unknown"}
            continue
        if "plan" not in (plan.structured_content or {}):
            break
        done = await platform.raw("import_contacts", path=path, apply=True, plan=plan.structured_content["plan"])
        if not done.is_error:
            said = done.structured_content or {}
            written = sum(said.get(name) or 0 for name in ("new_contacts", "updates", "failed", "unknown"))
            assert written + said["unchanged"] + said["duplicates"] + said["invalid"] == said["rows"]
    else:
        pytest.fail("it never came to an end")

    assert len(unsteady.service.contacts) == ROWS
    assert set(contents(unsteady).values()) == {1}


async def test_rows_with_lost_answers_are_matched_again(platform, unsteady, save, files):
    """One call finds the result of every row although many answers were lost."""
    path = save(HEADER, *rows(60))
    plan = await platform.call("import_contacts", path=path)
    unsteady.chance = 0.15

    done = await platform.raw("import_contacts", path=path, apply=True, plan=plan["plan"])
    unsteady.chance = 0

    if done.is_error:  # a read of the directory may fail as well; then the error counts what was done
        assert "done" in text_of(done)
    outcomes = [line.split(",")[1] for line in (files / "people.csv.result.csv").read_text().splitlines()[1:]]
    created = {
        line.split(",")[2] for line in (files / "people.csv.result.csv").read_text().splitlines() if "created" in line
    }
    assert len(outcomes) == 70
    assert created <= set(unsteady.service.contacts)
    assert set(contents(unsteady).values()) == {1}


async def test_row_with_a_lost_answer_that_matches_two_contacts_is_counted_as_unknown(platform, unsteady, save, files):
    """The write is lost, and two other contacts get the row's number meanwhile."""
    path = save(HEADER, "Ola Nordmann,+4790000001,,")
    plan = await platform.call("import_contacts", path=path)
    answer = unsteady.service.answer

    def lose(method: str, *rest: Any) -> Any:
        if method == "POST":
            for name in ("Ola Nordman", "Olla Nordmann"):
                unsteady.service.create_contact({}, {"type": "person", "name": name, "phone_number": "+4790000001"})
            raise httpx.ReadError("lost")
        return answer(method, *rest)

    unsteady.service.answer = lose
    done = await platform.raw("import_contacts", path=path, apply=True, plan=plan["plan"])

    said = done.structured_content or {}
    counts = {name: said.get(name) or 0 for name in ("new_contacts", "updates", "failed", "unknown", *UNWRITTEN)}
    assert not done.is_error, text_of(done)
    assert (said["rows"], sum(counts.values()), counts["unknown"]) == (1, 1, 1)
    (result,) = read_results(files, path)
    assert (result["outcome"], result["detail"]) == ("unknown", "the answer was lost; now matches 2 contacts")


async def test_import_sends_at_most_eight_requests_at_a_time(platform, unsteady, save):
    """Other callers get through meanwhile."""
    path = save(HEADER, *rows(100))
    plan = await platform.call("import_contacts", path=path)

    await platform.call("create_contact", name="Somebody Else")
    refused = await platform.raw("import_contacts", path=path, apply=True, plan=plan["plan"])

    assert not refused.is_error  # the new contact does not affect the plan
    assert 1 <= unsteady.most_at_once <= 8


async def test_refused_key_stops_the_import_and_the_error_counts_what_was_done(platform, unsteady, save, person, files):
    """The result file lists every row."""
    path = save(HEADER, *rows(50))
    plan = await platform.call("import_contacts", path=path)
    answer, created = unsteady.service.answer, Counter[str]()

    def refuse(method: str, path: str, query: Any, body: Any) -> Any:
        created[method] += 1
        return (401, {}) if method == "POST" and created["POST"] > 20 else answer(method, path, query, body)

    unsteady.service.answer = refuse

    line = await platform.error("import_contacts", path=path, apply=True, plan=plan["plan"])

    assert line.startswith("authentication_failed: ")
    assert "until then" in line
    assert "20 created" in line
    assert Counter(row["outcome"] for row in read_results(files, path)) == {
        "created": 20,
        "not_created": 30,
        "duplicate": 10,
    }


@pytest.mark.slow
async def test_rows_that_cannot_be_matched_again_are_counted_as_unknown(platform, unsteady, save):
    """The answers are lost, and then the service is unreachable."""
    path = save(HEADER, *rows(3))
    plan = await platform.call("import_contacts", path=path)
    answer, gone = unsteady.service.answer, False

    def lose(method: str, *rest: Any) -> Any:
        nonlocal gone
        if gone and method == "GET":
            raise httpx.ConnectError("away")
        answered = answer(method, *rest)
        if method == "POST":
            gone = True
            raise httpx.ReadError("lost")
        return answered

    unsteady.service.answer = lose
    line = await platform.error("import_contacts", path=path, apply=True, plan=plan["plan"])

    assert len(unsteady.service.contacts) == 3
    assert line.startswith("unreachable: ")
    assert "until then 6 of 6 done: 3 duplicate, 3 unknown; " in line
