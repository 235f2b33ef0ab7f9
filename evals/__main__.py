"""The command line: `python -m evals run` and `python -m evals list`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import infer_model
from rich.console import Console

from evals.report import to_table
from evals.result import Result, to_json
from evals.runner import Options, run_tasks
from evals.servers import CONTACTS_MCP, parse_server
from evals.task import Task
from evals.tasks import FAMILIES, TASKS

SCRIPTED = "scripted"
"""The name of the model that carries out the recorded solutions."""
_CONSOLE = Console(highlight=False, emoji=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 1 if a task went wrong, 2 if the model cannot be used."""
    options = _build_parser().parse_args(arguments)
    return int(options.run(options))


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals", description="How well agents do with the tools.")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run tasks with a model")
    run.set_defaults(run=_run)
    run.add_argument("--model", default=SCRIPTED, help="a model of Pydantic AI (openai:gpt-5); default: scripted")
    run.add_argument("--server", default=CONTACTS_MCP.name, help="contacts-mcp, fastmcp-openapi, or a command")
    run.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of that command")
    run.add_argument("--json", type=Path, metavar="FILE", help="write the results to a file")
    run.add_argument("--jobs", type=int, default=2, help="tasks at once; default: 2")
    run.add_argument("--timeout", type=float, default=300, help="seconds that a task may take; default: 300")
    listing = commands.add_parser("list", help="list tasks")
    listing.set_defaults(run=_list)
    for command in (run, listing):
        command.add_argument("--family", action="append", choices=[family.name for family in FAMILIES])
        command.add_argument("--task", action="append", choices=[task.name for task in TASKS], metavar="NAME")
    return parser


def _run(options: argparse.Namespace) -> int:
    server = parse_server(options.server, options.env)
    try:
        model = None if options.model == SCRIPTED else infer_model(options.model)
    except (ImportError, UserError) as exc:
        _CONSOLE.print(f"cannot use the model {options.model}: {exc}", markup=False, soft_wrap=True)
        return 2
    settings = Options(model, server, options.jobs, options.timeout)
    results = asyncio.run(run_tasks(_select(options), settings, _print_result))
    _CONSOLE.print(to_table(results))
    if options.json:
        document = to_json(options.model, server.name, results)
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return int(any(result.outcome in {"wrong", "error"} for result in results))


def _print_result(result: Result) -> None:
    problems = f": {'; '.join(result.problems)}" if result.problems else ""
    _CONSOLE.print(f"{result.outcome:>12}  {result.task}{problems}", markup=False, soft_wrap=True)


def _list(options: argparse.Namespace) -> int:
    for task in _select(options):
        _CONSOLE.print(f"{task.family:>8}  {task.name}: {task.prompt}", markup=False, soft_wrap=True)
    return 0


def _select(options: argparse.Namespace) -> list[Task]:
    return [
        task
        for task in TASKS
        if (not options.family or task.family in options.family) and (not options.task or task.name in options.task)
    ]


if __name__ == "__main__":
    sys.exit(main())
