"""A collector on loopback that understands OTLP, and a scraper of pages."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """Takes what is exported to it, or, where it is `silent`, just the connection; `status` is what it answers."""

    def __init__(self, *, silent: bool = False) -> None:
        self.traces, self.metrics = ExportTraceServiceRequest(), ExportMetricsServiceRequest()
        self.logs = ExportLogsServiceRequest()
        self.silent = silent
        self.status = 200
        self.url = ""
        self.received = bytearray()
        """All of it, as it came."""
        self.leave: Callable[[], None] = lambda: None
        """From then on nobody listens at its address."""

    def take(self, path: str, body: bytes) -> None:
        self.received += body
        {"/v1/traces": self.traces, "/v1/metrics": self.metrics, "/v1/logs": self.logs}[path].MergeFromString(body)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log records, which are JSON."""
        return [
            json.loads(record.body.string_value)
            for resource in self.logs.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    @property
    def spans(self) -> dict[str, Any]:
        return {
            span.name: span
            for resource in self.traces.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }

    @property
    def resources(self) -> list[dict[str, str]]:
        found = [*self.traces.resource_spans, *self.metrics.resource_metrics]
        return [{pair.key: pair.value.string_value for pair in each.resource.attributes} for each in found]

    @property
    def measured(self) -> set[str]:
        return {
            metric.name
            for resource in self.metrics.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def collecting(*, silent: bool = False) -> Iterator[Collector]:
    """A collector on loopback, in threads of its own."""
    collector, ended = Collector(silent=silent), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if collector.silent:
                ended.wait(30)
                return
            if collector.status == 200:
                collector.take(self.path, body)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"

        def leave() -> None:
            ended.set()
            server.shutdown()
            thread.join(10)
            server.server_close()

        collector.leave = leave
        try:
            yield collector
        finally:
            leave()


def scrape(address: str, path: str = "/metrics", **headers: str) -> tuple[int, str, str]:
    """Status, type and text of a page."""
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers.get("Content-Type", ""), response.read().decode()
