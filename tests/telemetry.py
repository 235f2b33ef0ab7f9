"""What telemetry says, kept in memory: the spans, the metrics and the log lines of whatever a test does."""

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


class _WhileWanted(Sampler):
    """Keeps spans for a test that looks at them, and costs the others nothing."""

    wanted = False

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        return (ALWAYS_ON if self.wanted else ALWAYS_OFF).should_sample(*args, **kwargs)

    def get_description(self) -> str:
        return "while wanted"


_SAMPLER = _WhileWanted()


@cache
def _stores() -> tuple[InMemorySpanExporter, InMemoryMetricReader]:
    """OpenTelemetry takes its providers once in a process, so these serve every test."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader(preferred_temporality=_DELTA)
    provider = TracerProvider(sampler=_SAMPLER)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    return spans, reader


@dataclass
class Told:
    """What was measured since the test began."""

    _spans: InMemorySpanExporter
    _reader: InMemoryMetricReader
    _points: list[tuple[str, dict[str, Any], Any]] = field(default_factory=list)

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """The server's spans, in the order in which they ended; those of the host in the same process are left out."""
        ours = [span for span in self._spans.get_finished_spans() if not span.name.startswith("MCP send")]
        return [span for span in ours if name is None or span.name == name]

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
            for found, value in self.points(name)
            if wanted <= {(label.replace(".", "_"), told) for label, told in found.items()}
        )

    def everything(self) -> str:
        """All of it, as text to look for what must not be there."""
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
def telemetry() -> Iterator[Told]:
    """An SDK that keeps what it is told."""
    spans, reader = _stores()
    spans.clear()
    reader.get_metrics_data()
    _SAMPLER.wanted = True
    try:
        yield Told(spans, reader)
    finally:
        _SAMPLER.wanted = False
        spans.clear()


class Log:
    """The lines of a log in JSON."""

    def __init__(self) -> None:
        self.written = io.StringIO()

    @property
    def text(self) -> str:
        return self.written.getvalue()

    def lines(self, logger: str = "") -> list[dict[str, Any]]:
        told = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in told if line["logger"].startswith(logger)]


@contextmanager
def logged(**settings: Any) -> Iterator[Log]:
    """The log as `configure_logging` sets it up, whose traces in this process are then removed."""
    log = Log()
    with loggers_as_they_were():
        with patch("sys.stderr", log.written):
            configure_logging(load_settings(**settings), default="json")
        yield log
