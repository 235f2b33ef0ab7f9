"""The console's tools for the audit trail: read it, the newest record first, and verify its chain.

A record names no person: callers are pseudonyms, and contacts are ids. Nevertheless a caller over a network sees only
their own records, unless they are an approver of the one directory that all callers share.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from pydantic import BaseModel, Field

from contacts_mcp.audit import AuditRecord, TrailLine, read_before, verify
from contacts_mcp.contract import ContactsError, PermissionDenied
from contacts_mcp.server import Caller, ExtraArguments, ExtraTool

MAX_RECORDS = 200
_MAX_FAULTS = 20

T = TypeVar("T")


class ReadAuditTrail(ExtraArguments):
    """Read records of the audit trail, the newest first."""

    tool: str = Field(default="", max_length=100)
    outcome: str = Field(default="", max_length=20)
    caller: str = Field(default="", max_length=200)
    record_id: str = Field(default="", max_length=100, description="Id of a contact or group that records name.")
    before: int = Field(default=0, ge=0, description="Only records with smaller numbers; 0 means all.")
    limit: int = Field(default=50, ge=1, le=MAX_RECORDS)


class VerifyAuditTrail(ExtraArguments):
    """Check that no record of the audit trail was changed, removed or inserted."""


class TrailPage(BaseModel):
    """Records as the trail stores them; `next` is the `before` of the next page, if there is one."""

    records: list[dict[str, Any]]
    next: int | None = None
    sees_all: bool
    invalid_lines: int = 0


class TrailReport(BaseModel):
    """What a verification found; see audit.Verification."""

    records: int
    since: datetime | None
    until: datetime | None
    last: int
    hash: str
    is_unbroken: bool
    faults: list[str]
    more_faults: int
    unfinished: list[int]


class _NoTrail(ContactsError):
    code = "no_trail"
    advice = "an operator sets CONTACTS_MCP_AUDIT to a file's path"


@dataclass(frozen=True, slots=True)
class TrailTools:
    """Builds the two tools.

    `path` returns the trail's file; None if it goes elsewhere. `sees_all` is whether a caller sees the records of
    others.
    """

    path: Callable[[], Path | None]
    sees_all: Callable[[Caller], bool]

    def tools(self) -> list[ExtraTool]:
        """Return read_audit_trail and verify_audit_trail."""
        return [
            ExtraTool(name="read_audit_trail", arguments=ReadAuditTrail, run=self._read),
            ExtraTool(name="verify_audit_trail", arguments=VerifyAuditTrail, run=self._verify),
        ]

    async def _read(self, viewer: Caller, arguments: ReadAuditTrail) -> TrailPage:
        sees_all = self.sees_all(viewer)
        wanted = _Wanted(arguments, None if sees_all else viewer.principal)
        invalid: list[TrailLine] = []

        def read(path: Path) -> list[AuditRecord]:
            return read_before(path, invalid.append, arguments.before or None, arguments.limit + 1, wanted.includes)

        none: list[AuditRecord] = []
        found = await self._in_thread(read, none)
        shown = found[: arguments.limit]
        following = shown[-1]["seq"] if len(found) > len(shown) else None
        return TrailPage(
            records=shown, next=following, sees_all=sees_all, invalid_lines=len(invalid) if sees_all else 0
        )

    async def _verify(self, viewer: Caller, _arguments: VerifyAuditTrail) -> TrailReport:
        if not self.sees_all(viewer):
            raise PermissionDenied("only a person who sees all records can verify the chain", advice="")
        return await self._in_thread(_verify, TrailReport(**_NO_RECORDS))

    async def _in_thread(self, work: Callable[[Path], T], empty: T) -> T:
        """Run `work` on the trail's file; return `empty` if it has no record yet. Raises _NoTrail."""
        path = self.path()
        if path is None:
            raise _NoTrail("this server writes its audit trail to no file")
        try:
            return await anyio.to_thread.run_sync(work, path)
        except FileNotFoundError:
            return empty
        except OSError as exc:
            reason = f"the audit trail cannot be read: {exc.strerror}"
            raise _NoTrail(reason, advice="an operator checks the file and its permissions") from None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which records a caller asks for, and may see; `principal` limits them to one caller's."""

    arguments: ReadAuditTrail
    principal: str | None
    _equal: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        given = {"tool": self.arguments.tool, "outcome": str(self.arguments.outcome), "caller": self.arguments.caller}
        object.__setattr__(self, "_equal", {name: value for name, value in given.items() if value})

    def includes(self, record: AuditRecord) -> bool:
        if self.principal is not None and record.get("caller") != self.principal:
            return False
        if not self._equal.items() <= record.items():
            return False
        sought = self.arguments.record_id.strip().lower()
        return not sought or any(each.lower() == sought for each in _texts(list(record.values())))


def _texts(values: list[Any]) -> Iterator[str]:
    """Yield the texts of a list, and of the lists in it."""
    for value in values:
        if isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, str):
            yield value


_NO_RECORDS: dict[str, Any] = {
    "records": 0,
    "since": None,
    "until": None,
    "last": 0,
    "hash": "",
    "is_unbroken": True,
    "faults": [],
    "more_faults": 0,
    "unfinished": [],
}


def _verify(path: Path) -> TrailReport:
    found = verify([path])
    return TrailReport(
        records=found.records,
        since=_to_time(found.since),
        until=_to_time(found.until),
        last=found.last,
        hash=found.hash,
        is_unbroken=not found.faults,
        faults=found.faults[:_MAX_FAULTS],
        more_faults=max(0, len(found.faults) - _MAX_FAULTS),
        unfinished=found.unfinished[:_MAX_FAULTS],
    )


def _to_time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
