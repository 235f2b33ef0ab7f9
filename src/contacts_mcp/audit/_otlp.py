"""Send the trail as log records to an OTLP collector. The OpenTelemetry SDK is imported with the first record."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread

from contacts_mcp import __version__
from contacts_mcp.audit._file import WriteFailed
from contacts_mcp.audit._trail import WRITE_TIMEOUT_SECONDS
from contacts_mcp.hash_chain import ChainRecord, format_line

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord
    from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
    from opentelemetry.sdk.resources import Resource

_LOGGER = "contacts_mcp.trail"


class OtlpOutput:
    """Sends records to the OTLP collector that the standard environment variables name; `resource` is the sender.

    A durable record is sent at once and has to be acknowledged. The others are sent in batches within about a second;
    a loss is logged.
    """

    def __init__(self, resource: Callable[[], "Resource"]) -> None:
        self._resource = resource
        self._exports: _Exports | None = None
        self._limiter = anyio.CapacityLimiter(1)

    async def write(self, record: ChainRecord, *, durable: bool) -> None:
        """Send a record. Raises WriteFailed."""
        exports = await self._open()
        line = format_line(record).decode().rstrip()
        if not durable:
            exports.send_later(line)
        elif not await self._in_thread(partial(exports.send_now, line)):
            raise WriteFailed("it did not acknowledge the record")

    async def probe(self) -> None:
        """Check that the collector acknowledges an export without records. Raises WriteFailed."""
        exports = await self._open()
        if not await self._in_thread(exports.send_nothing):
            raise WriteFailed("it does not answer like an OTLP collector")

    @property
    def has_unsent(self) -> bool:
        """Whether records may be waiting for the next batch."""
        return self._exports is not None

    def close(self) -> None:
        """Send the records that are left; this may block for seconds."""
        if self._exports is not None:
            self._exports.close()

    async def _open(self) -> "_Exports":
        if self._exports is None:
            await self._in_thread(self._open_in_thread)
        assert self._exports
        return self._exports

    def _open_in_thread(self) -> None:
        if self._exports is None:
            self._exports = _Exports(self._resource(), WRITE_TIMEOUT_SECONDS)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)

    def __str__(self) -> str:
        return "the OTLP collector"


class _Exports:
    """Two separate pipelines, so that a batch never delays a record that is sent at once."""

    def __init__(self, resource: "Resource", timeout_seconds: float) -> None:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.sdk._logs.export import (
            BatchLogRecordProcessor,
            LogRecordExportResult,
            SimpleLogRecordProcessor,
        )

        self._success = LogRecordExportResult.SUCCESS
        self._exporter = _RememberingExporter(OTLPLogExporter(timeout=timeout_seconds))
        self._now = _provider(resource, SimpleLogRecordProcessor(cast("LogRecordExporter", self._exporter)))
        self._later = _provider(resource, BatchLogRecordProcessor(OTLPLogExporter()))

    def send_now(self, line: str) -> bool:
        """Send a line and return whether it was acknowledged; not for several threads at once."""
        self._exporter.result = None
        _emit(self._now, line)
        return self._exporter.result is self._success

    def send_later(self, line: str) -> None:
        _emit(self._later, line)

    def send_nothing(self) -> bool:
        """Return whether an export without lines is acknowledged."""
        return self._exporter.export([]) is self._success

    def close(self) -> None:
        self._later.shutdown()
        self._now.shutdown()


class _RememberingExporter:
    """A LogRecordExporter that keeps the result of the last export, which the SDK's processor drops."""

    def __init__(self, exporter: "OTLPLogExporter") -> None:
        self._exporter = exporter
        self.shutdown = exporter.shutdown
        self.force_flush = exporter.force_flush
        self.result: LogRecordExportResult | None = None

    def export(self, batch: "Sequence[ReadableLogRecord]") -> "LogRecordExportResult":
        self.result = self._exporter.export(batch)
        return self.result


def _provider(resource: "Resource", processor: "LogRecordProcessor") -> "LoggerProvider":
    from opentelemetry.sdk._logs import LoggerProvider

    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    return provider


def _emit(provider: "LoggerProvider", line: str) -> None:
    provider.get_logger(_LOGGER, __version__).emit(body=line, severity_text="INFO", event_name=_LOGGER)
