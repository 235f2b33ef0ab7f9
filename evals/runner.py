"""Runs tasks: seeds a directory for each, runs the agent, and judges what it left behind."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic_ai.models import Model

from evals.agent import AgentRun, Usage, run_agent, scripted_model
from evals.baseline.solutions import BASELINE_SOLUTIONS
from evals.judge import Observed, Verdict, judge
from evals.person import Person
from evals.places import Place, prepare, read_files, read_trail
from evals.result import Result
from evals.servers import BASELINE, CONTACTS_MCP, Server, transport_to
from evals.snapshot import read_snapshot
from evals.task import Solution, Task
from evals.world import Seeder

SCRIPTED = "scripted"
"""The name of the model that carries out the recorded solutions."""


@dataclass(frozen=True, slots=True)
class Options:
    """What runs the tasks: a model by its name, a server, how many tasks at once, and each one's time limit."""

    model: str = SCRIPTED
    server: Server = CONTACTS_MCP
    concurrency: int = 2
    timeout_seconds: float = 300.0


async def run_tasks(tasks: Sequence[Task], options: Options, report: Callable[[Result], None]) -> list[Result]:
    """Run tasks and return their results in the same order; `report` gets each when it is there."""
    limit = asyncio.Semaphore(options.concurrency)
    with TemporaryDirectory(prefix="contacts-evals-") as folder:
        seeder, seeding = Seeder(Path(folder)), asyncio.Lock()

        async def run(task: Task) -> Result:
            solution = _solution_of(task, options)
            if options.model == SCRIPTED and solution is None:
                result = Result(task.name, task.family, "not possible")
            else:
                async with limit:
                    place = Place(Path(folder) / task.name)
                    async with seeding:
                        ids = await prepare(task, place, seeder)
                    model = scripted_model(solution()) if solution else options.model
                    result = await run_task(task, model, options, place, ids)
            report(result)
            return result

        return list(await asyncio.gather(*map(run, tasks)))


def _solution_of(task: Task, options: Options) -> Callable[[], Solution] | None:
    if options.model != SCRIPTED:
        return None
    return BASELINE_SOLUTIONS.get(task.name) if options.server == BASELINE else task.solve


async def run_task(task: Task, model: Model | str, options: Options, place: Place, ids: Mapping[str, str]) -> Result:
    """Run one task in a prepared place."""
    started = time.perf_counter()
    before = await read_snapshot(place.directory)
    person = Person(task)
    run = await _run_in_time(task, model, options, place, person)
    observed = Observed(
        ids,
        before,
        await read_snapshot(place.directory),
        run.answer,
        person.questions,
        read_files(place),
        read_trail(place) if options.server.uses("audit") else None,
    )
    return _to_result(task, run, judge(task, observed), len(person.questions), time.perf_counter() - started)


async def _run_in_time(task: Task, model: Model | str, options: Options, place: Place, person: Person) -> AgentRun:
    try:
        async with asyncio.timeout(options.timeout_seconds), transport_to(options.server, place) as transport:
            return await run_agent(task, model, transport, person)
    except TimeoutError:
        return AgentRun(None, Usage(), f"not finished within {options.timeout_seconds:g} s")


def _to_result(task: Task, run: AgentRun, verdict: Verdict, questions: int, seconds: float) -> Result:
    problems = [*([run.error] if run.error else []), *verdict.unwanted, *verdict.problems]
    return Result(
        task.name,
        task.family,
        "wrong" if problems else "right",
        problems,
        run.usage.calls,
        run.usage.call_tokens,
        run.usage.list_tokens,
        questions,
        len(verdict.unwanted),
        round(seconds, 2),
    )
