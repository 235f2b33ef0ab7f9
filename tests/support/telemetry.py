"""Capture the server's spans, metrics and logs in memory, an OTLP collector, and audit records."""

import http.client
import io
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult

from contacts_mcp.app import configure_logging
from contacts_mcp.settings import load_settings
from support.services import HttpAnswer, serve_in_threads

_State = tuple[list[logging.Handler], int, bool, bool]

_NEW: _State = ([], logging.NOTSET, True, False)
"""The state of a logger that is not configured."""


@contextmanager
def loggers_as_they_were() -> Iterator[None]:
    """Restore all loggers after the block: handlers would outlive the standard error that they write to."""
    before = {name: _state(logger) for name, logger in _loggers()}
    try:
        yield
    finally:
        for name, logger in _loggers():
            logger.handlers, logger.level, logger.propagate, logger.disabled = before.get(name, _NEW)
            logger.handlers = list(logger.handlers)
        logging.root.manager._clear_cache()


def _loggers() -> list[tuple[str, logging.Logger]]:
    known = logging.root.manager.loggerDict.items()
    return [("root", logging.root), *((name, found) for name, found in known if isinstance(found, logging.Logger))]


def _state(logger: logging.Logger) -> _State:
    return list(logger.handlers), logger.level, logger.propagate, logger.disabled


_DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}


class _SwitchedSampler(Sampler):
    is_on = False

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        return (ALWAYS_ON if self.is_on else ALWAYS_OFF).should_sample(*args, **kwargs)

    def get_description(self) -> str:
        return "switched"


_SAMPLER = _SwitchedSampler()


@cache
def _stores() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    """OpenTelemetry can set its providers only once per process, so all tests share these."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader(preferred_temporality=_DELTA)
    provider = TracerProvider(sampler=_SAMPLER)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    return spans, reader


@dataclass
class CapturedTelemetry:
    """The spans and metrics since the test began."""

    _spans: InMemorySpanExporter
    _reader: InMemoryMetricReader
    _points: list[tuple[str, dict[str, Any], Any]] = field(default_factory=list)

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """The server's spans in the order they ended, without those of the MCP client in the same process."""
        server_spans = [span for span in self._spans.get_finished_spans() if not span.name.startswith("MCP send")]
        return [span for span in server_spans if name is None or span.name == name]

    def span(self, name: str) -> ReadableSpan:
        (span,) = self.spans(name)
        return span

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """Attributes and value, or count, of a metric's points."""
        self._collect()
        return [(labels, value) for metric, labels, value in self._points if metric == name]

    def count(self, name: str, **labels: str) -> float:
        """The sum of a metric over the points that have these labels, written with `_` for `.`."""
        wanted = set(labels.items())
        return sum(
            value
            for attributes, value in self.points(name)
            if wanted <= {(label.replace(".", "_"), text) for label, text in attributes.items()}
        )

    def everything(self) -> str:
        """All spans and metrics as text, to search for data that must not be there."""
        self._collect()
        return "\n".join([*(span.to_json() for span in self.spans()), *map(repr, self._points)])

    def _collect(self) -> None:
        data = self._reader.get_metrics_data()
        for metric in _leaves(data.resource_metrics if data else (), "scope_metrics", "metrics"):
            self._points += [
                (metric.name, dict(point.attributes), getattr(point, "count", getattr(point, "value", None)))
                for point in metric.data.data_points
            ]


def _leaves(resources: Iterable[Any], scopes: str, items: str) -> Iterator[Any]:
    """The items of all scopes of all resources, in the SDK's objects or in OTLP messages."""
    return (item for resource in resources for scope in getattr(resource, scopes) for item in getattr(scope, items))


@contextmanager
def capture_telemetry() -> Iterator[CapturedTelemetry]:
    spans, reader = _stores()
    spans.clear()
    reader.get_metrics_data()
    _SAMPLER.is_on = True
    try:
        yield CapturedTelemetry(spans, reader)
    finally:
        _SAMPLER.is_on = False
        spans.clear()


class Log:
    def __init__(self) -> None:
        self.written = io.StringIO()

    @property
    def text(self) -> str:
        return self.written.getvalue()

    def lines(self, logger: str = "") -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["logger"].startswith(logger)]


@contextmanager
def logged(**settings: Any) -> Iterator[Log]:
    """Capture the log as `configure_logging` sets it up; afterwards the loggers are restored."""
    log = Log()
    with loggers_as_they_were():
        with patch("sys.stderr", log.written):
            configure_logging(load_settings(**settings), default="json")
        yield log


class Collector:
    """Stores what is exported to it, or never answers if `silent`; `status` is the status of its answers."""

    def __init__(self, *, silent: bool = False) -> None:
        self.traces, self.metrics = ExportTraceServiceRequest(), ExportMetricsServiceRequest()
        self.logs = ExportLogsServiceRequest()
        self.silent = silent
        self.status = 200
        self.url = ""
        self.received = bytearray()
        """All received data."""
        self.leave: Callable[[], None] = lambda: None
        """Stop listening."""
        self.ended = threading.Event()

    def respond(self, request: BaseHTTPRequestHandler, body: bytes) -> HttpAnswer | None:
        if self.silent:
            self.ended.wait(30)
            return None
        if self.status == 200:
            self.received += body
            kinds = {"/v1/traces": self.traces, "/v1/metrics": self.metrics, "/v1/logs": self.logs}
            kinds[request.path].MergeFromString(body)
        return self.status, b"", {}

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log records, which are JSON."""
        records = _leaves(self.logs.resource_logs, "scope_logs", "log_records")
        return [json.loads(record.body.string_value) for record in records]

    @property
    def spans(self) -> dict[str, Any]:
        return {span.name: span for span in _leaves(self.traces.resource_spans, "scope_spans", "spans")}

    @property
    def resources(self) -> list[dict[str, str]]:
        found = [*self.traces.resource_spans, *self.metrics.resource_metrics]
        return [{pair.key: pair.value.string_value for pair in each.resource.attributes} for each in found]

    @property
    def measured(self) -> set[str]:
        return {metric.name for metric in _leaves(self.metrics.resource_metrics, "scope_metrics", "metrics")}


@contextmanager
def collecting(*, silent: bool = False) -> Iterator[Collector]:
    """A collector on loopback, in threads of its own."""
    collector = Collector(silent=silent)
    with ExitStack() as serving:
        serving.callback(collector.ended.set)
        collector.url = serving.enter_context(serve_in_threads(collector.respond))
        collector.leave = serving.close
        yield collector


def scrape(address: str, path: str = "/metrics", **headers: str) -> tuple[int, str, str]:
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers.get("Content-Type", ""), response.read().decode()


FIELDS = {"time": "2026-11-24T10:00:00.000Z", "tool": "delete_contact", "outcome": "done", "caller": "local"}
"""The fields of a record."""


def rewrite(path: Path, tamper: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
