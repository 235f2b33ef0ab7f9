"""The command line, as a person at a terminal meets it."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp import __version__
from contacts_mcp.cli._commands import write_schemas
from contacts_mcp.tools import TOOLS
from processes import KEY, service

pytestmark = pytest.mark.system

Command = Callable[..., Any]
COMMITTED = Path(__file__).parents[2] / "tool_schemas"


def test_version_is_the_package_version(command: Command) -> None:
    """--version says which one is installed."""
    assert command("--version").out == f"contacts-mcp {__version__}\n"


def test_doctor_finds_the_embedded_directory_working(command: Command) -> None:
    """Without a key: the backend, why, the tools, and that it answers."""
    done = command("doctor")

    assert done.code == 0, done.out
    assert "✓ backend: the embedded directory in " in done.out
    assert "✓ because: no WAYSCloud key was found" in done.out
    assert "✓ tools: all 22" in done.out
    assert "✓ guard: ask" in done.out
    assert "✓ connection: it answers; 0 contacts" in done.out


def test_doctor_finds_a_working_key_and_masks_it(command: Command, tmp_path: Path) -> None:
    """With a key: where it was found, that it works, and nothing of the secret."""
    (tmp_path / ".wayscloud").mkdir()
    (tmp_path / ".wayscloud" / "credentials").write_text(json.dumps({"version": 1, "token": KEY}))
    with service(tmp_path) as address:
        done = command("doctor", WAYSCLOUD_API_URL=address, CONTACTS_MCP_READ_ONLY="true")

    assert done.code == 0, done.out
    assert "✓ credential: key wayscloud_pat_… from ~/.wayscloud/credentials" in done.out
    assert "✓ tools: 9 of 22: list_contacts, get_contact" in done.out
    assert "SECRET" not in done.out + done.err


@pytest.mark.parametrize(
    ("variables", "says", "next_step"),
    [
        (
            {"WAYSCLOUD_API_KEY": "wayscloud_pat_wrong_key"},
            "the service answered 401",
            "put a valid key into WAYSCLOUD_API_KEY",
        ),
        (
            {"WAYSCLOUD_API_KEY": KEY, "WAYSCLOUD_API_URL": "http://127.0.0.1:1"},
            "no connection to 127.0.0.1",
            "check the network",
        ),
        ({"WAYSCLOUD_API_KEY": KEY, "WAYSCLOUD_API_URL": "ftp://x"}, "✗ settings:", "correct the setting"),
        ({"CONTACTS_MCP_TOOLS": "nonsense"}, "no such tool here: nonsense", "correct the setting"),
        ({"CONTACTS_MCP_GUARD": "none"}, "✗ settings: CONTACTS_MCP_GUARD", "correct the setting"),
        ({"CONTACTS_MCP_DIRECTORY": "/proc/nowhere/contacts.db"}, "✗ connection:", "choose another with --directory"),
    ],
    ids=["wrong key", "unreachable", "bad address", "bad tools", "bad guard", "bad file"],
)
def test_doctor_says_what_is_wrong_and_what_to_do(
    command: Command, tmp_path: Path, variables: dict[str, str], says: str, next_step: str
) -> None:
    """Exit 1, the fault, the next step, no traceback."""
    with service(tmp_path) as address:
        done = command("doctor", **{"WAYSCLOUD_API_URL": address, **variables})

    assert done.code == 1, done.out
    assert says in done.out
    assert next_step in done.out
    assert "Traceback" not in done.err
    assert "SECRET" not in done.out + done.err


def test_the_committed_schemas_are_those_of_the_code(tmp_path: Path) -> None:
    """tool_schemas/ is generated: run `contacts-mcp schemas` after changing a tool."""
    if os.environ.get("UPDATE_TOOL_SCHEMAS"):
        write_schemas(COMMITTED)
    write_schemas(tmp_path)

    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in COMMITTED.iterdir()}
    assert set(written) == {f"{tool.name}.json" for tool in TOOLS} | {"openai.json", "anthropic.json", "gemini.json"}


def test_schemas_are_written_where_asked(command: Command, tmp_path: Path) -> None:
    """The command makes the folder and says what it wrote; files are readable by others and whole."""
    done = command("schemas", "--out", str(tmp_path / "new" / "folder"))

    assert done.out == f"25 files written to {tmp_path / 'new' / 'folder'}\n"
    assert (tmp_path / "new" / "folder" / "openai.json").stat().st_mode & 0o777 == 0o644


def test_doctor_gives_up_on_a_service_that_never_answers(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for a diagnosis."""
    monkeypatch.setattr("contacts_mcp.cli._doctor._TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = command("doctor", WAYSCLOUD_API_KEY=KEY, WAYSCLOUD_API_URL=address)

    assert done.code == 1
    assert "no answer within" in done.out


@pytest.mark.parametrize("where", ["a file", "a folder that cannot be made"])
def test_schemas_that_cannot_be_written_are_one_line(command: Command, tmp_path: Path, where: str) -> None:
    """What the machine refuses is no traceback."""
    (tmp_path / "taken").write_text("")

    done = command("schemas", "--out", str(tmp_path / "taken" if where == "a file" else tmp_path / "taken" / "x"))

    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "taken" in done.err
