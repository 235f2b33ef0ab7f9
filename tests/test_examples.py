"""Every example runs, and every host configuration starts the server."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.tools import TOOLS
from support.processes import API_KEY, ChildProcess, clean_environment
from support.services import directory_service

pytestmark = pytest.mark.system

EXAMPLES = Path(__file__).parent.parent / "examples"
HOSTS = sorted((EXAMPLES / "hosts").glob("*.json"))


def example(home: Path, name: str, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=clean_environment(home, **variables),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart_finds_the_contact_that_it_created(tmp_path: Path) -> None:
    """The first script that a reader runs lists the tools and finds its contact."""
    out = example(tmp_path, "quickstart")

    assert out.startswith(f"{len(TOOLS)} tools: list_contacts, create_contact")
    assert "'total': 1" in out


def test_sms_audience_with_a_key_groups_a_tag(tmp_path: Path) -> None:
    """With a key the script works on the contacts of the service."""
    with directory_service(tmp_path) as address:
        out = example(tmp_path, "sms_audience", "nobody", WAYSCLOUD_API_KEY=API_KEY, WAYSCLOUD_API_URL=address)
    assert "'member_count': 0" in out


def test_sms_audience_without_a_key_works_on_a_temporary_directory(tmp_path: Path) -> None:
    """An empty key counts as none; the user data folder stays untouched."""
    out = example(tmp_path, "sms_audience", WAYSCLOUD_API_KEY="", WAYSCLOUD_API_URL="http://127.0.0.1:1")

    assert "without an E.164 number: Bjørn Håkonsen" in out
    assert not (tmp_path / "data").exists()


def test_google_export_becomes_an_sms_group_in_six_calls(tmp_path: Path) -> None:
    """The script plans, imports, merges one duplicate with consent, and checks the group."""
    out = example(tmp_path, "google_to_sms", "--yes")

    assert "7 rows: 6 new, 1 repeated, 0 invalid" in out
    assert "merged: Kari Marie Nordmann" in out
    assert out.splitlines()[-1] == "4 of 5 members are reached by SMS"
    source = (EXAMPLES / "google_to_sms.py").read_text()
    assert source.count("await call(client, ") == 6


def test_google_export_without_a_terminal_merges_nothing(tmp_path: Path) -> None:
    """Without a person to ask, the person has declined."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "google_to_sms.py")],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=clean_environment(tmp_path),
        check=False,
    )

    assert "the person declined; nothing was changed" in done.stderr


def test_erasure_request_without_a_terminal_erases_nothing(tmp_path: Path) -> None:
    """Without a terminal, the example declines."""
    assert "not erased: the question was declined, or never shown" in example(tmp_path, "erasure_request")


def test_erasure_request_with_the_typed_name_erases(tmp_path: Path) -> None:
    """The name of the contact is the consent."""
    out = example(tmp_path, "erasure_request", "Ola Nordmann")

    assert "Erase permanently" in out
    assert out.splitlines()[-1].startswith("erased:")


@pytest.mark.parametrize("remote", [False, True])
def test_library_works_without_mcp(tmp_path: Path, remote: bool) -> None:
    """The client works against the embedded directory and over HTTP."""
    with directory_service(tmp_path) as address:
        variables = {"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": address} if remote else {}
        out = example(tmp_path, "library", **variables)

    assert "listed: Ola Nordmann +4799999999" in out
    assert "error: not_found:" in out


def test_team_commands_serve_two_clients_with_their_own_contacts(tmp_path: Path) -> None:
    """The commands of docs/team.md: two clients at once, each with their own contacts."""
    service, server, clients = _team_commands(tmp_path)
    with (
        ChildProcess(tmp_path / "service", ready="takes these keys", **service),
        ChildProcess(tmp_path / "server", ready="listening on", **server),
    ):
        out = subprocess.run(**clients, capture_output=True, text=True, timeout=60, check=True).stdout

    for who in ("Anna", "Berta"):
        assert f'{who} sees: ["{who}\'s customer"]' in out
        assert f"{who} deleted it: {{'done': True, " in out


def _team_commands(home: Path) -> list[dict[str, Any]]:
    """The commands of docs/team.md as arguments of Popen, in the environment that runs this test."""
    page = (EXAMPLES.parent / "docs" / "team.md").read_text()
    block = re.search(r"<!-- team -->\n```sh\n(.*?)```", page, re.DOTALL)
    assert block
    lines = block[1].strip().replace("python3 -m uv run python", sys.executable)
    lines = lines.replace("python3 -m uv run contacts-mcp", f"{Path(sys.executable).parent}/contacts-mcp")
    return [_launch(line, home) for line in lines.splitlines()]


def _launch(line: str, home: Path) -> dict[str, Any]:
    words = shlex.split(line)
    variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    environment = clean_environment(home, PYTHONUNBUFFERED="1", **variables)
    return {"args": words[len(variables) :], "env": environment, "cwd": EXAMPLES.parent}


@pytest.mark.parametrize("path", HOSTS, ids=lambda path: path.name)
def test_host_configuration_starts_the_server(path: Path) -> None:
    """All of them start the same command, with the key as the only variable."""
    configuration = json.loads(path.read_text())
    ((name, entry),) = (configuration.get("mcpServers") or configuration["servers"]).items()

    assert re.fullmatch(r"[a-z-]{1,24}", name)
    assert [entry["command"], *entry["args"]] == ["uvx", "wayscloud-contacts-mcp", "serve"]
    assert set(entry["env"]) == {"WAYSCLOUD_API_KEY"}


def test_every_documented_host_has_a_configuration() -> None:
    """Claude Desktop, Claude Code, VS Code, Cursor."""
    assert {path.name.split(".")[0] for path in HOSTS} == {"claude_desktop_config", "claude_code", "vscode", "cursor"}


def test_placeholder_key_is_reported_by_doctor(command: Callable[..., Any], tmp_path: Path) -> None:
    """`doctor` reports a copied configuration whose key was not replaced."""
    with directory_service(tmp_path) as address:
        done = command("doctor", WAYSCLOUD_API_KEY="wayscloud_pat_...", WAYSCLOUD_API_URL=address)

    assert done.code == 1
    assert "WAYSCLOUD_API_KEY: contains a placeholder" in done.out
