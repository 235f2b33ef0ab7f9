"""Rules for the Dockerfile. No test builds the image, since that needs a container engine."""

import re
import subprocess
import tomllib

import pytest

from deploy.files import DOCKERFILE, ROOT, check_health, health_check_command, image_instructions, read_dockerfile


def test_base_image_is_slim_pinned_and_the_same_in_both_stages() -> None:
    """To the patch version of Python and the release of the system, so that builds are reproducible."""
    (first,), *stages = read_dockerfile()

    assert first.name == "ARG"
    assert re.fullmatch(r"PYTHON=python:3\.1[1-3]\.\d+-slim-[a-z]+", first.value)
    assert [stage[0].value for stage in stages] == ["${PYTHON} AS build", "${PYTHON}"]


def test_final_stage_only_copies_from_the_build_stage() -> None:
    """So it has no build tools, no caches and no files of the package manager."""
    *_, last = read_dockerfile()

    assert {each.name for each in last}.isdisjoint({"RUN", "ADD", "ARG"})
    assert [each.value.split()[0] for each in last if each.name == "COPY"] == ["--from=build"] * 2


def test_wheel_is_installed_with_its_extras_and_compiled() -> None:
    """Bytecode is compiled during the build and is not checked against its source."""
    build = " ".join(each.value for each in read_dockerfile()[1] if each.name == "RUN")

    assert "wheel --no-cache-dir --no-deps" in build
    assert '"wayscloud-contacts-mcp[postgres,redis,oidc,telemetry] @ file://' in build
    assert "compileall -q -j 0 --invalidation-mode unchecked-hash /opt/contacts-mcp/lib" in build
    assert not re.search(r"\b(curl|wget|apt|apt-get|sudo|chmod 777)\b", build)


def test_image_runs_as_a_numeric_non_root_user() -> None:
    """Kubernetes can check `runAsNonRoot` only for a number. The user owns the volume."""
    user = image_instructions()["USER"].value
    build = " ".join(each.value for each in read_dockerfile()[1])

    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", user)
    assert "install -d -o {} -g {} -m 0700 /data".format(*user.split(":")) in build


def test_image_needs_no_writable_root_file_system() -> None:
    """Data goes to the volume, and Python writes no bytecode."""
    variables = dict(each.partition("=")[::2] for each in image_instructions()["ENV"].value.split())

    assert image_instructions()["VOLUME"].value == "/data"
    assert variables["HOME"] == variables["XDG_DATA_HOME"] == "/data"
    assert variables["PYTHONUNBUFFERED"] == variables["PYTHONDONTWRITEBYTECODE"] == "1"
    assert variables["PATH"] == "/opt/contacts-mcp/bin:$PATH"
    assert not any(name.startswith(("CONTACTS_MCP_", "WAYSCLOUD_")) for name in variables)


def test_command_uses_the_exec_form_so_that_signals_reach_the_server() -> None:
    """No shell runs between the engine and the process."""
    assert image_instructions()["ENTRYPOINT"].words == ["contacts-mcp"]
    assert image_instructions()["CMD"].words[0] == "serve"
    assert image_instructions()["STOPSIGNAL"].value == "SIGTERM"
    assert health_check_command()[0] == "python"


def test_health_check_of_a_closed_port_fails() -> None:
    """By its exit code; test_behind_nginx.py has a check that passes."""
    with pytest.raises(subprocess.CalledProcessError):
        check_health(1)


def test_build_context_has_only_the_files_that_are_copied() -> None:
    """All of them exist."""
    rules = [line for line in (ROOT / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in ("#", "")]
    copied = {word for each in read_dockerfile()[1] if each.name == "COPY" for word in each.value.split()[:-1]}

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_build_context_has_the_files_named_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = {word for each in read_dockerfile()[1] if each.name == "COPY" for word in each.value.split()}

    assert {project["readme"], *project["license-files"]} <= copied
    assert set(project["optional-dependencies"]) == {"postgres", "redis", "oidc", "telemetry"}


def test_stdio_command_in_the_comment_confines_the_container() -> None:
    """The health check asks the HTTP server, which a host over stdio does not start."""
    (command,) = re.findall(r"docker run (.+)", DOCKERFILE.read_text())

    assert {"-i", "--rm", "--read-only", "--no-healthcheck"} <= set(command.split())
    assert command.endswith(" serve")
