"""`python -m evals` as a user runs it, with real servers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Never

import pytest
from evals.result import read_published
from evals.tasks import FAMILIES, TASKS

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 120


def run_evals(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evals", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)


def outcomes(path: Path) -> dict[str, str]:
    return {result["task"]: result["outcome"] for result in json.loads(path.read_text())["results"]}


@pytest.mark.system
def test_scripted_run_is_right_and_reports_its_cost(tmp_path: Path) -> None:
    """Over stdio, with the agent framework, and with the consent that the guard asks for."""
    finished = run_evals("run", "--task", "person-declines", "--task", "delete-person", "--json", str(tmp_path / "out"))

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert outcomes(tmp_path / "out") == {"delete-person": "right", "person-declines": "right"}
    deleted, declined = json.loads((tmp_path / "out").read_text())["results"]
    assert (deleted["calls"], declined["calls"]) == (1, 2)
    assert (deleted["questions"], declined["questions"]) == (1, 1)
    assert (deleted["unwanted"], declined["unwanted"]) == (0, 0)
    assert 0 < deleted["call_tokens"] < declined["call_tokens"]
    assert 2_000 < deleted["list_tokens"] < 6_000


@pytest.mark.system
def test_generated_baseline_deletes_without_a_question_and_cannot_read_files(tmp_path: Path) -> None:
    names = ("rename-a-group", "person-declines", "import-cards")
    chosen = [word for name in names for word in ("--task", name)]

    finished = run_evals("run", "--server", "fastmcp-openapi", *chosen, "--json", str(tmp_path / "out"))

    assert finished.returncode == 1
    assert outcomes(tmp_path / "out") == {
        "rename-a-group": "right",
        "person-declines": "wrong",
        "import-cards": "not possible",
    }


@pytest.mark.system
async def test_unreachable_model_is_an_error_and_not_a_wrong_answer() -> None:
    """A provider's outage must not look like an agent that did nothing."""
    from evals.runner import Options, run_tasks
    from pydantic_ai.exceptions import ModelHTTPError  # it takes seconds to import, and the fast tests do without
    from pydantic_ai.models.function import FunctionModel

    async def fail(_messages: object, _info: object) -> Never:
        raise ModelHTTPError(503, "a model")

    (task,) = (task for task in TASKS if task.name == "add-tag")
    (result,) = await run_tasks([task], Options(FunctionModel(fail)), lambda _: None)

    assert result.outcome == "error"
    assert "503" in " ".join(result.problems)


@pytest.mark.slow
def test_model_without_its_package_or_key_ends_with_a_message() -> None:
    finished = run_evals("run", "--model", "openai:gpt-5", "--task", "add-tag")

    assert finished.returncode == 2
    assert finished.stdout.startswith("cannot use the model openai:gpt-5: ")


@pytest.mark.slow
def test_list_names_the_tasks_of_a_family() -> None:
    finished = run_evals("list", "--family", "safety")

    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.splitlines()) == 8


def test_published_results_are_of_all_tasks() -> None:
    """A result of an older set of tasks cannot be compared with a newer one."""
    for run in read_published():
        assert [result["task"] for result in run["results"]] == [task.name for task in TASKS], run["server"]


def test_scripted_run_that_is_published_has_no_wrong_task() -> None:
    (run,) = (run for run in read_published() if (run["model"], run["server"]) == ("scripted", "contacts-mcp"))

    assert {result["outcome"] for result in run["results"]} == {"right"}
    assert {result["family"] for result in run["results"]} == {family.name for family in FAMILIES}
