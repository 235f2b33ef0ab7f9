"""What was written into each host's file starts as that host starts it, and `doctor --host` says what a person sees."""

import json
import os
import pty
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from contacts_mcp.cli._hosts import HOSTS
from contacts_mcp.install import INSTALL_HOSTS, read_launch
from install.host_files import ALL_STATES, crowded, states
from support.processes import API_KEY, MAX_WAIT_SECONDS, clean_environment

pytestmark = pytest.mark.system

NAME = "wayscloud-contacts"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a host", "version": "1"}}
CREATE = {"name": "create_contact", "arguments": {"name": "Kari Nordmann"}}


def call_tool(launch, home, call):
    """Start a server with nothing but a home folder and its own settings; return the answer to a call of a tool."""
    process = subprocess.Popen(
        [launch.command, *launch.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"HOME": str(home), **launch.env},
        cwd="/",
    )
    timer = threading.Timer(2 * MAX_WAIT_SECONDS, process.kill)
    timer.start()
    with process:
        for message in (
            {"id": 1, "method": "initialize", "params": HELLO},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": call},
        ):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        process.stdin.flush()
        answers = map(json.loads, iter(process.stdout.readline, b""))
        answer = next(each for each in answers if each.get("id") == 2)
        process.stdin.close()
    timer.cancel()
    return answer["result"]


@pytest.mark.parametrize(("host", "state"), ALL_STATES)
def test_written_command_starts_in_a_bare_environment_and_answers_a_call(command, user, tmp_path, host, state):
    before = dict(states(host))[state]
    user.write(host, before)
    command("install", host, "--yes", "--default-region", "NO")

    result = call_tool(read_launch(user.entries(host)[NAME]), tmp_path, CREATE)
    command("uninstall", host, "--yes")

    assert result["structuredContent"]["name"] == "Kari Nordmann"
    assert (tmp_path / "data" / "wayscloud-contacts-mcp" / "contacts.db").exists()
    assert user.read(host) == before


@pytest.mark.parametrize("host", INSTALL_HOSTS)
def test_doctor_shows_the_tools_the_way_to_a_person_and_the_log(command, user, host):
    command("install", host, "--yes", "--directory", str(user.places.home / "x.db"), BROWSER="")

    done = command("doctor", "--host", host)

    assert f"✓ file: {user.file(host)}" in done.out
    assert f"✓ {NAME}: it starts: contacts-mcp " in done.out
    assert f"the embedded directory in {user.places.home / 'x.db'}" in done.out
    number = 25 if HOSTS[host].shows_panel else 24  # one of them opens the panel
    assert f"✓ tools: {number} tools: list_contacts, " in done.out
    assert f"deletion in {INSTALL_HOSTS[host].title}: " in done.out.replace(" (terminal)", "")
    assert "✓ log: " in done.out
    assert not (user.places.home / "x.db").exists()


def test_doctor_reads_the_settings_of_the_entry_and_not_of_the_shell(command, user):
    entry = {**_entry(command, user), "args": ["serve", "--guard", "block"], "env": {"CONTACTS_MCP_TOOLS": "endpoints"}}
    user.write("cursor", json.dumps({"mcpServers": {"mine": entry}}))

    done = command("doctor", "--host", "cursor", CONTACTS_MCP_GUARD="two-step")

    assert "✓ tools: 15 tools: " in done.out
    assert "✗ deletion in Cursor: it is refused, because of CONTACTS_MCP_GUARD" in done.out


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"command": "contacts-mcp"}, "the command contacts-mcp is not in the PATH of this host"),
        ({"command": "/nowhere/contacts-mcp"}, "the command /nowhere/contacts-mcp does not exist"),
        ({"args": ["serve", "--gaurd", "ask"]}, "it ends with code 2: "),
        ({"env": {"CONTACTS_MCP_FILES": "/nowhere"}}, "it ends with code 2: "),
        ({"env": {"WAYSCLOUD_API_KEY": "${MY_KEY}"}}, "WAYSCLOUD_API_KEY is a reference"),
        ({"env": {"CONTACTS_MCP_PROFILE": "wrok"}}, "there is no profile wrok"),
    ],
    ids=str,
)
def test_doctor_says_what_is_wrong_and_which_command_fixes_it(command, user, changes, problem):
    user.write("cursor", json.dumps({"mcpServers": {NAME: {**_entry(command, user), **changes}}}))

    done = command("doctor", "--host", "cursor")

    assert done.code == 1
    assert problem in done.out
    assert "contacts-mcp install cursor`" in done.out
    assert "Traceback" not in done.out + done.err


def test_doctor_reports_a_program_that_is_no_server(command, user, tmp_path):
    program = tmp_path / "contacts-mcp"
    program.write_text("#!/bin/sh\necho Welcome\ncat >/dev/null\n")
    program.chmod(0o755)
    user.write("cursor", json.dumps({"mcpServers": {NAME: {"command": str(program)}}}))

    done = command("doctor", "--host", "cursor")

    assert f"✗ {NAME}: it writes other text than messages to standard output" in done.out


def test_doctor_names_the_line_of_a_broken_file(command, user):
    user.write("cursor", '{\n  "mcpServers": {,}\n}')

    done = command("doctor", "--host", "cursor")

    assert done.code == 1
    assert f"✗ file: {user.file('cursor')}: line 2, column 18: " in done.out


def test_key_in_the_configuration_file_is_used_by_the_server(command, user, tmp_path):
    command("install", "zed", "--yes", "--key", API_KEY, "--profile", "work")

    done = command("doctor", "--host", "zed")

    assert "WAYSCloud at https://" in done.out
    assert "SECRET" not in done.out + done.err
    assert Path(user.config).stat().st_mode & 0o077 == 0


def _entry(command, user):
    command("install", "cursor", "--yes")
    return dict(user.entries("cursor")[NAME])


def test_person_at_a_terminal_is_asked_and_sees_the_change_before_it_is_written(user, tmp_path):
    """The key that they type is not shown."""
    user.write("cursor", crowded("cursor"))
    (tmp_path / "Contacts").mkdir()
    answers = {"WAYSCloud key": API_KEY, "Folder for files": "~/Contacts", "Region of phone": "no", "Write this?": "y"}

    shown = answer_at_a_terminal(["install", "cursor"], tmp_path, answers)

    assert "✓ Cursor: installed" in shown
    assert "SECRET" not in shown + (user.read("cursor") or b"").decode()
    assert user.entries("cursor")[NAME]["env"] == {
        "CONTACTS_MCP_FILES": str(tmp_path / "Contacts"),
        "CONTACTS_MCP_DEFAULT_REGION": "NO",
    }


def test_person_who_does_not_agree_changes_nothing(user, tmp_path):
    user.write("cursor", crowded("cursor"))
    answers = {"WAYSCloud key": "", "Folder for files": "", "Region of phone": "", "Write this?": ""}

    shown = answer_at_a_terminal(["install", "cursor"], tmp_path, answers)

    assert "Aborted" in shown
    assert user.read("cursor") == crowded("cursor")
    assert not user.config.exists()


def answer_at_a_terminal(arguments, home, answers):
    """Run the command at a terminal, answer each question when it is asked, and return what the terminal shows."""
    environ = clean_environment(home, DISPLAY="", WAYLAND_DISPLAY="", XDG_RUNTIME_DIR="")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "contacts_mcp", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True)
    os.close(theirs)
    timer = threading.Timer(2 * MAX_WAIT_SECONDS, process.kill)
    timer.start()
    shown, waiting = b"", list(answers.items())
    with suppress(OSError):  # the terminal of a process that has ended
        while data := os.read(ours, 4096):
            shown += data
            if waiting and waiting[0][0].encode() in shown:
                os.write(ours, waiting.pop(0)[1].encode() + b"\n")
    process.wait()
    timer.cancel()
    os.close(ours)
    return shown.decode()
