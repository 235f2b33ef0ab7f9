"""The command line, as a person at a terminal meets it."""

import fcntl
import json
import os
import pty
import re
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp import __version__
from contacts_mcp.cli._schemas import write_schemas
from contacts_mcp.tools import TOOLS
from processes import KEY, clean_environment, service

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


def test_demo_asks_and_keeps_where_there_is_no_terminal(tmp_path: Path) -> None:
    """The whole story in under 15 seconds: found, grouped, asked about, kept."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "contacts_mcp", "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(tmp_path),
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 15
    out = re.sub(r"\s+", " ", done.stdout)
    assert "→ list_contacts" in out
    assert "Bjørn Håkonsen" in out
    assert "→ add_group_members" in out
    assert "The guard asks" in out
    assert 'Delete: person "Ola Nordmann"' in out
    assert "so the answer is: keep" in out
    assert "nothing was changed" in out
    assert out.count("Ola Nordmann") >= 3
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def at_a_terminal(home: Path, typed: bytes, code: int = 0, **variables: str) -> str:
    """The demo at a pseudo-terminal where somebody answers the guard's question."""
    screen, terminal = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "contacts_mcp", "demo"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=clean_environment(home, TERM="dumb", COLUMNS="200", **variables),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - Ctrl-C needs its terminal
    )
    os.close(terminal)
    seen = b""
    try:
        while b"(keep)" not in seen:
            seen += os.read(screen, 4096)
        os.write(screen, typed + b"\n")
        while chunk := _read(screen):
            seen += chunk
    finally:
        child.wait(20)
        os.close(screen)
    assert child.returncode == code, seen.decode()
    return seen.decode()


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 4096)
    except OSError:  # a terminal whose other side is gone
        return b""


def test_demo_deletes_where_the_person_says_so(tmp_path: Path) -> None:
    """The answer at the terminal is the one that counts."""
    out = at_a_terminal(tmp_path, b"delete")

    assert '{"done": true}' in out
    assert "not_found:" in out


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
    monkeypatch.setattr("contacts_mcp.cli._doctor._TIME_LIMIT", 0.3)
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


def test_demo_ends_quietly_where_nobody_reads_on(tmp_path: Path) -> None:
    """As after `| head`."""
    with subprocess.Popen(
        [sys.executable, "-m", "contacts_mcp", "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(tmp_path),
    ) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.readline()
        child.stdout.close()
        errors = child.stderr.read()

    assert errors == b""


def test_demo_ends_on_ctrl_c_at_the_question(tmp_path: Path) -> None:
    """Nobody has to answer to get away, and the temporary directory goes with it."""
    out = at_a_terminal(tmp_path, b"\x03", code=130, TMPDIR=str(tmp_path))

    assert "Traceback" not in out
    assert not list(tmp_path.glob("contacts-mcp-demo-*"))


def test_demo_keeps_where_the_terminal_is_closed(tmp_path: Path) -> None:
    """Ctrl-D is no answer, and the story goes on."""
    out = at_a_terminal(tmp_path, b"\x04")

    assert "nothing was changed" in out
