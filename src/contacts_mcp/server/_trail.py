"""The trail: one line for every call that was not a read, and for every refusal; never a name, number or note."""

import json
import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contacts_mcp.contract import ContactsError, OutcomeUnknown, Risk, ServerFault, UnreadableAnswer
from contacts_mcp.guard import Consent
from contacts_mcp.text import neutralise

_REQUEST_ID_LIMIT = 64
TRAIL = logging.getLogger("contacts_mcp.trail")
REQUEST: ContextVar[str | None] = ContextVar("contacts_mcp.request", default=None)
"""The id of the request over a network that is being served, in every task that serves it; None where there is none."""


class Fields(dict[str, Any]):
    """A log message in fields, which a log in JSON takes over as they are; as text it is JSON itself."""

    def __str__(self) -> str:
        return json.dumps(self)


@dataclass(slots=True)
class Entry:
    """What is recorded of one call, even where it is cut off half-way."""

    tool: str
    risk: Risk
    caller: str
    request_id: str
    consent: Consent | None = None
    outcome: str = "not_run"
    error: str | None = None
    targets: dict[str, Any] = field(default_factory=dict)
    tally: Mapping[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def aim(self, ids: Mapping[str, Any]) -> None:
        """Note which records the call is about, once they are known to be ids."""
        self.targets = dict(ids)

    def take_up(self, risk: Risk, tally: Mapping[str, int]) -> None:
        """Note what the call itself would do, and where to read what it has done."""
        self.risk = risk
        self.tally = tally

    def begin(self, consent: Consent) -> None:
        """From here on the call may take effect, whatever becomes of its answer."""
        self.consent = consent
        self.outcome = "unknown"

    def fail(self, error: ContactsError) -> None:
        """Note why it failed; a change whose answer was lost, or was an answer of no use, may have been made."""
        self.error = error.code
        lost = isinstance(error, OutcomeUnknown | ServerFault | UnreadableAnswer)
        self.outcome = "unknown" if self.consent and lost else error.code

    def write(self) -> None:
        """Write the line, unless it was a plain read."""
        if self.risk is Risk.READ:
            return
        line = Fields(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "request": neutralise(self.request_id, _REQUEST_ID_LIMIT),
                "caller": self.caller,
                "tool": self.tool,
                "risk": self.risk,
                **self.targets,
                **({"counts": dict(self.tally)} if self.tally else {}),
                "consent": self.consent or "none",
                "outcome": self.outcome,
                "ms": round((time.monotonic() - self.started) * 1000),
            }
        )
        TRAIL.info(line)
