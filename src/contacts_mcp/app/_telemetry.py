"""Where telemetry goes: by OTLP where the standard environment says so, and to a page for Prometheus.

The rest of the package measures through OpenTelemetry's API, which does nothing until this sets up the SDK. It is
imported only where it is asked for.
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
from contacts_mcp.settings import InvalidSettings, Settings, variable

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

_NAME = "contacts-mcp"
_PORTS = 16
"""Ports that are tried for the page, from the one that is set: each worker takes one."""
_LAST_CHANCE = 1.0
"""Seconds in which what is left may still be sent when the server stops."""
_OTLP = "OTEL_EXPORTER_OTLP"
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", "prometheus_client")

Close = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What goes where: traces and metrics by OTLP or not, and the socket of the page, where there is one."""

    traces: bool = False
    metrics: bool = False
    page: socket.socket | None = None

    def __str__(self) -> str:
        sent = " and ".join(name for name in ("traces", "metrics") if getattr(self, name))
        parts = [f"{sent} go out by OTLP"] if sent else []
        if self.page is not None:
            host, port = self.page.getsockname()[:2]
            parts.append(f"metrics on http://{f'[{host}]' if ':' in host else host}:{port}/metrics")
        return "; ".join(parts)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Measure and send until the end, and then for a second at most; once in a process."""
        closers = list(self._set_up())
        try:
            yield
        finally:
            await close_in_time(closers)

    def _set_up(self) -> Iterator[Close]:
        """Set up what is asked for, and tell what closes it."""
        if self.traces or self.metrics or self.page is not None:
            resource = this_process()
            if self.traces:
                yield _trace(resource)
            if self.metrics or self.page is not None:
                yield from _measure(resource, self.page, sent=self.metrics)


def plan_telemetry(settings: Settings, environ: Mapping[str, str]) -> Telemetry:
    """What the environment asks for; the page's port is taken here.

    Raises:
        InvalidSettings: the extra is missing, another protocol is asked for, or no port is free.
    """
    traces, metrics = (is_sent(signal, environ) for signal in ("TRACES", "METRICS"))
    if traces or metrics or settings.metrics_port is not None:
        require_installed(f"{_OTLP}_ENDPOINT" if traces or metrics else variable("metrics_port"))
    if settings.metrics_port is None:
        return Telemetry(traces, metrics)
    if _is_disabled(environ):
        raise InvalidSettings(f"OTEL_SDK_DISABLED is true, which leaves {variable('metrics_port')} nothing to show")
    return Telemetry(traces, metrics, _listen(settings.metrics_host, settings.metrics_port))


def require_installed(asked: str) -> None:
    """Raise InvalidSettings where what is `asked` for needs more than is installed."""
    if not all(map(_is_installed, _NEEDED)):
        raise InvalidSettings(f"{asked} needs the extra `telemetry`: pip install 'wayscloud-contacts-mcp[telemetry]'")


def _is_disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def is_sent(signal: str, environ: Mapping[str, str]) -> bool:
    """Whether a signal goes out by OTLP. Raises InvalidSettings for a protocol other than HTTP with protobuf."""

    def given(name: str) -> str:
        return (environ.get(f"{_OTLP}_{signal}_{name}") or environ.get(f"{_OTLP}_{name}") or "").strip()

    exporters = environ.get(f"OTEL_{signal}_EXPORTER", "").strip() or "otlp"
    if _is_disabled(environ) or not given("ENDPOINT") or "otlp" not in exporters.split(","):
        return False
    if given("PROTOCOL") not in ("", "http/protobuf"):
        raise InvalidSettings(f"{_OTLP}_PROTOCOL: telemetry is sent by http/protobuf alone; its usual port is 4318")
    return True


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is part of
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for free in range(port, min(port + _PORTS, 65_536)):
        with suppress(OSError):
            return socket.create_server((host, free), family=family)
    raise InvalidSettings(f"{variable('metrics_port')}: neither {port} nor one of the next {_PORTS - 1} ports is free")


@cache
def this_process() -> "Resource":
    """Who measures, a process by itself; what the environment says of it goes before."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours = {"service.name": _NAME, "service.version": __version__, "service.instance.id": str(uuid.uuid4())}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def _trace(resource: "Resource") -> Close:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import set_tracer_provider

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(provider)
    return provider.shutdown


def _measure(resource: "Resource", page: socket.socket | None, *, sent: bool) -> Iterator[Close]:
    from opentelemetry.metrics import set_meter_provider
    from opentelemetry.sdk.metrics import MeterProvider

    readers: list[MetricReader] = [_otlp_reader()] if sent else []
    if page is not None:
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        from contacts_mcp.app._prometheus import Page

        reader = InMemoryMetricReader()
        readers.append(reader)
        yield Page(page, reader).open()
    provider = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    set_meter_provider(provider)
    yield provider.shutdown


def _otlp_reader() -> "MetricReader":
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())


async def close_in_time(closers: list[Close]) -> None:
    """Close all at once. What does not end in time is left to a daemon thread, which ends with the process."""
    threads = [threading.Thread(target=close, daemon=True, name="telemetry") for close in closers]
    for thread in threads:
        thread.start()
    with anyio.move_on_after(_LAST_CHANCE, shield=True):
        # No event is waited for: what outlives the loop could not set it.
        while any(thread.is_alive() for thread in threads):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    await checkpoint()
