"""The trail of server processes, and at an OTLP collector on loopback that accepts, refuses, hangs or is away."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from mcp import Client

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.audit import verify
from contacts_mcp.settings import InvalidSettings, load_settings
from support.hosts import MISSING_ID, MODERN, Person, host
from support.processes import API_KEY, HttpServer, StdioServer, wait_until
from support.raw_hosts import modern
from support.services import CONTACT, CONTACT_ID, ScriptedServer, reply, silence
from support.telemetry import collecting

pytestmark = pytest.mark.system

YES = {"decision": "delete"}


def call(server: StdioServer, tool: str, **arguments: Any) -> dict[str, Any]:
    say(server, tool, **arguments)
    return json.loads(server.read_line())["result"]


def say(server: StdioServer, tool: str, **arguments: Any) -> None:
    server.write_line(json.dumps(modern(1, "tools/call", name=tool, arguments=arguments)).encode())


def own_file(home: Path) -> Path:
    """The default trail of a stdio server."""
    return home / "data" / "wayscloud-contacts-mcp" / "audit.jsonl"


def test_default_trail_over_stdio_is_a_file_and_standard_error(tmp_path):
    """The file is in the user data folder, which is created; both have the same records."""
    with StdioServer(tmp_path) as server:
        call(server, "create_contact", name="Ola Nordmann")
        call(server, "delete_contact", contact_id=MISSING_ID)
        server.close_input()

    written = [json.loads(line) for line in own_file(tmp_path).read_text().splitlines()]
    shown = [
        json.loads(line.partition(": ")[2]) for line in server.written.splitlines() if "contacts_mcp.trail" in line
    ]
    assert shown == written
    assert [line["outcome"] for line in written] == ["done", "refused"]
    assert verify([own_file(tmp_path)]).faults == []


def test_free_text_request_id_is_not_recorded(tmp_path):
    """The protocol allows any text as an id."""
    with StdioServer(tmp_path) as server:
        request = modern(1, "tools/call", name="create_contact", arguments={"name": "Ola Nordmann"})
        server.write_line(json.dumps({**request, "id": "for Ola Nordmann"}).encode())
        server.read_line()
        server.close_input()

    assert [json.loads(line)["request"] for line in own_file(tmp_path).read_text().splitlines()] == ["_OTHER"]


async def test_default_trail_over_a_network_is_only_standard_error(tmp_path):
    """A container's file system may be read-only. Each process has its own chain."""
    with HttpServer(tmp_path) as network:
        async with Client(f"{network.url}/mcp", mode=MODERN) as client:
            await client.call_tool("create_contact", {"name": "Ola Nordmann"})
            await client.call_tool("delete_contact", {"contact_id": MISSING_ID})
        await wait_until(lambda: len(network.trail) > 1)
        first, second = network.trail

    assert not own_file(tmp_path).exists()
    assert (first["seq"], first["previous"], second["previous"]) == (1, "", first["hash"])


@pytest.mark.parametrize("named", ["sterr", "a.jsonl,b.jsonl", ","])
def test_invalid_destination_stops_the_start(tmp_path, named):
    """A typing error must not create a file of that name."""
    with StdioServer(tmp_path, "--audit", named) as server:
        server.close_input()

    assert server.process.returncode == 2
    assert server.written.startswith("contacts-mcp: CONTACTS_MCP_AUDIT: should be stderr, otlp or one file such as ")
    assert len(server.written.splitlines()) == 1


def test_deletion_is_refused_if_standard_error_is_closed(tmp_path):
    """If standard error is the only destination of the trail."""
    with StdioServer(
        tmp_path, "--guard", "two-step", "--audit", "stderr", options={"stderr": subprocess.PIPE}
    ) as server:
        assert server.process.stderr
        ola = call(server, "create_contact", name="Ola Nordmann")["structuredContent"]["id"]
        server.process.stderr.close()
        token = call(server, "delete_contact", contact_id=ola)["structuredContent"]["confirmation_token"]
        result = call(server, "delete_contact", contact_id=ola, confirmation_token=token)
        after = call(server, "get_contact", contact_id=ola)

        assert result["content"][0]["text"].startswith("trail_unavailable: ")
        assert after["structuredContent"]["id"] == ola


async def test_begin_record_of_an_erasure_survives_a_kill(tmp_path):
    """The process is killed while it waits for the service: the trail has the call as unfinished."""
    erased = {"contact_id": CONTACT_ID, "reason": "asked for it"}
    async with ScriptedServer() as service:
        read = (reply(200, CONTACT), reply(200, {"contacts": [], "total": 0}))  # the contact, and others of its name
        service.answers(reply(404), *read, *read, silence)
        variables = {"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": service.url}
        with StdioServer(tmp_path, "--guard", "two-step", **variables) as server:
            preview = await to_thread.run_sync(lambda: call(server, "gdpr_delete_contact", **erased))
            token = preview["structuredContent"]["confirmation_token"]
            say(server, "gdpr_delete_contact", **erased, confirmation_token=token)
            await wait_until(lambda: "POST" in service.methods)
            server.process.kill()

    last = json.loads(own_file(tmp_path).read_text().splitlines()[-1])
    found = verify([own_file(tmp_path)])
    assert (last["tool"], last["outcome"], last["contact_id"]) == ("gdpr_delete_contact", "begun", CONTACT_ID)
    assert (found.faults, found.unfinished) == ([], [last["seq"]])


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


async def test_deletion_waits_for_the_collector_and_other_calls_do_not(tmp_path, collector):
    """Records of a deletion are acknowledged before the answer; the others arrive by the end of the server."""
    async with host(tmp_path / "contacts.db", person=Person(YES), audit="otlp") as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        await directory.call("delete_contact", contact_id=ola["id"])
        at_once = [line["outcome"] for line in collector.lines if line["tool"] == "delete_contact"]

    assert at_once == ["asked", "begun", "done"]
    lines = sorted(collector.lines, key=lambda line: line["seq"])
    assert [line["tool"] for line in lines] == ["create_contact", *["delete_contact"] * 3]
    assert [line["previous"] for line in lines] == ["", *(line["hash"] for line in lines[:-1])]
    assert b"Nordmann" not in collector.logs.SerializeToString()


@pytest.mark.parametrize("audit", ["otlp", "stderr,otlp", "{file},otlp"], ids=["only", "with log", "with file"])
@pytest.mark.parametrize("fault", ["refuses", "is away", "is silent"])
async def test_deletion_is_refused_without_the_acknowledgement(tmp_path, collector, monkeypatch, audit, fault):
    """If there are several destinations, all must have the record; the file then records the refusal."""
    monkeypatch.setattr("contacts_mcp.audit._otlp.WRITE_TIMEOUT_SECONDS", 0.5)
    file = tmp_path / "audit.jsonl"
    async with host(tmp_path / "contacts.db", person=Person(YES), audit=audit.format(file=file)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        collector.status, collector.silent = (400 if fault == "refuses" else 200), fault == "is silent"
        if fault == "is away":
            collector.leave()
        error = await directory.error("delete_contact", contact_id=ola["id"])
        after = await directory.call("get_contact", contact_id=ola["id"])

    assert error.startswith("trail_unavailable: ")
    assert after == ola
    if "file" in audit:
        written = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["outcome"] for line in written] == ["done", "asked", "begun", "refused"]
        assert written[-1]["begun"] == written[-2]["seq"]
        assert (verify([file]).faults, verify([file]).unfinished) == ([], [])


@pytest.mark.parametrize(
    "environ",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}],
    ids=["nowhere", "disabled"],
)
def test_start_fails_if_no_collector_is_configured(tmp_path, monkeypatch, environ):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=r"^CONTACTS_MCP_AUDIT with otlp needs a collector"):
        build_app(load_settings(audit="otlp"), Embedded(tmp_path / "contacts.db", "test"))
