"""`contacts-mcp demo` at a terminal, without one, and as JSON."""

import fcntl
import json
import os
import pty
import re
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from support.processes import clean_environment

pytestmark = pytest.mark.system

DEMO = [sys.executable, "-m", "contacts_mcp", "demo"]


def demo_at_terminal(home: Path, typed: bytes, code: int = 0, **variables: str) -> str:
    """The output of the demo at a pseudo-terminal, after a person typed an answer to the guard's question."""
    screen, terminal = pty.openpty()
    child = subprocess.Popen(
        DEMO,
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
    except OSError:  # the other side of the terminal is closed
        return b""


def test_demo_without_a_terminal_keeps_the_contact(command, tmp_path):
    """It finds, groups and asks in under 15 seconds, keeps the contact and leaves no file."""
    began = time.monotonic()
    done = command("demo")
    out = re.sub(r"\s+", " ", done.out)

    assert time.monotonic() - began < 15
    assert (done.code, done.err) == (0, "")
    assert "→ list_contacts" in out
    assert "Bjørn Håkonsen" in out
    assert "→ add_group_members" in out
    assert "The guard asks" in out
    assert '"Ola Nordmann"' in out
    assert "so the answer is: keep" in out
    assert "nothing was changed" in out
    assert out.count("Ola Nordmann") >= 3
    assert not list(tmp_path.iterdir())


def test_demo_fits_80_columns_and_shows_each_call_on_one_line(command, monkeypatch):
    """A person reads sentences and tables: no ids but the one in the guard's question, no JSON."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = command("demo").out.splitlines()
    calls = [line for line in lines if "→" in line]

    assert [line for line in lines if len(line) > 80] == []
    assert len(calls) == 8
    assert [line for line in calls if not line.endswith(")")] == []
    assert [line for line in lines if "{" in line] == []


def test_demo_as_json_shows_every_message(command):
    """Each line is a call, a result, a question or an answer."""
    messages = [json.loads(line) for line in command("demo", "--json").out.splitlines()]
    kinds = [next(iter(message)) for message in messages]

    assert set(kinds) == {"call", "result", "question", "answer"}
    assert kinds.count("call") == kinds.count("result") == 8
    assert kinds[-6:] == ["call", "question", "answer", "result", "call", "result"]


def test_demo_deletes_the_contact_if_the_person_chooses_delete(tmp_path):
    """The answer at the terminal counts."""
    out = demo_at_terminal(tmp_path, b"delete")

    assert "Deleted Ola Nordmann." in out
    assert "not_found:" in out


def test_demo_ends_without_an_error_if_its_reader_leaves(tmp_path):
    """As `contacts-mcp demo | head` does."""
    with subprocess.Popen(
        DEMO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(tmp_path)
    ) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.readline()
        child.stdout.close()
        errors = child.stderr.read()

    assert errors == b""


def test_ctrl_c_at_the_question_ends_the_demo(tmp_path):
    """No traceback is shown, and the temporary directory is deleted."""
    out = demo_at_terminal(tmp_path, b"\x03", code=130, TMPDIR=str(tmp_path))

    assert "Traceback" not in out
    assert not list(tmp_path.glob("contacts-mcp-demo-*"))


def test_ctrl_d_at_the_question_keeps_the_contact(tmp_path):
    """The demo goes on to its end."""
    out = demo_at_terminal(tmp_path, b"\x04")

    assert "nothing was changed" in out


def test_demo_runs_once_on_a_directory_of_either_engine(command, location):
    """It keeps its contacts there, and refuses a directory that holds contacts."""
    first = command("demo", "--directory", location)
    second = command("demo", "--directory", location)

    assert first.code == 0
    assert "Its contacts stay in the directory that you named." in first.out
    assert second.code == 1
    assert "The directory holds contacts already" in second.out
