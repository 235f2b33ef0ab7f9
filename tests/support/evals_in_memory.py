"""Runs the scripted solution of a task against the server in this process, without an agent framework."""

from pathlib import Path
from typing import Any

from evals.judge import Observed
from evals.person import Person
from evals.places import Place, prepare, read_files, read_trail
from evals.snapshot import read_snapshot
from evals.task import Answer, Task
from evals.world import Seeder

from contacts_mcp.audit import AuditDestinations
from support.hosts import Host, host, text_of


async def run_solution(task: Task, folder: Path, seeder: Seeder) -> Observed:
    """Run a task's solution, and return what it left behind."""
    place = Place(folder / task.name)
    ids = await prepare(task, place, seeder)
    before = await read_snapshot(place.directory)
    person = Person(task)

    async def elicit(context: object, params: Any) -> Any:
        return await person.answer(params.message, None, params, context)

    settings = {"files": place.files, "default_region": "NO", "audit": AuditDestinations(file=place.audit)}
    async with host(place.directory, person=elicit, **settings) as connected:  # type: ignore[arg-type]
        answer = await _play(task, connected)
    after = await read_snapshot(place.directory)
    return Observed(ids, before, after, answer, person.questions, read_files(place), read_trail(place))


async def _play(task: Task, connected: Host) -> Answer | None:
    solution = task.solve()
    received: Any = None
    while True:
        try:
            call = solution.send(received)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        result = await connected.raw(call.tool, **call.arguments)
        received = text_of(result) if result.is_error else result.structured_content
