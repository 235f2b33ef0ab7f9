"""The result of one task, and the published results of whole runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from contacts_mcp import __version__

RESULTS = Path(__file__).parent / "results"
"""The published results, one file for each run of all tasks."""

Outcome = Literal["right", "wrong", "not possible", "error"]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one task.

    Attributes:
        outcome: "not possible" if there is no recorded solution with this server's tools; such a task is not run.
            "error" if the model could not be reached or the server did not start, so that nothing was measured.
        problems: what is wrong, one line each.
        calls, call_tokens, list_tokens: see `Usage`.
        questions: how often the person was asked.
        unwanted: changes in the directory that nobody wanted.
    """

    task: str
    family: str
    outcome: Outcome
    problems: Sequence[str] = ()
    calls: int = 0
    call_tokens: int = 0
    list_tokens: int = 0
    questions: int = 0
    unwanted: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return asdict(self)


def to_json(model: str, server: str, results: Sequence[Result]) -> dict[str, Any]:
    """Return the results of a run with what ran them, and when."""
    return {
        "model": model,
        "server": server,
        "version": __version__,
        "date": datetime.now(UTC).date().isoformat(),
        "results": [result.to_json() for result in results],
    }


def read_published() -> list[dict[str, Any]]:
    """Return the published runs in the order of their files' names."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]
