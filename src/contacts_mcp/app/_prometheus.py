"""A page for Prometheus: OpenTelemetry's metrics, collected when they are asked for, on a port of their own.

Needs the extra `telemetry`. There is no stable exporter to use: this is the bridge.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from opentelemetry.sdk.metrics.export import (
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

PATH = "/metrics"
_UNITS = {"s": "_seconds", "By": "_bytes"}
_PATIENCE = 5.0
"""Seconds in which a scraper has to ask, and to take what it is answered."""


class Page(Collector):
    """Serves what `reader` collects, on a socket that listens already, once it is opened."""

    def __init__(self, listening: socket.socket, reader: InMemoryMetricReader) -> None:
        self._reader = reader
        self._reading = threading.Lock()
        self._server = _Server(listening, self._render)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def open(self) -> Callable[[], None]:
        """Answer, in threads, so that scrapes and calls do not wait for each other; returns what ends it."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="metrics").start()
        return self._close

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def collect(self) -> Iterator[Family]:
        """See Collector."""
        with self._reading:  # of two at once, one would get nothing
            data = self._reader.get_metrics_data()
        return iter(()) if data is None else families(data)

    def describe(self) -> Iterable[Family]:
        """Nothing is collected for a mere description."""
        return ()

    def _render(self, accepted: str) -> tuple[bytes, str]:
        encode, kind = choose_encoder(accepted)
        return encode(self._registry), kind


def families(data: MetricsData) -> Iterator[Family]:
    """OpenTelemetry's metrics as Prometheus names and shapes them."""
    for resource in data.resource_metrics:
        yield InfoMetricFamily("target", "The server", value=_labels(resource.resource.attributes))
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield _family(metric)


def _family(metric: Metric) -> Family:
    name = _name(metric.name) + _UNITS.get(metric.unit or "", "")
    points: list[Any] = list(metric.data.data_points)
    labels = sorted({label for point in points for label in _labels(point.attributes)})
    what = metric.description or metric.name
    if isinstance(metric.data, Histogram):
        return _filled(HistogramMetricFamily(name, what, labels=labels), labels, points, _add_histogram)
    if isinstance(metric.data, Sum) and metric.data.is_monotonic:
        return _filled(CounterMetricFamily(name, what, labels=labels), labels, points, _add_number)
    return _filled(GaugeMetricFamily(name, what, labels=labels), labels, points, _add_number)


def _filled(
    family: Any, labels: list[str], points: Iterable[Any], add: Callable[[Any, list[str], Any], None]
) -> Family:
    for point in points:
        told = _labels(point.attributes)
        add(family, [told.get(label, "") for label in labels], point)
    filled: Family = family
    return filled


def _add_number(family: Any, values: list[str], point: NumberDataPoint) -> None:
    family.add_metric(values, point.value)


def _add_histogram(family: Any, values: list[str], point: HistogramDataPoint) -> None:
    total, buckets = 0, []
    for bound, count in zip([*map(str, point.explicit_bounds), "+Inf"], point.bucket_counts, strict=True):
        total += count
        buckets.append((bound, total))
    family.add_metric(values, buckets, point.sum)


def _labels(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    return {_name(name): str(value) for name, value in (attributes or {}).items()}


def _name(dotted: str) -> str:
    return dotted.replace(".", "_").replace("-", "_")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, render: Callable[[str], tuple[bytes, str]]) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.render = render

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that leaves is no news; nothing is printed."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body, kind = cast("_Server", self.server).render(self.headers.get("Accept", ""))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "contacts-mcp"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Scrapes are not logged."""
