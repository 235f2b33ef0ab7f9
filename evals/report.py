"""The results of runs as a table at a terminal, and as tables in docs/evals.md."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from evals.result import Result
from evals.tasks import FAMILIES, TASKS

_NOT_RUN = ("anthropic:claude-sonnet-4-5", "google:gemini-2.5-pro", "openai:gpt-5", "ollama:qwen3:8b")
"""Models whose rows stay empty until they are run."""
_NOTED = {"not possible": "not possible", "error": "not measured"}
"""Outcomes that a count of right tasks mentions, and how."""
_COLUMNS = ("Right", "Calls", "Tokens", "Consent asked", "Unwanted changes")


def to_table(results: Sequence[Result]) -> Table:
    """Return one row for each family and one for all."""
    table = Table("Family", box=None, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    rows = [result.to_json() for result in results]
    for family, found in _by_family(rows).items():
        if found:
            table.add_row(family, *_cells(found))
    table.add_row("all", *_cells(rows), style="bold")
    return table


def to_markdown(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the runs of all tasks as two tables: what each cost, and what it got right in each family."""
    header = ["Model", "Server", *_COLUMNS[:3], "Tokens of the tools", *_COLUMNS[3:]]
    costs, families = [], []
    for run in runs:
        name, rows = f"| `{run['model']}` | {run['server']} |", run["results"]
        right, calls, tokens, *others = _cells(rows)
        list_tokens = f"{max(row['list_tokens'] for row in rows):,}"
        costs.append(f"{name} {' | '.join([right, calls, tokens, list_tokens, *others])} |")
        families.append(f"{name} {' | '.join(_count_right(found) for found in _by_family(rows).values())} |")
    tried = {run["model"] for run in runs}
    costs += [f"| `{model}` | not run |{' |' * 6}" for model in _NOT_RUN if model not in tried]
    family_header = ["Model", "Server", *(family.name for family in FAMILIES)]
    return "\n".join([*_head(header), *costs, "", *_head(family_header), *families])


def to_task_list() -> str:
    """Return all tasks as a table."""
    rows = [f"| {task.family} | `{task.name}` | {task.prompt} |" for task in TASKS]
    return "\n".join(["| Family | Task | What the person asks for |", "|---|---|---|", *rows])


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---|---|" + "---:|" * (len(columns) - 2)]


def _by_family(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    return {family.name: [row for row in rows if row["family"] == family.name] for family in FAMILIES}


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    sums = [sum(row[name] for row in rows) for name in ("calls", "call_tokens", "questions", "unwanted")]
    return [_count_right(rows), *(f"{total:,}" for total in sums)]


def _count_right(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(row["outcome"] for row in rows)
    notes = [f"{counts[outcome]} {shown}" for outcome, shown in _NOTED.items() if counts[outcome]]
    right = f"{counts['right']} of {len(rows)}"
    return f"{right} ({', '.join(notes)})" if notes else right
