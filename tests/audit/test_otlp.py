"""The trail at a collector: a real one on loopback, that takes, refuses, or is not there."""

import json
from pathlib import Path
from typing import Any

import pytest

from collecting import Collector, collecting
from contacts_mcp.app import Embedded, build_app
from contacts_mcp.audit import verify
from contacts_mcp.settings import InvalidSettings, load_settings
from harness import Person, host

pytestmark = pytest.mark.system

YES = {"decision": "delete"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Any:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


async def test_a_deletion_waits_for_the_collector_and_the_rest_follows(tmp_path: Path, collector: Collector) -> None:
    """What it has acknowledged is there when the answer is; other records have come when the server has ended."""
    async with host(tmp_path / "contacts.db", person=Person(YES), audit="otlp") as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        await directory.call("delete_contact", contact_id=ola["id"])
        at_once = [line["outcome"] for line in collector.lines if line["tool"] == "delete_contact"]

    assert at_once == ["asked", "begun", "done"]
    lines = sorted(collector.lines, key=lambda line: line["seq"])
    assert [line["tool"] for line in lines] == ["create_contact", *["delete_contact"] * 3]
    assert [line["previous"] for line in lines] == ["", *(line["hash"] for line in lines[:-1])]
    assert b"Nordmann" not in collector.logs.SerializeToString()


@pytest.mark.parametrize("place", ["otlp", "stderr,otlp", "{file},otlp"], ids=["alone", "with the log", "with a file"])
@pytest.mark.parametrize("fault", ["refuses", "is away", "is silent"])
async def test_without_its_acknowledgement_nothing_is_destroyed(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, place: str, fault: str
) -> None:
    """Where several places were named, all have to have it; a file then says that it was refused."""
    monkeypatch.setattr("contacts_mcp.audit._otlp.PATIENCE", 0.5)
    file = tmp_path / "audit.jsonl"
    async with host(tmp_path / "contacts.db", person=Person(YES), audit=place.format(file=file)) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        collector.status, collector.silent = (400 if fault == "refuses" else 200), fault == "is silent"
        if fault == "is away":
            collector.leave()
        told = await directory.error("delete_contact", contact_id=ola["id"])
        after = await directory.call("get_contact", contact_id=ola["id"])

    assert told.startswith("trail_unavailable: ")
    assert after == ola
    if "file" in place:
        written = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["outcome"] for line in written] == ["done", "asked", "begun", "refused"]
        assert written[-1]["begun"] == written[-2]["seq"]
        assert (verify(file).faults, verify(file).unfinished) == ([], [])


@pytest.mark.parametrize(
    "environ",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}],
    ids=["nowhere", "disabled"],
)
def test_a_collector_that_is_not_named_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """The trail would go nowhere."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=r"^CONTACTS_MCP_AUDIT with otlp needs a collector"):
        build_app(load_settings(audit="otlp"), Embedded(tmp_path / "contacts.db", "test"))
