"""Telemetry of server processes, with an OTLP collector and a Prometheus scraper."""

import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from contacts_mcp import __version__
from contacts_mcp.app._telemetry import Telemetry, plan_telemetry
from contacts_mcp.settings import InvalidSettings, load_settings
from support.hosts import LEGACY, MISSING_ID, MODERN
from support.processes import HttpServer, clean_environment, free_port
from support.telemetry import collecting, scrape

pytestmark = pytest.mark.system

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


async def test_telemetry_right_before_the_end_reaches_the_collector(tmp_path):
    """After a call and SIGTERM the collector has its spans, in one trace and with the resource, and the metrics."""
    with collecting() as collector:
        name = {"OTEL_SERVICE_NAME": "team-contacts"}
        with HttpServer(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **name) as network:
            async with Client(f"{network.url}/mcp", mode=MODERN) as client:
                await client.call_tool("create_contact", {"name": "Ola Nordmann"})
            network.end()

    assert "traces and metrics are exported by OTLP" in network.written
    call, request = collector.spans["tools/call create_contact"], collector.spans["POST /v1/contacts"]
    assert (request.trace_id, request.parent_span_id) == (call.trace_id, call.span_id)
    assert collector.measured >= {"contacts_mcp.calls", "http.client.request.duration"}
    named = [(found["service.name"], found["service.version"]) for found in collector.resources]
    assert set(named) == {("team-contacts", __version__)}
    assert len({found["service.instance.id"] for found in collector.resources}) == 1
    assert b"Nordmann" not in collector.traces.SerializeToString() + collector.metrics.SerializeToString()


async def test_silent_collector_delays_nothing(tmp_path):
    """Calls are answered, and the server takes at most a second longer to end."""
    with (
        collecting(silent=True) as collector,
        HttpServer(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as network,
    ):
        async with Client(f"{network.url}/mcp", mode=MODERN) as client:
            await client.call_tool("create_contact", {"name": "Ola Nordmann"})

        assert network.end() < 4


async def test_metrics_page_shows_the_current_metrics(tmp_path):
    """In Prometheus' text format and in OpenMetrics; every other path is 404."""
    with free_port() as port, HttpServer(tmp_path, CONTACTS_MCP_METRICS_PORT=str(port)) as network:
        async with Client(f"{network.url}/mcp", mode=LEGACY) as client:
            await client.call_tool("create_contact", {"name": "Ola Nordmann"})
            await client.call_tool("get_contact", {"contact_id": MISSING_ID})
        status, kind, text = scrape(network.metrics)
        as_open_metrics = scrape(network.metrics, Accept="application/openmetrics-text; version=1.0.0")
        elsewhere = scrape(network.metrics, "/")
        network.end()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    labels = ("gen_ai_tool_name", "contacts_mcp_outcome", "error_type")
    calls = {tuple(each.labels[name] for name in labels): each.value for each in families["contacts_mcp_calls"].samples}
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert calls[("create_contact", "done", "")] == 1
    assert calls[("get_contact", "failed", "not_found")] == 1
    assert all(set(each.labels) == set(labels) for each in families["contacts_mcp_calls"].samples)
    buckets = families["mcp_server_operation_duration_seconds"].samples
    assert [sample.value for sample in buckets if sample.labels.get("le") == "+Inf"] == [1, 1]
    assert families["target_info"].samples[0].labels["service_name"] == "contacts-mcp"
    assert {family.name for family in open_metrics(as_open_metrics[2])} >= {"contacts_mcp_calls", "target"}
    assert elsewhere[0] == 404
    assert "Nordmann" not in text


async def test_second_server_uses_the_next_port(tmp_path):
    """Both serve metrics; the second one's first line has the URL of its page."""
    with free_port() as port:
        settings = {"CONTACTS_MCP_METRICS_PORT": str(port), "CONTACTS_MCP_DIRECTORY": str(tmp_path / "contacts.db")}
        with HttpServer(tmp_path, **settings) as first, HttpServer(tmp_path, **settings) as second:
            assert first.metrics == f"http://127.0.0.1:{port}"
            assert urlsplit(second.metrics).port in range(port + 1, port + 16)
            assert {scrape(first.metrics)[0], scrape(second.metrics)[0]} == {200}


def test_start_fails_if_no_port_is_free():
    """After sixteen ports the error names the first one."""
    with ExitStack() as held, free_port() as port:
        for number in range(port, port + 16):
            other = held.enter_context(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                other.bind(("127.0.0.1", number))
                other.listen()
            except OSError:
                continue  # another process uses it
        with pytest.raises(InvalidSettings, match=f"neither {port} nor one of the next 15 ports is free"):
            plan(CONTACTS_MCP_METRICS_PORT=port)


def plan(**environ: Any) -> Telemetry:
    """Plan telemetry for an environment, and close its socket."""
    port = environ.pop("CONTACTS_MCP_METRICS_PORT", None)
    planned = plan_telemetry(load_settings(metrics_port=port), environ)
    if planned.prometheus is not None:
        planned.prometheus.close()
    return planned


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, (False, False)),
        (COLLECTOR, (True, True)),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, (True, True)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, (True, False)),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics"}, (False, True)),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, (False, True)),
        ({**COLLECTOR, "OTEL_METRICS_EXPORTER": "none", "OTEL_TRACES_EXPORTER": "otlp"}, (True, False)),
        ({**COLLECTOR, "OTEL_SDK_DISABLED": "True"}, (False, False)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, (False, False)),
    ],
)
def test_environment_selects_the_exported_signals(environ, expected):
    """By endpoints for both signals or one, disabled exporters, and the disabled SDK."""
    planned = plan(**environ)

    assert (planned.traces, planned.metrics) == expected


@pytest.mark.parametrize(
    "missing",
    [
        "opentelemetry.sdk",
        "opentelemetry.exporter.otlp.proto.http",
        "opentelemetry.exporter.prometheus",
        "prometheus_client",
    ],
)
@pytest.mark.parametrize("environ", [COLLECTOR, {"CONTACTS_MCP_METRICS_PORT": 9464}])
def test_start_fails_if_the_telemetry_extra_is_missing(monkeypatch, missing, environ):
    """The error names the setting, and what to install."""
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(InvalidSettings) as failed:
        plan(**environ)

    assert str(failed.value) == (
        f"{next(iter(environ))} needs the extra `telemetry`: pip install 'wayscloud-contacts-mcp[telemetry]'"
    )


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf"),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "only http/protobuf is supported"),
        ({"CONTACTS_MCP_METRICS_PORT": 9464, "OTEL_SDK_DISABLED": "true"}, "METRICS_PORT would show nothing"),
    ],
)
def test_start_fails_if_telemetry_is_misconfigured(environ, line):
    with pytest.raises(InvalidSettings, match=line):
        plan(**environ)


def test_sdk_is_not_imported_without_a_setting(tmp_path):
    """By default, a network server imports only OpenTelemetry's API."""
    program = (
        "import sys, contacts_mcp.asgi\n"
        "print([name for name in ('opentelemetry.sdk', 'prometheus_client', 'requests') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.strip() == "[]"
