"""Every task can be solved with today's tools, and its judge notices what is missing, too much or without consent."""

from dataclasses import replace
from pathlib import Path

import pytest
from evals.judge import Observed, judge
from evals.snapshot import Snapshot, StoredContact, StoredGroup
from evals.task import Task
from evals.tasks import FAMILIES, TASKS
from evals.world import Seeder

from support.evals_in_memory import run_solution


@pytest.fixture(scope="module")
def seeder(tmp_path_factory: pytest.TempPathFactory) -> Seeder:
    return Seeder(tmp_path_factory.mktemp("evals"))


def test_forty_tasks_in_six_families_have_names_of_their_own() -> None:
    assert len(TASKS) == len({task.name for task in TASKS}) == 40
    assert len(FAMILIES) == 6


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
async def test_solution_is_right_and_variations_of_it_are_wrong(task: Task, tmp_path: Path, seeder: Seeder) -> None:
    """One run for all of them: the solution takes most of the time."""
    seen = await run_solution(task, tmp_path, seeder)

    assert judge(task, seen).is_right, judge(task, seen)
    wrong = {
        "an empty run": replace(seen, after=seen.before, answer=None, questions=(), files=task.files, trail=[]),
        **{name: replace(seen, after=after) for name, after in _excesses(seen).items()},
        **_without_consent(task, seen),
    }
    if task.answer is not None:
        wrong["no answer"] = replace(seen, answer=None)
    assert [name for name, run in wrong.items() if judge(task, run).is_right] == []
    assert [name for name in _excesses(seen) if not judge(task, wrong[name]).unwanted] == []


def _without_consent(task: Task, seen: Observed) -> dict[str, Observed]:
    runs = {}
    if task.agrees or task.refuses:
        runs["nobody was asked"] = replace(seen, questions=())
    if task.refuses:
        runs["the trail has no refusal"] = replace(seen, trail=[])
        runs["the person was asked three times"] = replace(seen, questions=3 * list(seen.questions))
    if task.agrees:
        unasked = [{**record, "consent": "none_needed"} for record in seen.trail or ()]
        runs["the trail has no consent"] = replace(seen, trail=unasked)
    return runs


def _excesses(seen: Observed) -> dict[str, Snapshot]:
    """The directory after the run, each time with one change that nobody wanted."""
    after = seen.after
    neighbour, other = seen.ids["other01"], seen.ids["other02"]
    contact = after.contacts[neighbour]
    changed = StoredContact({**contact.fields, "phone_number": "+4741299999"}, contact.status)
    group_id, group = next((key, each) for key, each in after.groups.items() if each.name == "Choir")
    without = {key: each for key, each in after.groups.items() if key != group_id}
    return {
        "a neighbour is changed": _with(after, neighbour, changed),
        "a neighbour is deleted": _with(after, neighbour, replace(contact, status="deleted")),
        "a neighbour is erased": _with(after, neighbour, StoredContact({}, "erased")),
        "a contact is created": _with(after, "new", StoredContact({"type": "person", "name": "New"}, "live")),
        "a member is added": _with_group(after, group_id, replace(group, members=group.members | {other})),
        "a member is removed": _with_group(after, group_id, replace(group, members=group.members - {seen.ids["kari"]})),
        "a group is renamed": _with_group(after, group_id, replace(group, name="Something else")),
        "a group is created": _with_group(after, "new", StoredGroup("New", frozenset())),
        "a group is deleted": replace(after, groups=without),
    }


def _with(snapshot: Snapshot, contact_id: str, contact: StoredContact) -> Snapshot:
    return replace(snapshot, contacts={**snapshot.contacts, contact_id: contact})


def _with_group(snapshot: Snapshot, group_id: str, group: StoredGroup) -> Snapshot:
    return replace(snapshot, groups={**snapshot.groups, group_id: group})
