"""The trail at an OTLP collector on loopback that accepts, refuses, hangs or is away."""

import json
from typing import Any

import pytest

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.audit import verify
from contacts_mcp.settings import InvalidSettings, load_settings
from support.hosts import Person, host
from support.telemetry import collecting

pytestmark = pytest.mark.system

YES = {"decision": "delete"}


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
        assert (verify(file).faults, verify(file).unfinished) == ([], [])


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
