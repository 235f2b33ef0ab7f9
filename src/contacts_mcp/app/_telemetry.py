"""Telemetry: traces and metrics by OTLP if the OTEL_* environment variables configure it, and metrics for Prometheus.

The rest of the package measures through OpenTelemetry's API, which does nothing until this module sets up the SDK.
The SDK, the exporters and prometheus_client are imported only if they are used.
"""

import socket
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from contacts_mcp import __version__
from contacts_mcp.settings import InvalidSettings, Settings, env_name

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

_MAX_PORTS = 16
"""Number of ports to try, from the configured one upwards: each worker listens on the first that is free."""
_CLOSE_TIMEOUT_SECONDS = 1.0
_OTLP = "OTEL_EXPORTER_OTLP"
_REQUIRED = (
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.exporter.prometheus",
    "prometheus_client",
)

Close = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Which signals are exported by OTLP, and the listening socket for Prometheus, if it is configured."""

    traces: bool = False
    metrics: bool = False
    prometheus: socket.socket | None = None

    def __str__(self) -> str:
        exported = " and ".join(name for name in ("traces", "metrics") if getattr(self, name))
        parts = [f"{exported} are exported by OTLP"] if exported else []
        if self.prometheus is not None:
            host, port = self.prometheus.getsockname()[:2]
            parts.append(f"metrics on http://{f'[{host}]' if ':' in host else host}:{port}/metrics")
        return "; ".join(parts)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Measure and export until the block ends, then flush for at most a second. Use it once per process."""
        closers = list(self._start())
        try:
            yield
        finally:
            await close_in_time(closers)

    def _start(self) -> Iterator[Close]:
        if self.traces:
            yield _export_traces()
        if self.metrics or self.prometheus is not None:
            yield from _measure(self.prometheus, exported=self.metrics)


def plan_telemetry(settings: Settings, environ: Mapping[str, str]) -> Telemetry:
    """Return the telemetry that the environment configures; its port for Prometheus is already open.

    Raises InvalidSettings if the extra is not installed, the protocol is not supported, or no port is free.
    """
    traces, metrics = (is_exported(signal, environ) for signal in ("TRACES", "METRICS"))
    if traces or metrics or settings.metrics_port is not None:
        require_installed(f"{_OTLP}_ENDPOINT" if traces or metrics else env_name("metrics_port"))
    if settings.metrics_port is None:
        return Telemetry(traces, metrics)
    if _is_disabled(environ):
        raise InvalidSettings(f"OTEL_SDK_DISABLED is true, so {env_name('metrics_port')} would show nothing")
    return Telemetry(traces, metrics, _listen(settings.metrics_host, settings.metrics_port))


def require_installed(setting: str) -> None:
    """Raise InvalidSettings if the extra that `setting` needs is not installed."""
    if not all(map(_is_installed, _REQUIRED)):
        raise InvalidSettings(f"{setting} needs the extra `telemetry`: pip install 'wayscloud-contacts-mcp[telemetry]'")


def is_exported(signal: str, environ: Mapping[str, str]) -> bool:
    """Return whether a signal is exported by OTLP. Raises InvalidSettings if the protocol is not http/protobuf."""

    def given(name: str) -> str:
        return (environ.get(f"{_OTLP}_{signal}_{name}") or environ.get(f"{_OTLP}_{name}") or "").strip()

    exporters = environ.get(f"OTEL_{signal}_EXPORTER", "").strip() or "otlp"
    if _is_disabled(environ) or not given("ENDPOINT") or "otlp" not in exporters.split(","):
        return False
    if given("PROTOCOL") not in ("", "http/protobuf"):
        raise InvalidSettings(f"{_OTLP}_PROTOCOL: only http/protobuf is supported; its usual port is 4318")
    return True


def _is_disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + _MAX_PORTS, 65_536)):
        with suppress(OSError):
            return socket.create_server((host, candidate), family=family)
    raise InvalidSettings(
        f"{env_name('metrics_port')}: neither {port} nor one of the next {_MAX_PORTS - 1} ports is free"
    )


@cache
def resource() -> "Resource":
    """Return the OpenTelemetry resource of this process; the environment's attributes override ours."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours = {"service.name": "contacts-mcp", "service.version": __version__, "service.instance.id": str(uuid.uuid4())}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def _export_traces() -> Close:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import set_tracer_provider

    provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(provider)
    return provider.shutdown


def _measure(page: socket.socket | None, *, exported: bool) -> Iterator[Close]:
    from opentelemetry.metrics import set_meter_provider
    from opentelemetry.sdk.metrics import MeterProvider

    readers: list[MetricReader] = []
    if exported:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    if page is not None:
        from contacts_mcp.app._prometheus import serve_metrics

        reader, close = serve_metrics(page)
        readers.append(reader)
        yield close
    provider = MeterProvider(readers, resource=resource(), shutdown_on_exit=False)
    set_meter_provider(provider)
    yield provider.shutdown


async def close_in_time(closers: list[Close]) -> None:
    """Run all closers concurrently, for at most a second; daemon threads that take longer end with the process."""
    threads = [threading.Thread(target=close, daemon=True, name="telemetry") for close in closers]
    for thread in threads:
        thread.start()
    with anyio.move_on_after(_CLOSE_TIMEOUT_SECONDS, shield=True):
        # Polling instead of an event: a thread that outlives the loop could not set one.
        while any(thread.is_alive() for thread in threads):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    await checkpoint()
