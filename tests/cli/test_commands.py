"""The command line, run in this process."""

import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from contacts_mcp import __version__
from contacts_mcp.cli._commands import write_schemas
from contacts_mcp.tools import TOOLS
from support.processes import API_KEY
from support.services import directory_service

pytestmark = pytest.mark.system

COMMITTED = Path(__file__).parents[2] / "tool_schemas"


def test_version_flag_prints_the_package_version(command):
    """And the versions of Python and of the system, which a report of a fault needs."""
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"

    assert command("--version").out == f"contacts-mcp {__version__} (Python {python}, {system})\n"


def test_commands_and_service_of_a_directory_do_not_import_the_sdk():
    modules = "contacts_mcp.cli, contacts_mcp.app, contacts_mcp.http_server, contacts_mcp.directory.service"
    program = f"import sys, {modules}; print({{'mcp', 'mcp_types'}} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "set()"


def test_command_does_not_import_the_command_of_httpx():
    """It would take rich and pygments with it."""
    program = (
        "import sys; from contextlib import suppress; from contacts_mcp.__main__ import main\n"
        "sys.argv = ['contacts-mcp', '--version']\n"
        "with suppress(SystemExit): main()\n"
        "import httpx; print({'rich', 'pygments'} & sys.modules.keys())"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(("name", "flag"), [("serve", "--guard"), ("serve", "--auth"), ("audit show", "--outcome")])
def test_invalid_choice_is_reported_with_the_valid_ones(command, name, flag):
    done = command(*name.split(), flag, "foo", COLUMNS="200")

    assert done.code == 2
    assert f"Invalid value for '{flag}': 'foo' is not one of '" in done.err


def test_misspelled_choice_is_reported_with_the_nearest(command):
    done = command("audit", "show", "--outcome", "faild", COLUMNS="300")

    assert done.code == 2
    assert "Did you mean 'failed'?" in done.err


def test_doctor_writes_nothing(command, tmp_path):
    """Neither a directory nor a trail, which the first call creates."""
    done = command("doctor")

    assert done.code == 0, done.out
    assert "there is no directory yet" in done.out
    assert list(tmp_path.iterdir()) == []


def test_doctor_shows_where_each_setting_comes_from_and_no_secret(command, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(f'api_key = "{API_KEY}"\napi_url = "http://127.0.0.1:1"\nrate = 7\n')

    done = command("doctor", "--audit", "stderr", CONTACTS_MCP_CONFIG=str(file), CONTACTS_MCP_EXCLUDE_TOOLS="workflows")

    settings = next(line for line in done.out.splitlines() if line.startswith("✓ settings: "))
    assert f"CONTACTS_MCP_RATE=7 ({file})" in settings
    assert f"WAYSCLOUD_API_KEY ({file})" in settings
    assert "CONTACTS_MCP_EXCLUDE_TOOLS=workflows (environment)" in settings
    assert "CONTACTS_MCP_AUDIT (command line)" in settings
    assert "✓ tools: 14 of 22: " in done.out
    assert "SECRET" not in done.out + done.err


def test_doctor_does_not_change_a_file_that_is_no_trail(command, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("first line\nmy only copy")

    done = command("doctor", "--audit", str(notes))

    assert done.code == 1
    assert "✗ trail: it cannot be written" in done.out
    assert notes.read_text() == "first line\nmy only copy"


def test_doctor_checks_the_embedded_directory(command):
    """Without a key it reports the backend, the reason, the tools, and that the directory answers."""
    command("directory", "migrate")  # creates the directory
    done = command("doctor")

    assert done.code == 0, done.out
    assert "✓ backend: the embedded directory in " in done.out
    assert "✓ because: no WAYSCloud key was found" in done.out
    assert "✓ tools: all 24" in done.out
    assert "✓ guard: ask" in done.out
    assert "✓ connection: it answers; 0 contacts" in done.out


def test_doctor_reports_as_json_which_part_does_not_work(command, tmp_path):
    (tmp_path / "contacts.db").write_text("my novel\n" * 1000)

    done = command(
        "doctor", "--json", CONTACTS_MCP_DIRECTORY=str(tmp_path / "contacts.db"), CONTACTS_MCP_FILES="/nowhere/files"
    )

    report = json.loads(done.out)
    assert (done.code, report["ok"]) == (1, False)
    failed = {each["check"]: each for each in report["checks"] if not each["ok"]}
    assert failed.keys() == {"files", "connection"}
    assert failed["files"]["result"] == "/nowhere/files is not a folder"
    assert "CONTACTS_MCP_FILES" in failed["files"]["advice"]
    assert str(tmp_path / "contacts.db") in failed["connection"]["advice"]


def test_doctor_creates_no_directory_in_an_empty_file(command, tmp_path):
    (tmp_path / "contacts.db").touch()

    done = command("doctor", CONTACTS_MCP_DIRECTORY=str(tmp_path / "contacts.db"))

    assert (done.code, "there is no directory yet" in done.out) == (0, True)
    assert (tmp_path / "contacts.db").stat().st_size == 0


def test_doctor_reports_an_unreachable_redis(command):
    shared = {"CONTACTS_MCP_STATE_KEYS": "k" * 32, "CONTACTS_MCP_REDIS_URL": "redis://127.0.0.1:1"}

    done = command("doctor", **shared)

    assert done.code == 1
    assert "✗ shared state: " in done.out


def test_doctor_says_what_is_missing_to_undo_updates_in_postgres(command):
    server = "postgresql://me@127.0.0.1:9/contacts?connect_timeout=1"

    without = command("doctor", CONTACTS_MCP_DIRECTORY=server)
    given = command("doctor", CONTACTS_MCP_DIRECTORY=server, CONTACTS_MCP_STATE_KEYS=32 * "x")

    advice = "undo: bulk updates cannot be undone; to encrypt old values, set CONTACTS_MCP_STATE_KEYS"
    assert advice in without.out
    assert "undo" not in given.out


def test_doctor_checks_a_key_and_masks_it(command, tmp_path):
    """With a key it reports where the key was found and that it works, without the secret."""
    (tmp_path / ".wayscloud").mkdir()
    (tmp_path / ".wayscloud" / "credentials").write_text(json.dumps({"version": 1, "token": API_KEY}))
    with directory_service(tmp_path) as address:
        done = command("doctor", WAYSCLOUD_API_URL=address, CONTACTS_MCP_READ_ONLY="true")

    assert done.code == 0, done.out
    assert "✓ credential: key wayscloud_pat_… from ~/.wayscloud/credentials" in done.out
    assert "✓ tools: 8 of 22: list_contacts, get_contact" in done.out
    assert "SECRET" not in done.out + done.err


@pytest.mark.parametrize(
    ("variables", "fault", "advice"),
    [
        (
            {"WAYSCLOUD_API_KEY": "wayscloud_pat_wrong_key"},
            "the service answered 401",
            "put a valid key into WAYSCLOUD_API_KEY",
        ),
        (
            {"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": "http://127.0.0.1:1"},
            "no connection to 127.0.0.1",
            "check the network",
        ),
        ({"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": "ftp://x"}, "✗ settings:", "correct the setting"),
        ({"CONTACTS_MCP_TOOLS": "nonsense"}, "unknown tool: nonsense", "correct the setting"),
        ({"CONTACTS_MCP_GUARD": "none"}, "✗ settings: CONTACTS_MCP_GUARD", "correct the setting"),
        ({"CONTACTS_MCP_DIRECTORY": "/proc/nowhere/contacts.db"}, "✗ connection:", "choose another with --directory"),
    ],
    ids=["wrong key", "unreachable", "bad address", "bad tools", "bad guard", "bad file"],
)
def test_doctor_reports_a_fault_with_advice(command, tmp_path, variables, fault, advice):
    """It exits with 1, without a traceback."""
    with directory_service(tmp_path) as address:
        done = command("doctor", **{"WAYSCLOUD_API_URL": address, **variables})

    assert done.code == 1, done.out
    assert fault in done.out
    assert advice in done.out
    assert "Traceback" not in done.err
    assert "SECRET" not in done.out + done.err


def test_committed_schemas_match_the_code(tmp_path):
    """tool_schemas/ is generated: run `contacts-mcp schemas` after changing a tool."""
    if os.environ.get("UPDATE_TOOL_SCHEMAS"):
        write_schemas(COMMITTED)
    write_schemas(tmp_path)

    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in COMMITTED.iterdir()}
    assert set(written) == {f"{tool.name}.json" for tool in TOOLS} | {"openai.json", "anthropic.json", "gemini.json"}


def test_schemas_writes_to_the_given_folder(command, tmp_path):
    """It creates the folder and prints the number of files, which other users can read."""
    done = command("schemas", "--out", str(tmp_path / "new" / "folder"))

    assert done.out == f"{len(TOOLS) + 3} files written to {tmp_path / 'new' / 'folder'}\n"
    assert (tmp_path / "new" / "folder" / "openai.json").stat().st_mode & 0o777 == 0o644


def test_doctor_stops_waiting_for_a_silent_service(command, monkeypatch):
    monkeypatch.setattr("contacts_mcp.cli._doctor._TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = command("doctor", WAYSCLOUD_API_KEY=API_KEY, WAYSCLOUD_API_URL=address)

    assert done.code == 1
    assert "the call was not done within 0.3 seconds" in done.out


@pytest.mark.parametrize("target", ["a file", "a folder in a file"])
def test_unwritable_schemas_folder_is_a_one_line_error(command, tmp_path, target):
    (tmp_path / "taken").write_text("")

    done = command("schemas", "--out", str(tmp_path / "taken" if target == "a file" else tmp_path / "taken" / "x"))

    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "taken" in done.err
