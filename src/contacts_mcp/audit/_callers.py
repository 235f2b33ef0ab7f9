"""What each caller has done, according to the records of a trail."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contacts_mcp.audit._trail import AuditRecord, Outcome

_OAUTH = "oauth:"


@dataclass(slots=True)
class CallerActivity:
    """The records of one caller.

    Attributes:
        records: number of records; `since` and `until` are the times of the first and the last one.
        calls: how many calls of each tool ended with each outcome.
    """

    records: int = 0
    since: str | None = None
    until: str | None = None
    calls: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, record: AuditRecord) -> None:
        """Count a record. One that was written before a call, or has more of its ids, is not a call of its own."""
        self.records += 1
        self.until = str(record.get("time"))
        self.since = self.since or self.until
        if record.get("outcome") != Outcome.BEGUN and "part_of" not in record:
            self.calls.setdefault(str(record.get("tool")), Counter())[str(record.get("outcome"))] += 1


def summarize_callers(records: Iterable[AuditRecord]) -> dict[str, CallerActivity]:
    """Return what each caller has done, by pseudonym."""
    found: dict[str, CallerActivity] = {}
    for record in records:
        found.setdefault(str(record.get("caller")), CallerActivity()).add(record)
    return found


def issuers_of(callers: Mapping[str, CallerActivity]) -> set[str]:
    """Return the authorization servers whose users are among the callers."""
    return {name.removeprefix(_OAUTH).rpartition("#")[0] for name in callers if name.startswith(_OAUTH) and "#" in name}
