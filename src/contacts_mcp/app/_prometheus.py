"""A page for Prometheus with the current metrics, on a port of its own. Needs the extra `telemetry`."""

import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.core import Metric

_REQUEST_TIMEOUT_SECONDS = 5.0


def serve_metrics(listening: socket.socket) -> tuple[MetricReader, Callable[[], None]]:
    """Answer scrapes in threads; return the reader for the MeterProvider, and a function that stops the server."""
    registry = _Registry(auto_describe=False)
    server = _Server(listening, registry)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="metrics").start()
    return PrometheusMetricReader(scope_info_enabled=False, registry=registry), server.close


class _Registry(CollectorRegistry):
    """Collects for one scrape at a time: the reader mixes up the metrics of concurrent ones."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._collecting = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        with self._collecting:
            return iter(list(super().collect()))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, registry: CollectorRegistry) -> None:
        super().__init__(listening.getsockname()[:2], _Handler.factory(registry), bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing if a scraper disconnects."""


class _Handler(MetricsHandler):
    timeout = _REQUEST_TIMEOUT_SECONDS

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        if self.path.partition("?")[0] == "/metrics":
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def version_string(self) -> str:
        return "contacts-mcp"
