"""How commands are written and described: help, flags, and a command that a person runs by mistake."""

import os
import pty
import subprocess
import sys

import pytest
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from contacts_mcp.cli._commands import cli
from doc_parts import DOCS
from support.processes import clean_environment

COMMANDS = sorted(
    line.removeprefix("## contacts-mcp ")
    for line in (DOCS / "commands.md").read_text().splitlines()
    if line.startswith("## contacts-mcp ")
)


@pytest.mark.parametrize("name", COMMANDS)
def test_short_help_flag_shows_the_help_without_types_of_python(command, name):
    short, long = command(*name.split(), "-h"), command(*name.split(), "--help")

    assert (short.code, short.out) == (0, long.out)
    assert f"contacts-mcp {name} [OPTIONS]" in " ".join(short.out.split())
    assert not any(word in short.out for word in ("<bool>", "<str>", "<int", "list[", "<path>"))


@pytest.mark.parametrize("group", ["", "directory", "directory keys", "audit"])
def test_list_of_commands_shows_each_summary_whole_in_80_columns(command, group):
    shown = command(*group.split(), "--help", COLUMNS="80").out.partition("Commands:")[2].splitlines()[1:]

    assert [line for line in shown if not line.endswith(".") or len(line) > 80 or "..." in line] == []


@pytest.mark.parametrize(
    ("written", "is_on"),
    [
        (["--read-only"], True),
        (["--read-only", "true"], True),
        (["--read-only=yes"], True),
        (["--no-read-only"], False),
        (["--read-only", "False"], False),
        (["--read-only=0"], False),
    ],
    ids=str,
)
def test_flag_accepts_true_and_false(command, monkeypatch, written, is_on):
    served = []
    monkeypatch.setattr("contacts_mcp.cli._commands._serve_stdio", served.append)

    done = command("serve", *written, CONTACTS_MCP_READ_ONLY="false" if is_on else "true")

    assert (done.code, [settings.read_only for settings in served]) == (0, [is_on])


def test_flag_does_not_take_the_argument_of_a_command(command):
    """A file may be called `true`."""
    done = command("directory", "restore-backup", "--yes", "true")

    assert "true" in done.err
    assert "Missing argument" not in done.err


def test_every_option_names_what_it_accepts():
    group = get_command(cli)
    assert isinstance(group, TyperGroup)
    serve = group.commands["serve"]
    shown = {each.opts[0]: each.metavar for each in serve.params if isinstance(each, TyperOption) and not each.is_flag}

    assert shown["--guard"] == "ask|two-step|block"
    assert (shown["--port"], shown["--files"], shown["--public-host"]) == ("NUMBER", "PATH", "TEXT")


@pytest.mark.system
def test_serve_at_a_terminal_explains_itself_and_names_the_next_command(tmp_path):
    """It still serves: its standard output stays empty, and it ends with its input."""
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "contacts_mcp", "serve", "--directory", str(tmp_path / "contacts.db")],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(tmp_path),
    ) as child:
        os.close(terminal)
        assert child.stderr
        lines = [child.stderr.readline() for _ in range(7)]
        os.write(screen, b"\x04")
        out, rest = child.communicate(timeout=20)
    os.close(screen)
    shown = b"".join(lines).decode()

    assert "This command is for an MCP host" in shown
    assert "contacts-mcp demo " in shown
    assert out == b"", rest
