"""The SDK's way to an OTLP collector, for lines that have to be there at once and for others."""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource

from contacts_mcp import __version__

_TRAIL = "contacts_mcp.trail"


class Exports:
    """Two ways that share nothing, so that the one is never held up by the other; `patience` is in seconds."""

    def __init__(self, resource: Resource, patience: float) -> None:
        self._answered = _Answered(OTLPLogExporter(timeout=patience))
        self._now = _provider(resource, SimpleLogRecordProcessor(self._answered))
        self._later = _provider(resource, BatchLogRecordProcessor(OTLPLogExporter()))

    def send_now(self, line: str) -> bool:
        """Send a line, and say whether it was acknowledged. One at a time."""
        self._answered.well = False
        _emit(self._now, line)
        return self._answered.well

    def send_later(self, line: str) -> None:
        """Have a line sent with others."""
        _emit(self._later, line)

    def send_nothing(self) -> bool:
        """Say whether an export would be acknowledged."""
        return self._answered.export([]) is LogRecordExportResult.SUCCESS

    def close(self) -> None:
        """Send what is left."""
        self._later.shutdown()
        self._now.shutdown()


class _Answered(LogRecordExporter):
    """Remembers how the last export went, which the SDK's processor does not tell."""

    def __init__(self, exporter: OTLPLogExporter) -> None:
        self._exporter = exporter
        self.well = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        result = self._exporter.export(batch)
        self.well = result is LogRecordExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _provider(resource: Resource, processor: LogRecordProcessor) -> LoggerProvider:
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    return provider


def _emit(provider: LoggerProvider, line: str) -> None:
    provider.get_logger(_TRAIL, __version__).emit(body=line, severity_text="INFO", event_name=_TRAIL)
