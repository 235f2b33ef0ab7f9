"""What the audit trail is told: every call that is no plain read, and every refusal; never a name, number or note."""

import logging
import re
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contacts_mcp.audit import AuditRecord, Outcome, Trail, TrailUnavailable
from contacts_mcp.contract import ContactsError, OutcomeUnknown, PermissionDenied, Risk, ServerFault, UnreadableAnswer
from contacts_mcp.guard import Consent, Refused
from contacts_mcp.tools import TOOLS

OTHER = "_OTHER"
"""Stands for what a client made up: a tool, prompt or method that there is not, an id that may be anything."""
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CURRENT_REQUEST_ID: ContextVar[str | None] = ContextVar("contacts_mcp.request", default=None)
"""The id of the request over a network that is being served, in every task that serves it; None where there is none."""

_GRAVE = (Risk.DESTROY, Risk.ERASE)
_LOST = (OutcomeUnknown, ServerFault, UnreadableAnswer)
"""After these a change may have been made: its answer was lost, or of no use."""
_RISKS = {tool.name: tool.risk for tool in TOOLS}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """What is recorded of one call, even where it is cut off half-way.

    `consent` is how it came about, or `refused` (a person or the guard said no), `asked` (nobody has answered yet),
    `none` (the call ended before there was any need). `begun` is the number of the record of its beginning.
    """

    tool: str
    risk: Risk | None
    caller: str
    request: str
    consent: str = "none"
    outcome: Outcome = Outcome.NOT_RUN
    error: str | None = None
    status: int | None = None
    targets: dict[str, Any] = field(default_factory=dict)
    tally: Mapping[str, int] = field(default_factory=dict)
    begun: int | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def is_grave(self) -> bool:
        """Whether its records have to be there before anything else happens."""
        return self.risk in _GRAVE

    @property
    def is_worth_a_record(self) -> bool:
        """Whether it is more than a plain read."""
        return self.risk is not Risk.READ or self.outcome is Outcome.REFUSED

    def aim(self, ids: Mapping[str, Any]) -> None:
        """Note which records the call is about, once they are known to be ids."""
        self.targets = {name: value for name, value in ids.items() if value is not None}

    def take_up(self, risk: Risk, tally: Mapping[str, int]) -> None:
        """Note what the call itself would do, and where to read what it has done."""
        self.risk = risk
        self.tally = tally

    def ask(self) -> None:
        """Note that a person has the question, or the host a preview."""
        self.consent = "asked"

    def agree(self, consent: Consent) -> None:
        """Note how consent came about."""
        self.consent = consent.value

    def begin(self) -> None:
        """From here on the call may take effect, whatever becomes of its answer."""
        self.outcome = Outcome.UNKNOWN

    def fail(self, error: ContactsError) -> None:
        """Note why it failed."""
        self.error, self.status = error.code, error.status
        if self.outcome is Outcome.UNKNOWN:
            self.outcome = Outcome.UNKNOWN if isinstance(error, _LOST) else Outcome.FAILED
        else:
            self.outcome = Outcome.REFUSED if _is_refusal(error) else Outcome.FAILED
        if isinstance(error, Refused):
            self.consent = "refused"

    def break_down(self) -> None:
        """Note that it failed in a way that nobody foresaw."""
        self.error = "internal_error"
        if self.outcome is not Outcome.UNKNOWN:
            self.outcome = Outcome.FAILED

    def says(self, outcome: Outcome) -> AuditRecord:
        """What its record says, for this outcome."""
        optional = {
            "counts": dict(self.tally),
            "error": self.error,
            "status": self.status,
            "begun": self.begun,
        }
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "request": self.request if PLAIN_ID.fullmatch(self.request) else OTHER,
            "caller": self.caller,
            "tool": self.tool,
            "risk": "unknown" if self.risk is None else self.risk.value,
            **self.targets,
            "consent": self.consent,
            "outcome": outcome.value,
            **{name: value for name, value in optional.items() if value not in (None, {})},
            "ms": round((time.monotonic() - self.started) * 1000),
        }


def _is_refusal(error: ContactsError) -> bool:
    """Whether it was our own no, and not the service's."""
    return isinstance(error, Refused | TrailUnavailable) or (isinstance(error, PermissionDenied) and not error.status)


class CallRecorder:
    """Tells the trail of calls."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    async def begin(self, entry: Entry) -> None:
        """Record that a deletion or erasure is about to run; from then on its end is recorded whatever happens.

        Raises:
            TrailUnavailable: it must not run.
        """
        if not entry.is_grave:
            return
        try:
            record = await self._trail.write(entry.says(Outcome.BEGUN), durable=True)
        except TrailUnavailable as exc:
            entry.begun = exc.seq
            _log.error("%s was refused, since the trail cannot be written: %s", entry.tool, exc.why)
            raise
        entry.begun = record.get("seq")

    async def end(self, entry: Entry) -> None:
        """Record how a call ended. Where that fails the answer is true all the same; the log says what is missing."""
        if not entry.is_worth_a_record:
            return
        try:
            await self._trail.write(entry.says(entry.outcome), durable=entry.is_grave)
        except TrailUnavailable as exc:
            what = "has a hole" if entry.begun else "lacks a record"
            which = f"{entry.tool} (record {entry.begun})" if entry.begun else entry.tool
            _log.error("the trail %s: that %s ended as %s: %s", what, which, entry.outcome, exc.why)

    async def turn_away(self, tools: Iterable[str], caller: str, request: str, error: str) -> None:
        """Record calls that came no further than their tools' names."""
        for tool in sorted({tool if tool in _RISKS else OTHER for tool in tools}):
            entry = Entry(tool, _RISKS.get(tool), caller, request, outcome=Outcome.REFUSED, error=error)
            await self.end(entry)
