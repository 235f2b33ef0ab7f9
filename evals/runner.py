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
from evals.judge import Observed, judge
from evals.person import Person
from evals.places import Place, prepare, read_files, read_trail
from evals.result import Result
from evals.servers import BASELINE, CONTACTS_MCP, Server, transport_to
from evals.snapshot import read_snapshot
from evals.task import Task
from evals.world import Seeder


@dataclass(frozen=True, slots=True)
class Options:
    """How tasks are run.

    Attributes:
        model: None for the recorded solutions.
        concurrency: tasks at once.
        timeout_seconds: how long a task may take.
    """

    model: Model | None = None
    server: Server = CONTACTS_MCP
    concurrency: int = 2
    timeout_seconds: float = 300.0


async def run_tasks(tasks: Sequence[Task], options: Options, report: Callable[[Result], None]) -> list[Result]:
    """Run tasks and return their results in the same order; `report` gets each when it is there."""
    with TemporaryDirectory(prefix="contacts-evals-") as folder:
        runner = _Runner(options, Path(folder))

        async def run(task: Task) -> Result:
            result = await runner.run(task)
            report(result)
            return result

        return list(await asyncio.gather(*map(run, tasks)))


class _Runner:
    def __init__(self, options: Options, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._seeder = Seeder(folder)
        self._seeding = asyncio.Lock()
        self._limit = asyncio.Semaphore(options.concurrency)

    async def run(self, task: Task) -> Result:
        model = self._options.model or self._scripted_model(task)
        if model is None:
            return Result(task.name, task.family, "not possible")
        async with self._limit:
            place = Place(self._folder / task.name)
            async with self._seeding:
                ids = await prepare(task, place, self._seeder)
            return await self._run(task, model, place, ids)

    def _scripted_model(self, task: Task) -> Model | None:
        solve = BASELINE_SOLUTIONS.get(task.name) if self._options.server == BASELINE else task.solve
        return scripted_model(solve()) if solve else None

    async def _run(self, task: Task, model: Model, place: Place, ids: Mapping[str, str]) -> Result:
        started = time.perf_counter()
        before = await read_snapshot(place.directory)
        person, usage = Person(task), Usage()
        run = await self._run_in_time(task, model, place, person, usage)
        observed = Observed(
            ids,
            before,
            await read_snapshot(place.directory),
            run.answer,
            person.questions,
            read_files(place),
            read_trail(place) if self._options.server.uses("audit") else None,
        )
        verdict = judge(task, observed)
        problems = [run.error] if run.error else []
        if not run.is_broken:
            problems += [*verdict.unwanted, *verdict.problems]
        return Result(
            task.name,
            task.family,
            "error" if run.is_broken else "wrong" if problems else "right",
            problems,
            usage.calls,
            usage.call_tokens,
            usage.list_tokens,
            len(person.questions),
            len(verdict.unwanted),
            round(time.perf_counter() - started, 2),
        )

    async def _run_in_time(self, task: Task, model: Model, place: Place, person: Person, usage: Usage) -> AgentRun:
        limit = self._options.timeout_seconds
        try:
            async with asyncio.timeout(limit), transport_to(self._options.server, place) as transport:
                return await run_agent(task, model, transport, person, usage)
        except TimeoutError:
            return AgentRun(error=f"not finished within {limit:g} s")
