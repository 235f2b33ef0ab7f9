"""What the audit trail records of a call: every call that is more than a read, and every refusal.

A record never contains a name, a number or a note.
"""

import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contacts_mcp.audit import AuditRecord, Outcome, Trail, TrailUnavailable
from contacts_mcp.contract import ContactsError, OutcomeUnknown, PermissionDenied, Risk, ServerFault, UnreadableAnswer
from contacts_mcp.guard import Refused

OTHER = "_OTHER"
"""Replaces a name or an id that a client made up."""
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_DESTRUCTIVE = (Risk.DESTROY, Risk.ERASE)
_MAY_HAVE_WRITTEN = (OutcomeUnknown, ServerFault, UnreadableAnswer)
"""After these errors a write may have been made: its answer was lost or unreadable."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CallRecord:
    """What is known of one tool call, at any moment: it is recorded even if the call is cut off.

    Attributes:
        consent: a `Consent`, or "refused" (by a person or the guard), "asked" (no answer yet), "none" (not reached).
        targets: the ids in the arguments, by argument name.
        counts: what the call has done, updated while it runs.
        start_seq: number of the record that says that a destructive call is about to run.
    """

    tool: str
    risk: Risk | None
    caller: str
    request_id: str
    consent: str = "none"
    outcome: Outcome = Outcome.NOT_RUN
    error: str | None = None
    status: int | None = None
    targets: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
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

    def to_record(self, outcome: Outcome) -> AuditRecord:
        """The audit record, with this outcome."""
        optional = {
            "counts": dict(self.counts),
            "error": self.error,
            "status": self.status,
            "begun": self.start_seq,
        }
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "request": self.request_id if PLAIN_ID.fullmatch(self.request_id) else OTHER,
            "caller": self.caller,
            "tool": self.tool,
            "risk": "unknown" if self.risk is None else self.risk.value,
            **self.targets,
            "consent": self.consent,
            "outcome": outcome.value,
            **{name: value for name, value in optional.items() if value not in (None, {})},
            "ms": round((time.monotonic() - self.started_at) * 1000),
        }


def _refused_by_us(error: ContactsError) -> bool:
    """Whether this server refused the call, rather than the service."""
    return isinstance(error, Refused | TrailUnavailable) or (isinstance(error, PermissionDenied) and not error.status)


class CallRecorder:
    """Writes calls to the audit trail. `risks` are those of all tools by name, also of tools that are switched off."""

    def __init__(self, trail: Trail, risks: Mapping[str, Risk]) -> None:
        self._trail = trail
        self._risks = risks

    async def record_start(self, call: CallRecord) -> None:
        """Record that a destructive call is about to run.

        Raises:
            TrailUnavailable: the record could not be written, so the call must not run.
        """
        if call.risk not in _DESTRUCTIVE:
            return
        try:
            record = await self._trail.write(call.to_record(Outcome.BEGUN), durable=True)
        except TrailUnavailable as exc:
            call.start_seq = exc.seq
            _log.error("%s was refused because the audit trail cannot be written: %s", call.tool, exc.why)
            raise
        call.start_seq = record.get("seq")

    async def record_end(self, call: CallRecord) -> None:
        """Record how a call ended. If that fails, the answer still holds, and the log reports the missing record."""
        if call.risk is Risk.READ and call.outcome is not Outcome.REFUSED:
            return
        try:
            await self._trail.write(call.to_record(call.outcome), durable=call.risk in _DESTRUCTIVE)
        except TrailUnavailable as exc:
            what = f"the end of record {call.start_seq}" if call.start_seq else "a record"
            _log.error("the audit trail lacks %s: %s ended as %s: %s", what, call.tool, call.outcome, exc.why)

    async def record_rejected(self, tools: Iterable[str], caller: str, request_id: str, error: str) -> None:
        """Record calls that were rejected by the names of their tools."""
        for tool in sorted({tool if tool in self._risks else OTHER for tool in tools}):
            risk = self._risks.get(tool)
            await self.record_end(CallRecord(tool, risk, caller, request_id, outcome=Outcome.REFUSED, error=error))
