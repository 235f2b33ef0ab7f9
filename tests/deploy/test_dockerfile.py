"""The rules that the image keeps. Nothing here builds it: that takes an engine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from deploy.files import DEPLOY, check_health, dockerfile, health_check, image

ROOT = DEPLOY.parents[1]


def test_the_base_is_slim_and_pinned_and_the_same_in_both_stages() -> None:
    """A version of Python to the patch, and of the system, so that a build next month is the same."""
    (first,), *stages = dockerfile()

    assert first.name == "ARG"
    assert re.fullmatch(r"PYTHON=python:3\.1[1-3]\.\d+-slim-[a-z]+", first.value)
    assert [stage[0].value for stage in stages] == ["${PYTHON} AS build", "${PYTHON}"]


def test_nothing_runs_in_the_image_that_is_shipped() -> None:
    """What builds stays in the first stage: no build tools, no caches, no package manager's leavings."""
    *_, last = dockerfile()

    assert {each.name for each in last}.isdisjoint({"RUN", "ADD", "ARG"})
    assert [each.value.split()[0] for each in last if each.name == "COPY"] == ["--from=build"] * 2


def test_the_wheel_is_installed_with_its_extras_and_compiled() -> None:
    """Redis and telemetry are in; bytecode is made once, and is taken as it is."""
    build = " ".join(each.value for each in dockerfile()[1] if each.name == "RUN")

    assert "wheel --no-cache-dir --no-deps" in build
    assert '"wayscloud-contacts-mcp[postgres,redis,telemetry] @ file://' in build
    assert "compileall -q -j 0 --invalidation-mode unchecked-hash /opt/contacts-mcp/lib" in build
    assert not re.search(r"\b(curl|wget|apt|apt-get|sudo|chmod 777)\b", build)


def test_it_runs_as_a_number_that_is_not_root() -> None:
    """Kubernetes checks `runAsNonRoot` against a number alone; the volume is that user's."""
    user = image()["USER"].value
    build = " ".join(each.value for each in dockerfile()[1])

    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", user)
    assert "install -d -o {} -g {} -m 0700 /data".format(*user.split(":")) in build


def test_it_needs_no_writable_root() -> None:
    """What is kept goes to the volume, and Python writes no bytecode."""
    variables = dict(each.partition("=")[::2] for each in image()["ENV"].value.split())

    assert image()["VOLUME"].value == "/data"
    assert variables["HOME"] == variables["XDG_DATA_HOME"] == "/data"
    assert variables["PYTHONUNBUFFERED"] == variables["PYTHONDONTWRITEBYTECODE"] == "1"
    assert variables["PATH"] == "/opt/contacts-mcp/bin:$PATH"
    assert not any(name.startswith(("CONTACTS_MCP_", "WAYSCLOUD_")) for name in variables)


def test_signals_reach_the_server() -> None:
    """Exec form throughout: no shell stands between the engine and the process."""
    assert image()["ENTRYPOINT"].words == ["contacts-mcp"]
    assert image()["CMD"].words[0] == "serve"
    assert image()["STOPSIGNAL"].value == "SIGTERM"
    assert health_check()[0] == "python"


def test_the_health_check_fails_where_nobody_answers() -> None:
    """With an exit code, which is all that an engine looks at; see test_behind_nginx.py for one that passes."""
    with pytest.raises(subprocess.CalledProcessError):
        check_health(1)


def test_only_what_the_wheel_is_made_of_is_sent_to_the_builder() -> None:
    """Everything is left out but what COPY names, and each of those exists."""
    rules = [
        line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    copied = {word for each in dockerfile()[1] if each.name == "COPY" for word in each.value.split()[:-1]}

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_build_has_what_the_package_names() -> None:
    """Files that pyproject.toml wants in the wheel are among those that are sent."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = {word for each in dockerfile()[1] if each.name == "COPY" for word in each.value.split()}

    assert {project["readme"], *project["license-files"]} <= copied
    assert set(project["optional-dependencies"]) == {"postgres", "redis", "telemetry"}


def test_paths_in_the_comments_are_right() -> None:
    """The build command that the file shows names the file itself."""
    (path,) = re.findall(r"docker build -f (\S+)", (DEPLOY / "Dockerfile").read_text())

    assert ROOT / Path(path) == DEPLOY / "Dockerfile"
