"""Metrics, spans and client log messages of calls. They report tool, risk, consent, outcome and time, never data."""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import get_args

from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    LOG_LEVEL_META_KEY,
    CallToolResult,
    EmptyResult,
    ErrorData,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    SetLevelRequestParams,
    TextContent,
)
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from opentelemetry.metrics import get_meter
from opentelemetry.trace import Span, StatusCode, get_current_span
from pydantic import ValidationError

from contacts_mcp import __version__
from contacts_mcp.audit import Outcome
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.server._call_record import OTHER, PLAIN_ID, CallRecord
from contacts_mcp.server._context import (
    RequestContext,
    connection_of,
    exception_site,
    internal_error_line,
    is_modern,
    request_id_of,
)

_log = logging.getLogger(__name__)

_TOOL, _OUTCOME, _ERROR = "gen_ai.tool.name", "contacts_mcp.outcome", "error.type"
_CUT_OFF = (Outcome.NOT_RUN, Outcome.UNKNOWN)
_BUCKET_BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""The long ones are for calls in which a person is asked."""
_LOG_LEVEL_KEY = "contacts_mcp.log_level"
_LOG_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)
"""From least to most severe."""

_meter = get_meter("contacts_mcp", __version__)
_calls = _meter.create_counter("contacts_mcp.calls", "{call}", "Tool calls, by outcome.")
_active = _meter.create_up_down_counter("contacts_mcp.active_calls", "{call}", "Tool calls that are running.")
_duration = _meter.create_histogram(
    "mcp.server.operation.duration",
    "s",
    "Duration of tool calls, including the time in which a person was asked.",
    explicit_bucket_boundaries_advisory=_BUCKET_BOUNDS_SECONDS,
)
_confirmations = _meter.create_counter(
    "contacts_mcp.confirmations", "{confirmation}", "Confirmations that were asked for, given and refused."
)


@contextmanager
def measure_call(record: CallRecord) -> Iterator[None]:
    """Measure the call inside the block, and add what its record says at the end to the metrics and the span."""
    tool = {_TOOL: record.tool}
    _active.add(1, tool)
    try:
        yield
    finally:
        error = record.error or ("cancelled" if record.outcome in _CUT_OFF else None)
        failure = {_ERROR: error} if error else {}
        outcome = {_OUTCOME: record.outcome.value, **failure}
        _active.add(-1, tool)
        _calls.add(1, {**tool, **outcome})
        seconds = time.monotonic() - record.started_at
        _duration.record(seconds, {"mcp.method.name": "tools/call", **tool, **failure})
        risk = record.risk.value if record.risk else "unknown"
        get_current_span().set_attributes(
            {**outcome, "contacts_mcp.risk": risk, "contacts_mcp.consent": record.consent}
        )


def count_rejected_call() -> None:
    """Count a call of a tool that does not exist or that the caller may not use."""
    _calls.add(1, {_TOOL: OTHER, _OUTCOME: "unknown_tool", _ERROR: "unknown_tool"})


def count_confirmation(tool: str, event: str) -> None:
    """Count a confirmation that was "asked" for, "given" or "refused"."""
    _confirmations.add(1, {_TOOL: tool, "contacts_mcp.confirmation": event})


class SpanScrubber:
    """Middleware inside the SDK's span of a message: keeps out of it what callers and the service wrote.

    The SDK's span contains the method and the tool's or prompt's name from the message, and the texts of errors.
    A name that is not in `names` becomes `_OTHER`.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)

    async def __call__(self, ctx: RequestContext, call_next: CallNext) -> HandlerResult:
        span = get_current_span()
        if span.is_recording():
            _describe(span, ctx, self._names)
        try:
            return await call_next(ctx)
        except ValidationError:
            raise  # the SDK reports it without values
        except MCPError as exc:
            return _error_result(span, exc.error)
        except Exception as exc:  # noqa: BLE001 - its text may contain personal data, so only its site is logged
            method = _known_method(ctx.method)
            _log.error("%s failed: %s", method, exception_site(exc))
            message = internal_error_line(method, "try again, and")
            return _error_result(span, ErrorData(code=INTERNAL_ERROR, message=message))


def _error_result(span: Span, error: ErrorData) -> ErrorData:
    """The error as a result: the client still gets an error, but the SDK does not copy its text into the span."""
    span.set_attributes({_ERROR: str(error.code), "rpc.response.status_code": str(error.code)})
    span.set_status(StatusCode.ERROR)
    return error


def _describe(span: Span, ctx: RequestContext, names: Collection[str]) -> None:
    method = _known_method(ctx.method)
    given = ctx.params.get("name") if ctx.params else None
    name = given if isinstance(given, str) and given in names else OTHER
    span.update_name(f"{method} {name}" if isinstance(given, str) else method)
    span.set_attribute("mcp.method.name", method)
    if method == "tools/call":
        span.set_attribute(_TOOL, name)
    elif method == "prompts/get":
        span.set_attribute("gen_ai.prompt.name", name)
    if ctx.request_id is not None and not PLAIN_ID.fullmatch(str(ctx.request_id)):
        span.set_attribute("jsonrpc.request.id", OTHER)
    if request_id := CURRENT_REQUEST_ID.get():
        span.set_attribute("contacts_mcp.request.id", request_id)


def _known_method(method: str) -> str:
    return method if method in SPEC_CLIENT_METHODS or method in SPEC_CLIENT_NOTIFICATION_METHODS else OTHER


async def set_log_level(ctx: RequestContext, params: SetLevelRequestParams) -> EmptyResult:
    """Set from which level on a legacy session gets log messages."""
    connection_of(ctx).state[_LOG_LEVEL_KEY] = params.level
    return EmptyResult()


async def log_failure(ctx: RequestContext, result: CallToolResult) -> None:
    """Send the line that the model reads, with the request id, to a client that asked for log messages."""
    line = "".join(block.text for block in result.content if isinstance(block, TextContent))
    level: LoggingLevel = "error" if line.startswith("internal_error") else "warning"
    if not _wants_level(ctx, level):
        return
    message = LoggingMessageNotification(
        params=LoggingMessageNotificationParams(
            level=level, logger="contacts", data={"message": line, "request": request_id_of(ctx)}
        )
    )
    # Not `send_log_message`: it warns that it is deprecated, which is true in one of the two eras.
    await ctx.session.send_notification(message, related_request_id=ctx.request_id)


def _wants_level(ctx: RequestContext, level: LoggingLevel) -> bool:
    """Whether the session (legacy era) or the request (modern era) asked for messages of this level."""
    meta = ctx.meta or {}
    wanted = meta.get(LOG_LEVEL_META_KEY) if is_modern(ctx) else connection_of(ctx).state.get(_LOG_LEVEL_KEY)
    return wanted in _LOG_LEVELS and _LOG_LEVELS.index(level) >= _LOG_LEVELS.index(wanted)
