"""Record calls: audit records, metrics, spans, and log messages that the client asked for.

The audit trail gets every call that is more than a read, and every refusal. Nothing here contains a name, a number or
a note.
"""

import logging
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args

import anyio.lowlevel
import anyio.to_thread
import mcp_types as types
from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from opentelemetry.metrics import get_meter
from opentelemetry.trace import Span, StatusCode, get_current_span
from pydantic import ValidationError

from contacts_mcp import __version__
from contacts_mcp.audit import AuditRecord, Outcome, Trail, TrailUnavailable
from contacts_mcp.contract import (
    MAX_ERASED,
    ContactsError,
    OutcomeUnknown,
    PermissionDenied,
    Risk,
    ServerFault,
    UnreadableAnswer,
)
from contacts_mcp.guard import Refused
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.server._context import (
    RequestContext,
    connection_of,
    exception_site,
    internal_error_line,
    is_modern,
    request_id_of,
)

_OTHER = "_OTHER"  # replaces a name or an id that a client made up
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

MAX_RECORDED_IDS = MAX_ERASED + 1
"""Ids in one record: as many as an erasure has. One takes 39 bytes, and a line of the trail has less than 65,536."""

_DESTRUCTIVE = (Risk.DESTROY, Risk.ERASE)
_MAY_HAVE_WRITTEN = (OutcomeUnknown, ServerFault, UnreadableAnswer)  # the answer to a write was lost or unreadable

_TOOL, _OUTCOME, _ERROR = "gen_ai.tool.name", "contacts_mcp.outcome", "error.type"
_CUT_OFF = (Outcome.NOT_RUN, Outcome.UNKNOWN)
_BUCKET_BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""The long ones are for calls in which a person is asked."""
_LOG_LEVEL_KEY = "contacts_mcp.log_level"
_LOG_LEVELS: tuple[types.LoggingLevel, ...] = get_args(types.LoggingLevel)  # from least to most severe

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

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CallRecord:
    """The current state of one tool call: it is recorded even if the call is cut off.

    Attributes:
        consent: a `Consent`, or "refused" (by a person or the guard), "asked" (no answer yet), "none" (not reached).
        approver: who consented, if that is known: a caller, or a user of this computer.
        consent_seconds: how long a person took to answer, if one was asked.
        targets: the ids in the arguments, by argument name.
        counts: what the call has done, updated while it runs.
        results: ids and receipts of what the call made or erased, by name, updated while it runs.
        start_seq: number of the record that says that a destructive call is about to run.
    """

    tool: str
    risk: Risk | None
    caller: str
    request_id: str
    consent: str = "none"
    approver: str = ""
    consent_seconds: float | None = None
    outcome: Outcome = Outcome.NOT_RUN
    error: str | None = None
    status: int | None = None
    targets: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    start_seq: int | None = None
    started_at: float = field(default_factory=time.monotonic)

    def mark_failed(self, error: ContactsError) -> None:
        """Set the outcome of a call that raised `error`, before or after it started to run."""
        self.error, self.status = error.code, error.status
        if self.outcome is Outcome.UNKNOWN:
            self.outcome = Outcome.UNKNOWN if isinstance(error, _MAY_HAVE_WRITTEN) else Outcome.FAILED
        else:
            self.outcome = Outcome.REFUSED if _refused_by_us(error) else Outcome.FAILED
        if isinstance(error, Refused):
            self.consent = "refused"

    def mark_crashed(self) -> None:
        """Set the outcome of a call that raised an unexpected exception."""
        self.error = "internal_error"
        if self.outcome is not Outcome.UNKNOWN:
            self.outcome = Outcome.FAILED

    def has_written(self, failure: BaseException) -> bool:
        """Whether a running call that ended with `failure` has changed something, or may have."""
        is_definite = isinstance(failure, ContactsError) and not isinstance(failure, _MAY_HAVE_WRITTEN)
        return self.risk is not Risk.READ and (any(self.counts.values()) or not is_definite)

    def to_record(self, outcome: Outcome, results: Mapping[str, Any]) -> AuditRecord:
        """Return the audit record, with this outcome and these results."""
        optional = {"counts": dict(self.counts), "error": self.error, "status": self.status, "begun": self.start_seq}
        return {
            **self._common_fields(outcome),
            **results,
            **{name: value for name, value in optional.items() if value not in (None, {})},
            "ms": round((time.monotonic() - self.started_at) * 1000),
        }

    def to_part(self, outcome: Outcome, results: Mapping[str, Any], first_seq: int | None) -> AuditRecord:
        """Return a record of results for which record `first_seq` of the same call has no room."""
        return {**self._common_fields(outcome), **results, "part_of": first_seq}

    def split_results(self) -> list[dict[str, Any]]:
        """Return the results in parts that fit in a record each; the first one counts the others in `parts`."""
        length = max(map(len, self.results.values()), default=0)
        starts = range(0, length, MAX_RECORDED_IDS) or range(1)
        parts = [
            {
                name: _plain(part)
                for name, values in self.results.items()
                if (part := values[at : at + MAX_RECORDED_IDS])
            }
            for at in starts
        ]
        return parts if len(parts) == 1 else [{**parts[0], "parts": len(parts) - 1}, *parts[1:]]

    def _common_fields(self, outcome: Outcome) -> AuditRecord:
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "request": self.request_id if _PLAIN_ID.fullmatch(self.request_id) else _OTHER,
            "caller": self.caller,
            "tool": self.tool,
            "risk": "unknown" if self.risk is None else self.risk.value,
            **self.targets,
            "consent": self.consent,
            **({"approver": self.approver} if self.approver else {}),
            **({} if self.consent_seconds is None else {"consent_ms": round(self.consent_seconds * 1000)}),
            "outcome": outcome.value,
        }


def _plain(ids: Sequence[Any]) -> list[Any]:
    """Return ids and numbers without those that the service made of something else: they might identify a person."""
    return [each if _PLAIN_ID.fullmatch(str(each)) else _OTHER for each in ids]


def _refused_by_us(error: ContactsError) -> bool:
    """Whether this server refused the call, rather than the service."""
    return isinstance(error, Refused | TrailUnavailable) or (isinstance(error, PermissionDenied) and not error.status)


class CallRecorder:
    """Writes calls to the audit trail. `risks` are those of all tools by name, also of tools that are switched off."""

    def __init__(self, trail: Trail, risks: Mapping[str, Risk]) -> None:
        self._trail = trail
        self._risks = risks

    async def record_start(self, call: CallRecord, list_targets: Callable[[], Sequence[str]]) -> None:
        """Record that a destructive call is about to run, and which records the person agreed to change.

        Raises TrailUnavailable: without a record it must not run.
        """
        if call.risk not in _DESTRUCTIVE:
            return
        ids = await anyio.to_thread.run_sync(list_targets)
        agreed: dict[str, Any] = {"agreed_ids": _plain(ids[:MAX_RECORDED_IDS])} if ids else {}
        if len(ids) > MAX_RECORDED_IDS:
            agreed["agreed_count"] = len(ids)
        try:
            record = await self._trail.write(call.to_record(Outcome.BEGUN, agreed), durable=True)
        except TrailUnavailable as exc:
            call.start_seq = exc.seq
            _log.error("%s was refused because the audit trail cannot be written: %s", call.tool, exc.why)
            raise
        call.start_seq = record.get("seq")

    async def record_end(self, call: CallRecord) -> None:
        """Record how a call ended. If that fails, the answer still holds, and the log reports the missing record."""
        if call.risk is Risk.READ and call.outcome is not Outcome.REFUSED:
            return
        durable = call.risk in _DESTRUCTIVE
        first, *others = call.split_results()
        try:
            record = await self._trail.write(call.to_record(call.outcome, first), durable=durable)
            for part in others:
                await anyio.lowlevel.cancel_shielded_checkpoint()  # other callers wait no longer than for one record
                await self._trail.write(call.to_part(call.outcome, part, record.get("seq")), durable=durable)
        except TrailUnavailable as exc:
            what = f"the end of record {call.start_seq}" if call.start_seq else "a record"
            _log.error("the audit trail lacks %s: %s ended as %s: %s", what, call.tool, call.outcome, exc.why)

    async def record_rejected(self, tools: Iterable[str], caller: str, request_id: str, error: str) -> None:
        """Record calls that were rejected by the names of their tools."""
        for tool in sorted({tool if tool in self._risks else _OTHER for tool in tools}):
            risk = self._risks.get(tool)
            await self.record_end(CallRecord(tool, risk, caller, request_id, outcome=Outcome.REFUSED, error=error))


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
        details = {"contacts_mcp.risk": risk, "contacts_mcp.consent": record.consent}
        get_current_span().set_attributes({**outcome, **details})


def count_rejected_call() -> None:
    """Count a call of a tool that does not exist or that the caller may not use."""
    _calls.add(1, {_TOOL: _OTHER, _OUTCOME: "unknown_tool", _ERROR: "unknown_tool"})


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
            return _error_result(span, types.ErrorData(code=types.INTERNAL_ERROR, message=message))


def _error_result(span: Span, error: types.ErrorData) -> types.ErrorData:
    """Return the error as a result: the client gets an error, but the SDK does not copy its text into the span."""
    span.set_attributes({_ERROR: str(error.code), "rpc.response.status_code": str(error.code)})
    span.set_status(StatusCode.ERROR)
    return error


def _describe(span: Span, ctx: RequestContext, names: Collection[str]) -> None:
    method = _known_method(ctx.method)
    given = ctx.params.get("name") if ctx.params else None
    name = given if isinstance(given, str) and given in names else _OTHER
    span.update_name(f"{method} {name}" if isinstance(given, str) else method)
    span.set_attribute("mcp.method.name", method)
    if method == "tools/call":
        span.set_attribute(_TOOL, name)
    elif method == "prompts/get":
        span.set_attribute("gen_ai.prompt.name", name)
    if ctx.request_id is not None and not _PLAIN_ID.fullmatch(str(ctx.request_id)):
        span.set_attribute("jsonrpc.request.id", _OTHER)
    if request_id := CURRENT_REQUEST_ID.get():
        span.set_attribute("contacts_mcp.request.id", request_id)


def _known_method(method: str) -> str:
    return method if method in SPEC_CLIENT_METHODS or method in SPEC_CLIENT_NOTIFICATION_METHODS else _OTHER


async def set_log_level(ctx: RequestContext, params: types.SetLevelRequestParams) -> types.EmptyResult:
    """Set from which level on a legacy session gets log messages."""
    connection_of(ctx).state[_LOG_LEVEL_KEY] = params.level
    return types.EmptyResult()


async def log_internal_error(ctx: RequestContext, result: types.CallToolResult) -> None:
    """Send the line of an internal error, with the request id, to a client that asked for log messages.

    Other errors are for the model, which reads them in the result; some clients print each log message as a warning.
    """
    line = "".join(block.text for block in result.content if isinstance(block, types.TextContent))
    if not line.startswith("internal_error") or not _wants_errors(ctx):
        return
    data = {"message": line, "request": request_id_of(ctx)}
    params = types.LoggingMessageNotificationParams(level="error", logger="contacts", data=data)
    # Not `send_log_message`: it warns that it is deprecated, which is true in one of the two eras.
    message = types.LoggingMessageNotification(params=params)
    await ctx.session.send_notification(message, related_request_id=ctx.request_id)


def _wants_errors(ctx: RequestContext) -> bool:
    """Whether the session (legacy era) or the request (modern era) asked for messages of the level `error`."""
    meta = ctx.meta or {}
    wanted = meta.get(types.LOG_LEVEL_META_KEY) if is_modern(ctx) else connection_of(ctx).state.get(_LOG_LEVEL_KEY)
    return wanted in _LOG_LEVELS and _LOG_LEVELS.index(wanted) <= _LOG_LEVELS.index("error")
