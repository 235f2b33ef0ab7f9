"""Quick starts of real processes."""

import json
import signal
import sys
from pathlib import Path

import pytest

from contacts_mcp.tools import TOOLS
from support.processes import API_KEY, StdioServer, block_until
from support.raw_hosts import modern

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform == "win32", reason="there are no quick starts on Windows"),
]
FIRST = [json.dumps(modern(number, method)).encode() for number, method in enumerate(("server/discover", "tools/list"))]
LOGGED = {"CONTACTS_MCP_LOG_LEVEL": "INFO"}


def start(home: Path, *lines: bytes, end: bool = True, **variables: str) -> tuple[list[bytes], StdioServer]:
    with StdioServer(home, **LOGGED, **variables) as server:
        answers = []
        for line in lines:
            server.write_line(line)
            answers.append(server.read_line())
        if end:
            rest, _ = server.close_input()
            assert rest == b""
    return answers, server


def snapshots(home: Path) -> list[Path]:
    return [*(home / ".cache").rglob("*.json")]


def test_second_start_gives_the_same_answers_before_it_is_ready(tmp_path: Path) -> None:
    expected, first = start(tmp_path, *FIRST, WAYSCLOUD_API_KEY=API_KEY)
    answers, second = start(tmp_path, *FIRST, WAYSCLOUD_API_KEY=API_KEY)

    assert answers == expected
    assert "answered before" not in first.written
    assert "2 messages were answered before the server was ready" in second.written
    assert (first.process.returncode, second.process.returncode) == (0, 0)
    (file,) = snapshots(tmp_path)
    assert "THISISASECRET" not in file.read_text()
    assert str(tmp_path / "data") not in file.read_text()


def test_changed_setting_is_seen_by_the_next_start(tmp_path: Path) -> None:
    """In the environment, and in the configuration file."""
    start(tmp_path, *FIRST)
    answers, _ = start(tmp_path, *FIRST, CONTACTS_MCP_TOOLS="list_contacts")
    assert [tool["name"] for tool in json.loads(answers[1])["result"]["tools"]] == ["list_contacts"]
    config = tmp_path / ".config" / "wayscloud-contacts-mcp" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('tools = "get_contact"')
    answers, _ = start(tmp_path, *FIRST)
    assert [tool["name"] for tool in json.loads(answers[1])["result"]["tools"]] == ["get_contact"]


def test_switched_off_quick_start_leaves_nothing_behind(tmp_path: Path) -> None:
    for _ in range(2):
        answers, server = start(tmp_path, *FIRST, CONTACTS_MCP_QUICK_START="0")
        assert len(json.loads(answers[1])["result"]["tools"]) == len(TOOLS)
        assert "answered before" not in server.written
    assert snapshots(tmp_path) == []


def test_start_that_fails_after_its_first_answers_reports_the_fault(tmp_path: Path) -> None:
    """The folder for files was there when the snapshot was made."""
    files = tmp_path / "files"
    files.mkdir()
    expected, _ = start(tmp_path, *FIRST, CONTACTS_MCP_FILES=str(files))
    files.rmdir()
    answers, server = start(tmp_path, *FIRST, CONTACTS_MCP_FILES=str(files))

    assert answers == expected
    assert server.process.returncode == 2
    assert server.written.startswith("contacts-mcp: ")
    assert str(files) in server.written
    assert "Traceback" not in server.written


def test_end_of_input_between_the_answers_and_the_server_ends_the_process(tmp_path: Path) -> None:
    start(tmp_path, *FIRST)
    _, server = start(tmp_path, FIRST[0])

    assert server.process.returncode == 0
    assert "1 messages were answered before the server was ready" in server.written


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_signal_before_the_server_is_ready_ends_the_process(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    start(tmp_path, *FIRST)
    with StdioServer(tmp_path, **LOGGED) as server:
        server.write_line(FIRST[0])
        assert json.loads(server.read_line())["id"] == 0
        server.process.send_signal(sent)
        block_until(lambda: server.process.poll() is not None)

    assert server.process.returncode == code
    assert server.written == ""


def test_closed_output_before_the_server_is_ready_ends_the_process(tmp_path: Path) -> None:
    start(tmp_path, *FIRST)
    with StdioServer(tmp_path, **LOGGED) as server:
        server.write_line(FIRST[0])
        server.read_line()
        assert server.process.stdout
        server.process.stdout.close()
        server.write_line(FIRST[1])
        server.process.wait(30)

    assert "Traceback" not in server.written
