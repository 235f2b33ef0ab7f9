"""What telemetry says of a call: tool, risk, consent, outcome, seconds; never who called, about whom, or with what."""

import logging
import time
import traceback
from collections.abc import Collection
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, ErrorData
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from opentelemetry.metrics import get_meter
from opentelemetry.trace import Span, StatusCode, get_current_span
from pydantic import ValidationError

from contacts_mcp import __version__
from contacts_mcp.audit import Outcome
from contacts_mcp.guard import Consent, ConsentAnswer, Guard, GuardedCall, Preview, Question, Refused
from contacts_mcp.server._results import internal_error
from contacts_mcp.server._trail import CURRENT_REQUEST_ID, OTHER, PLAIN_ID, Entry

_log = logging.getLogger(__name__)

_TOOL, _OUTCOME, _ERROR = "gen_ai.tool.name", "contacts_mcp.outcome", "error.type"
_CUT_SHORT = (Outcome.NOT_RUN, Outcome.UNKNOWN)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Bounds of the histogram's buckets; the long ones are of calls in which a person is asked."""

_meter = get_meter("contacts_mcp", __version__)
_calls = _meter.create_counter("contacts_mcp.calls", "{call}", "Tool calls, by how they ended.")
_active = _meter.create_up_down_counter("contacts_mcp.active_calls", "{call}", "Tool calls under way.")
_duration = _meter.create_histogram(
    "mcp.server.operation.duration",
    "s",
    "Time of tool calls, with that in which a person was asked.",
    explicit_bucket_boundaries_advisory=_SECONDS,
)
_confirmations = _meter.create_counter(
    "contacts_mcp.confirmations", "{confirmation}", "Confirmations that were asked for, given and refused."
)


def begin(entry: Entry) -> None:
    """Count a call as under way, until `end`."""
    _active.add(1, {_TOOL: entry.tool})


def end(entry: Entry) -> None:
    """Measure a call of which everything is known, and add to its span."""
    tool = {_TOOL: entry.tool}
    error = entry.error or ("cancelled" if entry.outcome in _CUT_SHORT else None)
    failure = {_ERROR: error} if error else {}
    _active.add(-1, tool)
    _calls.add(1, {**tool, _OUTCOME: entry.outcome.value, **failure})
    _duration.record(time.monotonic() - entry.started, {"mcp.method.name": "tools/call", **tool, **failure})
    span = get_current_span()
    if span.is_recording():
        span.set_attributes(
            {
                _OUTCOME: entry.outcome.value,
                "contacts_mcp.risk": entry.risk.value if entry.risk else "unknown",
                "contacts_mcp.consent": entry.consent,
                **failure,
            }
        )


def turned_away() -> None:
    """Count a call of a tool that there is not, or that the caller may not use."""
    _calls.add(1, {_TOOL: OTHER, _OUTCOME: "unknown_tool", _ERROR: "unknown_tool"})


async def consent(
    guard: Guard, call: GuardedCall, answer: ConsentAnswer | None, *, can_ask: bool
) -> Consent | Question | Preview:
    """What the guard says, counted. An answer that was a no, or could not count as a yes, is a refusal."""
    try:
        verdict = await guard.decide(call, answer, can_ask=can_ask)
    except Refused:
        if answer is not None:
            _count(call, "refused")
        raise
    if not isinstance(verdict, Consent):
        _count(call, "asked")
    elif verdict is not Consent.NONE_NEEDED:
        _count(call, "given")
    return verdict


def _count(call: GuardedCall, what: str) -> None:
    _confirmations.add(1, {_TOOL: call.tool, "contacts_mcp.confirmation": what})


class Discreet:
    """Stands within the SDK's span of a message, and keeps out of it what callers and the service wrote.

    That span has the method's name and the tool's or prompt's from the message, whatever they are, and takes over the
    words of errors. `names` are those that there are; all else is `_OTHER`.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        span = get_current_span()
        if span.is_recording():
            _describe(span, ctx, self._names)
        try:
            return await call_next(ctx)
        except ValidationError:
            raise  # the SDK has words of its own for it
        except MCPError as exc:
            return _failed(span, exc.error)
        except Exception as exc:  # noqa: BLE001 - its text may hold somebody's data, so only its place is logged
            method = _method(ctx.method)
            _log.error("%s failed: %s", method, place(exc))
            return _failed(span, ErrorData(code=INTERNAL_ERROR, message=internal_error(method, "try again, and")))


def _failed(span: Span, error: ErrorData) -> ErrorData:
    """The error as a result, which the client gets as an error all the same, and the span without its words."""
    span.set_attributes({_ERROR: str(error.code), "rpc.response.status_code": str(error.code)})
    span.set_status(StatusCode.ERROR)
    return error


def _describe(span: Span, ctx: ServerRequestContext[Any, Any], names: Collection[str]) -> None:
    method = _method(ctx.method)
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
    if request := CURRENT_REQUEST_ID.get():
        span.set_attribute("contacts_mcp.request.id", request)


def _method(given: str) -> str:
    return given if given in SPEC_CLIENT_METHODS or given in SPEC_CLIENT_NOTIFICATION_METHODS else OTHER


def place(exc: Exception) -> str:
    """Type and place of a fault: what is needed to find it, and nothing of what it was about."""
    frames = traceback.extract_tb(exc.__traceback__)
    return f"{type(exc).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(exc).__name__
