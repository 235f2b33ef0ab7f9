"""`contacts-mcp approvals`: a person decides in a terminal on the calls of a server in another process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contacts_mcp.pseudonyms import key_pseudonym
from support.processes import MAX_WAIT_SECONDS, StdioServer, block_until, clean_environment, make_keys
from support.raw_hosts import modern
from support.terminals import TerminalCommand

pytestmark = pytest.mark.system

ALLOWED = {"CONTACTS_MCP_APPROVAL": "form,terminal"}
COMMAND = [sys.executable, "-m", "contacts_mcp", "approvals"]
PROMPT = "Enter keeps everything as it is: "
CHOICES = "Enter erases none of them: "
DONE = {"done": True, "consent": "person"}.items()
SWITCHED_OFF = "approvals in the terminal are switched off"


class Agent:
    """An agent without forms, at a stdio server in a process of its own."""

    def __init__(self, server: StdioServer) -> None:
        self._server = server
        self._sent = {}

    def send(self, tool, **arguments) -> int:
        number = len(self._sent) + 1
        self._sent[number] = {"name": tool, "arguments": arguments}
        self._server.write_line(json.dumps(modern(number, "tools/call", **self._sent[number])).encode())
        return number

    def answer(self, call: int) -> dict:
        """The answer of a call; on a busy machine, it is repeated if its time was over before the person answered."""
        result = self._server.answer(call)["result"]
        if (result.get("structuredContent") or {}).get("reason", "").startswith("waiting for"):
            return self.answer(self.send(self._sent[call]["name"], **self._sent[call]["arguments"]))
        return result

    def call(self, tool, **arguments) -> dict:
        return self.answer(self.send(tool, **arguments))

    def create(self, name, **fields) -> str:
        return self.call("create_contact", name=name, allow_duplicate=True, **fields)["structuredContent"]["id"]

    def has(self, contact) -> bool:
        return not self.call("get_contact", contact_id=contact).get("isError")


@contextmanager
def agent(home, **variables) -> Iterator[Agent]:
    with StdioServer(home, **variables) as server:
        server.start_reading()
        yield Agent(server)


@pytest.fixture
def host(tmp_path) -> Iterator[Agent]:
    with agent(tmp_path, **ALLOWED) as opened:
        yield opened


def run(home, *flags, **variables) -> subprocess.CompletedProcess:
    """Run the command without a terminal."""
    return subprocess.run(
        [*COMMAND, *flags],
        env=clean_environment(home, **variables),
        input="delete\n" * 5,
        capture_output=True,
        text=True,
        check=False,
        timeout=MAX_WAIT_SECONDS,
    )


def pending(home) -> list[dict]:
    return json.loads(run(home, "--json", **ALLOWED).stdout)


def wait_for_questions(home, number) -> None:
    """Wait until so many calls have stored their question, which is quicker than a process that lists them."""
    folder = home / "data" / "wayscloud-contacts-mcp" / "shared" / "approvals"
    block_until(lambda: len(list(folder.glob("[0-9a-f]*"))) == number, "the call does not wait for a decision")


def at_terminal(home, *flags, **options) -> TerminalCommand:
    return TerminalCommand([*COMMAND, *flags], clean_environment(home, **ALLOWED), **options)


def test_deletion_runs_after_the_person_typed_the_word(tmp_path, host):
    """Asked in one process, decided in another one, run in the first; a wrong word decides nothing."""
    ola = host.create("Ola Nordmann")
    deletion = host.send("delete_contact", contact_id=ola)
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("yes\n")
        terminal.wait_for(PROMPT, 2)
        terminal.type("delete\n")
        assert terminal.end() == 0

    assert 'Delete: person "Ola Nordmann"' in terminal.shown
    assert "The typed text is not the one that was asked for; nothing was decided" in terminal.shown
    assert "Agreed." in terminal.shown
    assert host.answer(deletion)["structuredContent"].items() >= DONE
    assert not host.has(ola)
    records = (tmp_path / "data" / "wayscloud-contacts-mcp" / "audit.jsonl").read_text().splitlines()
    done = [json.loads(line) for line in records if '"outcome":"done"' in line and "delete_contact" in line]
    assert [(each["consent"], each["approver"]) for each in done] == [("terminal", f"uid {os.getuid()}")]


def test_question_about_an_update_has_old_and_new_values(tmp_path):
    with agent(tmp_path, **ALLOWED, CONTACTS_MCP_CONFIRM="update_contact") as host:
        ola = host.create("Ola Nordmann", company_name="Fjord A/S")
        update = host.send("update_contact", contact_id=ola, company_name="Fjord AS", email="ola@fjord.example")
        wait_for_questions(tmp_path, 1)
        with at_terminal(tmp_path) as terminal:
            terminal.wait_for(PROMPT)
            terminal.type("change\n")
            assert terminal.end() == 0
        assert host.answer(update)["structuredContent"]["company_name"] == "Fjord AS"

    for line in (
        "It would change:",
        '- company_name: "Fjord A/S" → "Fjord AS"',
        '- email: (empty) → "ola@fjord.example"',
    ):
        assert line in terminal.shown


def test_enter_keeps_the_contact_and_the_agent_reads_that_the_person_declined(tmp_path, host):
    ola = host.create("Ola Nordmann")
    deletion = host.send("delete_contact", contact_id=ola)
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("\n")
        terminal.end()

    assert "the person declined" in host.answer(deletion)["structuredContent"]["reason"]
    assert host.has(ola)


def test_erasure_needs_the_typed_name_and_includes_the_records_that_the_person_names(tmp_path, host):
    kari, twin = host.create("Kari Nordmann", email="k@example.com"), host.create("Kari N", email="k@example.com")
    erasure = host.send("gdpr_delete_contact", contact_id=kari, reason="asked for it")
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("delete\n")
        terminal.wait_for(CHOICES)
        terminal.type("2\n")
        terminal.wait_for(CHOICES, 2)
        terminal.type("\n")
        terminal.wait_for(PROMPT, 2)
        terminal.type("Kari Nordmann\n")
        terminal.wait_for(CHOICES, 3)
        terminal.type("1\n")
        terminal.end()

    assert "Type numbers from 1 to 1." in terminal.shown
    assert "not the one that was asked for" in terminal.shown
    erased = host.answer(erasure)["structuredContent"]
    assert {each["id"] for each in erased["records"]} == {kari, twin}


@pytest.mark.parametrize("key", ["\x04", "\x03"], ids=["Ctrl-D", "Ctrl-C"])
def test_ending_the_input_leaves_the_question_open(tmp_path, host, key):
    ola = host.create("Ola Nordmann")
    host.send("delete_contact", contact_id=ola)
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type(key)
        assert terminal.end() == 0

    assert "stay open" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert len(pending(tmp_path)) == 1


def test_question_can_be_left_for_later(tmp_path, host):
    """The next one is asked."""
    for name in ("Ola", "Kari"):
        host.send("delete_contact", contact_id=host.create(name))
    wait_for_questions(tmp_path, 2)

    with at_terminal(tmp_path) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("later\n")
        terminal.wait_for(PROMPT, 2)
        terminal.type("delete\n")
        terminal.end()

    assert "Left open." in terminal.shown
    assert len(pending(tmp_path)) == 1


def test_watch_waits_for_new_questions_until_ctrl_c(tmp_path, host):
    with at_terminal(tmp_path, "--watch") as terminal:
        terminal.wait_for("Waiting for questions")
        deletion = host.send("delete_contact", contact_id=host.create("Ola Nordmann"))
        terminal.wait_for(PROMPT)
        terminal.type("delete\n")
        assert host.answer(deletion)["structuredContent"]["done"] is True
        terminal.type("\x03")
        assert terminal.end() == 0
    assert "Traceback" not in terminal.shown


def test_changed_target_is_not_put_to_the_person(tmp_path, host):
    ola = host.create("Ola Nordmann")
    host.send("delete_contact", contact_id=ola)
    wait_for_questions(tmp_path, 1)
    host.call("update_contact", contact_id=ola, name="Ola Hansen")

    with at_terminal(tmp_path) as terminal:
        terminal.end()

    assert "Not decided: the target was changed after the assistant asked" in terminal.shown
    assert PROMPT not in terminal.shown


def test_names_cannot_steer_the_terminal(tmp_path, host):
    name = "Ola\x1b]0;owned\x07\u202e\nDelete: nothing"
    host.send("delete_contact", contact_id=host.create(name))
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("\n")
        terminal.end()

    assert not {"\x1b", "\x07", "\u202e"} & set(terminal.shown)
    assert not [line for line in terminal.shown.splitlines() if line.startswith("Delete: nothing")]


def test_list_as_json_has_no_personal_data(tmp_path, host):
    ola = host.create("Ola Nordmann", phone_number="+4790000001")
    host.send("delete_contact", contact_id=ola)
    wait_for_questions(tmp_path, 1)

    (listed,) = pending(tmp_path)
    text = run(tmp_path, **ALLOWED).stdout

    assert (listed["tool"], listed["host"], listed["caller"]) == ("delete_contact", "test 1", "local")
    assert set(listed) == {"id", "tool", "host", "caller", "asked_at", "expires"}
    assert listed["asked_at"] < listed["expires"]
    assert not [part for part in ("Ola", "4790000001", ola) if part in json.dumps(listed) + text]


@pytest.mark.parametrize("piped", ["stdin", "stdout"])
def test_pipe_cannot_answer(tmp_path, host, piped):
    """Neither as the input, nor with the output elsewhere; the question is listed, and stays."""
    ola = host.create("Ola Nordmann")
    host.send("delete_contact", contact_id=ola)
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path, **{piped: subprocess.PIPE}) as terminal:
        if terminal.process.stdin:
            terminal.process.stdin.write(b"delete\n" * 3)
            terminal.process.stdin.close()
        else:
            terminal.type("delete\n" * 3)
        assert terminal.end() == 1

    assert "Nothing was decided" in terminal.shown
    assert len(pending(tmp_path)) == 1
    assert host.has(ola)


def test_what_is_typed_before_the_question_is_no_answer(tmp_path, host):
    ola = host.create("Ola Nordmann")
    host.send("delete_contact", contact_id=ola)
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path) as terminal:
        terminal.type("delete\n")
        terminal.wait_for(PROMPT)
        terminal.type("\n")
        terminal.end()

    assert "Kept." in terminal.shown
    assert host.has(ola)


@pytest.mark.parametrize("variables", [{}, {"CONTACTS_MCP_APPROVAL": "form,page"}], ids=["default", "other ways"])
def test_command_is_switched_off_unless_the_operator_names_it(tmp_path, variables):
    finished = run(tmp_path, **variables)

    assert finished.returncode == 2
    assert SWITCHED_OFF in finished.stderr
    assert "CONTACTS_MCP_APPROVAL" in finished.stderr


def test_server_ignores_a_terminal_that_it_does_not_allow(tmp_path):
    """An agent with a shell can run the command with settings of its own; the operator of the server decides."""
    with agent(tmp_path, CONTACTS_MCP_APPROVAL="approver", CONTACTS_MCP_DIRECTORY=str(tmp_path / "c.db")) as host:
        ola = host.create("Ola Nordmann")
        deletion = host.send("delete_contact", contact_id=ola)
        where = ALLOWED | {"CONTACTS_MCP_DIRECTORY": str(tmp_path / "c.db")}
        block_until(lambda: len(json.loads(run(tmp_path, "--json", **where).stdout)) == 1)
        with TerminalCommand(COMMAND, clean_environment(tmp_path, **where)) as terminal:
            terminal.wait_for(PROMPT)
            terminal.type("delete\n")
            terminal.end()

        line = host.answer(deletion)["content"][0]["text"]
        assert line.startswith("not_confirmed: the person decided in a way that the operator of this server does not")
        assert host.has(ola)


def test_approver_decides_on_the_call_of_an_unattended_agent(tmp_path):
    """With a key of the directory that has the scope approve; its pseudonym is in the audit trail."""
    place = tmp_path / "contacts.db"
    variables = {"CONTACTS_MCP_APPROVAL": "approver", "CONTACTS_MCP_DIRECTORY": str(place)}
    (secret,) = make_keys(place, "owner", scopes=["read", "approve"])
    with agent(tmp_path, **variables) as host:
        deletion = host.send("delete_contact", contact_id=host.create("Ola Nordmann"))
        wait_for_questions(tmp_path, 1)
        environment = clean_environment(tmp_path, **variables, WAYSCLOUD_API_KEY=secret)
        with TerminalCommand(COMMAND, environment) as terminal:
            terminal.wait_for(PROMPT)
            terminal.type("delete\n")
            assert terminal.end() == 0

        assert host.answer(deletion)["structuredContent"].items() >= DONE
    records = (tmp_path / "data" / "wayscloud-contacts-mcp" / "audit.jsonl").read_text()
    assert f'"consent":"approver","approver":"{key_pseudonym(secret)}"' in records
    assert secret not in records + terminal.shown


def test_terminal_without_a_place_that_it_shares_with_the_server_stops_the_start(command):
    """With keys that replicas share, but no Redis and no directory."""
    for arguments in (["serve"], ["serve", "--transport", "http", "--port", "0"], ["approvals"], ["doctor"]):
        finished = command(
            *arguments,
            **ALLOWED,
            WAYSCLOUD_API_KEY="wayscloud_pat_test1_THISISASECRETTHATMUSTNEVERSHOW",
            CONTACTS_MCP_STATE_KEYS="k" * 32,
        )

        assert finished.code == (1 if arguments == ["doctor"] else 2)
        assert "CONTACTS_MCP_STATE_KEYS and CONTACTS_MCP_REDIS_URL" in finished.out + finished.err


def test_unusable_folder_of_shared_state_is_reported(tmp_path, command):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wayscloud-contacts-mcp").write_text("a file")

    finished = command("approvals", **ALLOWED)

    assert finished.code == 2
    assert "cannot use" in finished.err


def test_lost_terminal_ends_the_command(tmp_path, host):
    """As when its window is closed."""
    host.send("delete_contact", contact_id=host.create("Ola Nordmann"))
    wait_for_questions(tmp_path, 1)

    with at_terminal(tmp_path) as terminal:
        terminal.wait_for(PROMPT)
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.end() != 0

    assert len(pending(tmp_path)) == 1
