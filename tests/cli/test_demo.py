"""`contacts-mcp demo` at a terminal, without one, and as JSON."""

import fcntl
import json
import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from support.processes import clean_environment

pytestmark = pytest.mark.system

DEMO = [sys.executable, "-m", "contacts_mcp", "demo"]


def test_demo_without_a_terminal_keeps_the_contact(command, tmp_path):
    """It finds, groups and asks, keeps the contact and leaves no file."""
    done = command("demo")
    out = re.sub(r"\s+", " ", done.out)

    assert (done.code, done.err) == (0, "")
    assert "→ list_contacts" in out
    assert "Bjørn Håkonsen" in out
    assert "→ add_group_members" in out
    assert "The guard asks" in out
    assert '"Ola Nordmann"' in out
    assert "so the answer is: keep" in out
    assert "nothing was changed" in out
    assert "This host shows no forms" in out
    assert "so nothing is decided, and nothing is deleted" in out
    assert out.count("Ola Nordmann") >= 3
    assert not list(tmp_path.iterdir())


def test_demo_fits_80_columns_and_shows_each_call_on_one_line(command, monkeypatch):
    """A person reads sentences and tables: no ids but the one in the guard's question, no JSON."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = command("demo").out.splitlines()
    calls = [line for line in lines if "→" in line]

    assert [line for line in lines if len(line) > 80] == []
    assert len(calls) == 9
    assert [line for line in calls if not line.endswith(")")] == []
    assert [line for line in lines if "{" in line] == []


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_demo_breaks_no_word_at_any_width(command, monkeypatch, columns):
    """An id, a number or a name is on one line, whole; nothing is shortened."""
    monkeypatch.setenv("COLUMNS", str(columns))
    out = command("demo").out
    words = {word.strip('",()') for word in out.split()}

    assert [line for line in out.splitlines() if len(line) > columns] == []
    assert {"+4799999999", "ola@example.com", "Nordmann", "Håkonsen"} <= words
    assert any(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", word) for word in words)
    assert "…" not in out


def test_demo_as_json_shows_every_message(command):
    """Each line is a call, a result, a question or an answer. The last call is given up: no person decides."""
    messages = [json.loads(line) for line in command("demo", "--json").out.splitlines()]
    kinds = [next(iter(message)) for message in messages]

    assert set(kinds) == {"call", "result", "question", "answer"}
    assert (kinds.count("call"), kinds.count("result")) == (9, 8)
    assert kinds[-7:] == ["call", "question", "answer", "result", "call", "result", "call"]


@pytest.mark.parametrize(
    ("typed", "code", "shown"),
    [
        ((b"delete", b"delete"), 0, ("Deleted Ola Nordmann.", "not_found:", "Agreed.", "Deleted Søren Kjær.")),
        ((b"\x04", b""), 0, ("nothing was changed", "Kept.", "the person declined")),
        ((b"\x03",), 130, ()),
    ],
    ids=["delete", "Ctrl-D", "Ctrl-C"],
)
def test_demo_at_a_terminal_follows_the_person(tmp_path, typed, code, shown):
    """Ctrl-D keeps the contact, Ctrl-C ends the demo; the temporary directory is deleted.

    The second question is one of `contacts-mcp approvals`, since there is no browser.
    """
    screen, terminal = pty.openpty()
    child = subprocess.Popen(
        DEMO,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=clean_environment(tmp_path, TERM="dumb", COLUMNS="200", TMPDIR=str(tmp_path)),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - Ctrl-C needs its terminal
    )
    os.close(terminal)
    seen = b""
    try:
        for prompt, answer in zip((b"(keep)", b"as it is: "), typed, strict=False):
            while prompt not in seen:
                seen += os.read(screen, 4096)
            os.write(screen, answer + b"\n")
        with suppress(OSError):  # the other side of the terminal is closed
            while chunk := os.read(screen, 4096):
                seen += chunk
    finally:
        child.wait(20)
        os.close(screen)

    assert child.returncode == code, seen.decode()
    assert all(text.encode() in seen for text in shown), seen.decode()
    assert b"Traceback" not in seen
    assert not list(tmp_path.glob("contacts-mcp-demo-*"))


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


def test_demo_runs_once_on_a_directory_of_either_engine(command, location):
    """It keeps its contacts there, and refuses a directory that holds contacts."""
    first = command("demo", "--directory", location)
    second = command("demo", "--directory", location)

    assert first.code == 0
    assert "Its contacts stay in the directory that you named." in first.out
    assert second.code == 1
    assert "The directory holds contacts already" in second.out
