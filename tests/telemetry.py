"""Telemetry in memory: the spans, metrics and log lines that a test produces."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult

from contacts_mcp.app import configure_logging
from contacts_mcp.settings import load_settings
from loggers import loggers_as_they_were

_DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}


class _SwitchedSampler(Sampler):
    """Samples spans only while a test captures them."""

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
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._points += [
                        (metric.name, dict(point.attributes), getattr(point, "count", getattr(point, "value", None)))
                        for point in metric.data.data_points
                    ]


@contextmanager
def capture_telemetry() -> Iterator[CapturedTelemetry]:
    """Capture spans and metrics."""
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
    """A log of JSON lines."""

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
