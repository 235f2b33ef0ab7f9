"""The server as hosts start it: a child process on pipes."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from contacts_mcp.tools import TOOLS
from support.hosts import Host, Person, deleted, each_era
from support.processes import API_KEY, StdioServer, clean_environment, shortest
from support.raw_hosts import initialize_params, modern, notification
from support.services import directory_service

pytestmark = pytest.mark.system

A_SECOND = 2.0  # twice as much, since other tests keep the machine busy


def listing(server: StdioServer) -> dict:
    server.write_line(json.dumps(modern(1, "tools/list")).encode())
    return json.loads(server.read_line())


def call(server: StdioServer, tool: str, **arguments: Any) -> None:
    server.write_line(json.dumps(modern(2, "tools/call", name=tool, arguments=arguments)).encode())


@each_era
@pytest.mark.parametrize("backend", ["embedded", "remote"])
async def test_all_endpoint_tools_work_over_stdio(tmp_path: Path, era: str, backend: str) -> None:
    """Both eras, with the embedded directory and with an HTTP server that requires a key."""
    with directory_service(tmp_path) as address:
        variables = {"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": address} if backend == "remote" else {}
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "contacts_mcp", "serve"], env=clean_environment(tmp_path, **variables)
        )
        person = Person(content={"decision": "delete", "typed": "Ola Nordmann"})
        with (tmp_path / "stderr").open("w+") as errors:
            async with Client(stdio_client(server, errlog=errors), mode=era, elicitation_callback=person) as client:
                await use_every_tool(Host(client))
            errors.seek(0)
            written = errors.read()

    assert len(person.asked) == 3
    first = written.splitlines()[0]
    assert (f"WAYSCloud at {address} (key wayscloud_pat_… from WAYSCLOUD_API_KEY)" in first) is (backend == "remote")
    assert ("the embedded directory in " in first) is (backend == "embedded")
    assert API_KEY not in written
    assert "Nordmann" not in written
    assert sum('"outcome": "done"' in line for line in written.splitlines()) == 10


async def use_every_tool(directory: Host) -> None:
    ola = await directory.call("create_contact", name="Ola Nordmann", tags=["vip"])
    kari = await directory.call("create_contact", name="Kari Nordmann")
    assert (await directory.call("list_contacts", search="ola"))["contacts"][0]["id"] == ola["id"]
    assert (await directory.call("update_contact", contact_id=ola["id"], notes="n"))["changed"] == [
        {"field": "notes", "after": "n"}
    ]
    assert (await directory.call("get_contact", contact_id=ola["id"]))["notes"] == "n"
    group = {"group_id": (await directory.call("create_contact_group", name="G"))["id"]}
    assert (await directory.call("update_contact_group", **group, description="D"))["description"] == "D"
    assert await directory.call("add_group_members", **group, contact_ids=[ola["id"], kari["id"]]) == {"added": 2}
    removed = await directory.call("remove_group_member", **group, contact_id=kari["id"])
    assert removed == deleted(kari["id"], consent="", group={"id": group["group_id"]})
    assert (await directory.call("list_group_members", **group))["total"] == 1
    assert (await directory.call("get_contact_group", **group))["member_count"] == 1
    assert (await directory.call("list_contact_groups"))["total"] == 1
    assert await directory.call("delete_contact", contact_id=kari["id"]) == deleted(kari["id"], "Kari Nordmann")
    assert await directory.call("delete_contact_group", **group) == deleted(group["group_id"], "G", members=1)
    erased = await directory.call("gdpr_delete_contact", contact_id=ola["id"], reason="Article 17")
    assert erased["erased"]
    assert (await directory.call("list_contacts"))["total"] == 0


def test_end_of_input_ends_the_process_within_a_second(tmp_path: Path) -> None:
    """Standard output contains only JSON-RPC."""

    def ending() -> float:
        with StdioServer(tmp_path) as server:
            answer = listing(server)
            rest, seconds = server.close_input()
        assert len(answer["result"]["tools"]) == len(TOOLS)
        assert rest == b""
        assert server.written.startswith("contacts-mcp ")
        assert server.process.returncode == 0
        return seconds

    assert shortest(ending, A_SECOND) < A_SECOND


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", [False, True])
def test_signal_ends_the_process_within_a_second(tmp_path: Path, sent: signal.Signals, busy: bool) -> None:
    """Also while standard input stays open, and while the backend is in use."""

    def ending() -> float:
        with StdioServer(tmp_path) as server:
            listing(server)
            if busy:
                call(server, "list_contacts")
                server.read_line()
            seconds = server.end(sent)
        assert server.process.returncode == 0
        return seconds

    assert shortest(ending, A_SECOND) < A_SECOND


def test_signal_ends_the_process_while_the_host_does_not_read(tmp_path: Path) -> None:
    """A write that hangs in a full pipe does not keep the process alive."""

    def ending() -> float:
        with StdioServer(tmp_path) as server:
            listing(server)
            for number in range(400):
                server.write_line(json.dumps(modern(number + 2, "tools/list")).encode())
            return server.end(signal.SIGTERM)

    assert shortest(ending, A_SECOND) < A_SECOND


@pytest.mark.parametrize("goes", ["the host", "the operator"])
def test_process_ends_within_a_second_while_a_write_waits_for_another_process(tmp_path: Path, goes: str) -> None:

    def ending() -> float:
        with StdioServer(tmp_path) as server:
            listing(server)
            call(server, "list_contacts")
            server.read_line()
            (file,) = (tmp_path / "data").rglob("contacts.db")
            with closing(sqlite3.connect(file, isolation_level=None)) as another:
                another.execute("BEGIN IMMEDIATE")
                call(server, "create_contact", name="Ola Nordmann")
                listing(server)  # it is answered while the other request waits
                return server.close_input()[1] if goes == "the host" else server.end(signal.SIGTERM)

    assert shortest(ending, A_SECOND) < A_SECOND


@pytest.mark.skipif(not Path("/proc/self/coredump_filter").exists(), reason="the kernel does not tell")
def test_process_makes_no_core_dump(tmp_path: Path) -> None:
    """A core dump would contain keys and contacts."""
    with StdioServer(tmp_path) as server:
        listing(server)
        limits, filtered = (Path(f"/proc/{server.process.pid}/{name}").read_text() for name in _OF_CORES)

    assert re.search(r"Max core file size +0 +0 ", limits)
    assert int(filtered, 16) == 0


_OF_CORES = ("limits", "coredump_filter")


def test_closed_standard_output_ends_the_process_without_a_traceback(tmp_path: Path) -> None:
    """Even while standard input stays open."""
    with StdioServer(tmp_path) as server:
        listing(server)
        assert server.process.stdout
        server.process.stdout.close()
        server.write_line(json.dumps(modern(2, "tools/list")).encode())
        server.process.wait(10)

    assert "Traceback" not in server.written


def test_slow_host_gets_every_answer_complete(tmp_path: Path) -> None:
    """More answers are waiting than a pipe holds."""
    with StdioServer(tmp_path) as server:
        listing(server)
        for number in range(40):
            server.write_line(json.dumps(modern(number + 2, "tools/list")).encode())
        answers = [json.loads(server.read_line()) for _ in range(40)]

    assert sorted(answer["id"] for answer in answers) == list(range(2, 42))
    assert all(len(answer["result"]["tools"]) == len(TOOLS) for answer in answers)


def test_each_malformed_request_is_answered(tmp_path: Path) -> None:
    """So is the request after them. Notifications, responses and blank lines get no answer, and nothing is quoted."""
    malformed: list[tuple[bytes, Any, int]] = [
        (b"{", None, -32700),
        (b"\xff\xfe", None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"Ola","params":[]}', 1, -32602),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"Ola"}', 1.5, -32600),
        (b'[{"jsonrpc":"2.0","id":3,"method":"Ola"}]', None, -32600),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 17 * 1024**2 + b'"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":"Ola","params":{"x":"' + b"y" * 17 * 1024**2 + b'"}}', 5, -32600),
        (b'{"method":"Ola","params":{"x":[' + b"1," * 300_000 + b'1]},"jsonrpc":"2.0","id":"six"}', "six", -32600),
    ]
    unanswered = [
        b"",
        b"  \r",
        b'{"jsonrpc":"2.0","method":"Ola","params":[]}',
        b'{"jsonrpc":"2.0","id":9,"result":{}}',
    ]
    with StdioServer(tmp_path) as server:
        for line in [*unanswered, *(line for line, _, _ in malformed)]:
            server.write_line(line)
        answers = [json.loads(server.read_line()) for _ in malformed]
        listed = listing(server)
        server.close_input()

    assert [(answer["id"], answer["error"]["code"]) for answer in answers] == [
        (id_, code) for _, id_, code in malformed
    ]
    assert len(listed["result"]["tools"]) == len(TOOLS)
    assert server.written.count("a malformed message was not served: ") == len(malformed) + 1
    assert "Ola" not in server.written + json.dumps(answers)
    assert "Traceback" not in server.written


def test_long_text_is_read_however_many_commas_it_has(tmp_path: Path) -> None:
    content = json.dumps(modern(1, "tools/call", name="import_contacts", arguments={"content": "a," * 1_200_000}))
    with StdioServer(tmp_path) as server:
        server.write_line(content.encode())
        answer = json.loads(server.read_line())

    assert answer["id"] == 1
    assert answer["result"]["isError"]


def test_byte_order_mark_before_the_first_line_is_ignored(tmp_path: Path) -> None:
    with StdioServer(tmp_path) as server:
        server.write_line(b"\xef\xbb\xbf" + json.dumps(modern(1, "tools/list")).encode() + b"\r")

        assert len(json.loads(server.read_line())["result"]["tools"]) == len(TOOLS)


@pytest.mark.parametrize("later", ["initialize", "tools/list"])
def test_discovery_does_not_decide_the_protocol_era(tmp_path: Path, later: str) -> None:
    """Some hosts discover, do not wait for the answer, and initialize on the same pipe."""
    initialize = {"jsonrpc": "2.0", "id": 2, "method": "initialize", "params": initialize_params({})}
    legacy = [
        initialize,
        notification("notifications/initialized"),
        {"jsonrpc": "2.0", "id": 3, "method": "tools/list"},
    ]
    messages = legacy if later == "initialize" else [modern(2, "tools/list"), modern(3, "tools/list")]
    with StdioServer(tmp_path) as server:
        lines = [json.dumps(message).encode() for message in (modern(1, "server/discover"), *messages)]
        server.write_line(b"\n".join(lines))
        answers = sorted((json.loads(server.read_line()) for _ in range(3)), key=lambda answer: answer["id"])

    assert "supportedVersions" in answers[0]["result"]
    assert ("protocolVersion" in answers[1]["result"]) == (later == "initialize")
    assert len(answers[2]["result"]["tools"]) == len(TOOLS)


def test_input_from_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    """A regular file cannot be polled as a pipe can, but ends the process in the same way."""
    recorded = tmp_path / "recorded"
    recorded.write_text(json.dumps(modern(1, "tools/list")) + "\n")
    serve = [sys.executable, "-m", "contacts_mcp", "serve"]
    with recorded.open() as lines:
        done = subprocess.run(
            serve, stdin=lines, capture_output=True, timeout=20, check=False, env=clean_environment(tmp_path)
        )

    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1


def test_disabled_tools_are_neither_listed_nor_run(tmp_path: Path) -> None:
    """By read-only mode or by a list of tools."""
    with StdioServer(
        tmp_path, CONTACTS_MCP_READ_ONLY="1", CONTACTS_MCP_TOOLS="list_contacts, create_contact"
    ) as server:
        listed = listing(server)["result"]["tools"]
        server.write_line(json.dumps(modern(2, "tools/call", name="create_contact", arguments={"name": "x"})).encode())
        refused = json.loads(server.read_line())["result"]

    assert [tool["name"] for tool in listed] == ["list_contacts"]
    assert refused["isError"]
    assert "switched off here" in refused["content"][0]["text"]


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        (
            {"CONTACTS_MCP_TOOLS": "get_contact,get_contatc"},
            "unknown tool: get_contatc; available tools: list_contacts",
        ),
        ({"CONTACTS_MCP_CONFIRM": "everything"}, "unknown tool: everything"),
        ({"CONTACTS_MCP_CONFIRM": "get_contact"}, "unknown tool: get_contact; available tools: create_contact,"),
        ({"CONTACTS_MCP_GUARD": "off"}, "CONTACTS_MCP_GUARD: should be 'ask', 'two-step' or 'block'"),
        ({"CONTACTS_MCP_READONLY": "1"}, "not a setting; did you mean CONTACTS_MCP_READ_ONLY?"),
        ({"CONTACTS_MCP_TOOLS": "delete_contact", "CONTACTS_MCP_READ_ONLY": "1"}, "enable no tool"),
        ({"WAYSCLOUD_API_KEY": "${env:WAYSCLOUD_API_KEY}"}, "WAYSCLOUD_API_KEY: contains a placeholder"),
        ({"CONTACTS_MCP_READ_ONLY": "maybe"}, "CONTACTS_MCP_READ_ONLY: "),
        ({"CONTACTS_MCP_DEFAULT_REGION": "Norway"}, "CONTACTS_MCP_DEFAULT_REGION: should be a two-letter region"),
        ({"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": "http://api.example.com"}, "https"),
        ({"WAYSCLOUD_API_KEY": "two words"}, "WAYSCLOUD_API_KEY"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_invalid_setting_stops_the_start_with_one_line(
    command: Callable[..., Any], variables: dict[str, str], complaint: str
) -> None:
    """A typo never means less safety, and no key is shown."""
    done = command("serve", **variables)

    assert done.code == 2
    assert complaint in done.err
    assert len(done.err.splitlines()) == 1
    assert API_KEY not in done.err
    assert done.out == ""


def test_debug_logs_contain_no_names_and_no_key(tmp_path: Path) -> None:
    """Not even of invalid input."""
    with directory_service(tmp_path) as address:
        variables = {"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": address, "CONTACTS_MCP_LOG_LEVEL": "debug"}
        with StdioServer(tmp_path, **variables) as server:
            create = modern(1, "tools/call", name="create_contact", arguments={"name": "Zaphod Beeblebrox"})
            server.write_line(json.dumps(create).encode())
            assert b"Zaphod" in server.read_line()
            search = modern(2, "tools/call", name="list_contacts", arguments={"search": "Zaphod"})
            server.write_line(json.dumps(search).encode())
            assert b"Beeblebrox" in server.read_line()
            server.write_line(b'{"broken": "Zaphod')
            server.close_input()

    assert "DEBUG" in server.written
    assert "Zaphod" not in server.written
    assert API_KEY not in server.written


_STRAY = """
import sys
from contacts_mcp.__main__ import main
from contacts_mcp.server._tool_calls import ToolHandlers

listed = ToolHandlers.list_tools

async def stray(self, ctx, params):
    print("stray words", flush=True)
    return await listed(self, ctx, params)

ToolHandlers.list_tools = stray
sys.argv = ["contacts-mcp", "serve"]
main()
"""


def test_stray_print_goes_to_standard_error(tmp_path: Path) -> None:
    """A library that prints does not break the protocol."""
    asked = json.dumps(modern(1, "tools/list")).encode() + b"\n"
    with subprocess.Popen(
        [sys.executable, "-c", _STRAY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(tmp_path),
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(asked)
        child.stdin.flush()
        answer = json.loads(child.stdout.readline())
        rest, errors = child.communicate(timeout=20)

    assert len(answer["result"]["tools"]) == len(TOOLS)
    assert rest == b""
    assert b"stray words" in errors
