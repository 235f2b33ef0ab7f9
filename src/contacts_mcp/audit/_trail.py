"""The audit trail: every record gets its place in a hash chain and then goes to each output."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from contacts_mcp.audit._file import TrailFile, WriteFailed
from contacts_mcp.contract import ContactsError
from contacts_mcp.hash_chain import ChainEnd, link_record
from contacts_mcp.log_fields import LogFields

if TYPE_CHECKING:
    from contacts_mcp.audit._otlp import OtlpOutput

WRITE_TIMEOUT_SECONDS = 5.0  # time that the file and each output have to take a record

AuditRecord = dict[str, Any]
T = TypeVar("T")

_logger = logging.getLogger("contacts_mcp.trail")


class Outcome(StrEnum):
    """How a call ended, or that a destructive call is about to run."""

    DONE = "done"
    FAILED = "failed"  # nothing was changed, and `error` says why
    UNKNOWN = "unknown"  # a change may have been made
    REFUSED = "refused"  # by a person, the guard, a missing permission or an unavailable trail
    ASKED = "asked"  # the caller got the question or the preview; another call brings the answer
    NOT_RUN = "not_run"  # it was cancelled before it could change anything
    BEGUN = "begun"  # written before the call; `begun` of a later record is this record's number


class TrailUnavailable(ContactsError):
    """The file or an output did not take a record.

    Attributes:
        why: the reasons, for the operator only.
        seq: the record's number, if it got one.
    """

    code = "trail_unavailable"
    advice = "nothing was changed; the operator has to repair the audit trail"

    def __init__(self, why: Sequence[str], seq: int | None = None) -> None:
        super().__init__("the audit trail cannot be written, so deletions and erasures are refused")
        self.why = "; ".join(why)
        self.seq = seq


class LogOutput:
    """Writes records to the logger `contacts_mcp.trail`, which logs to standard error.

    `flush` waits until the log has been written, or raises OSError. With `is_copy` another output has the records, so
    the log may lack some: it counts the lines that standard error did not take.
    """

    has_unsent = False

    def __init__(self, flush: Callable[[], Awaitable[None]] | None = None, *, is_copy: bool = False) -> None:
        self._flush = flush
        self._is_copy = is_copy

    async def write(self, record: AuditRecord, *, durable: bool) -> None:
        """Log a record. Raises WriteFailed, unless the log is a copy."""
        try:
            _logger.info(LogFields(record))
            if durable and self._flush and not self._is_copy:
                await self._flush()
        except (OSError, ValueError) as exc:  # from a log handler that does not swallow them
            if not self._is_copy:
                raise WriteFailed(getattr(exc, "strerror", None) or "it is closed") from exc

    async def probe(self) -> None:
        """Do nothing: only a record could show whether the log can be written."""

    def close(self) -> None:
        """Do nothing: the log is written by itself."""

    def __str__(self) -> str:
        return "standard error"


class Trail:
    """A chain of records in a file, or only in this process's memory, and the outputs that get each record too."""

    def __init__(self, file: TrailFile | None = None, outputs: "Sequence[LogOutput | OtlpOutput]" = ()) -> None:
        self._file = file
        self._outputs = outputs
        self._end = ChainEnd()  # of a chain in memory

    async def write(self, fields: Mapping[str, Any], *, durable: bool = False) -> AuditRecord:
        """Add a record to the chain and give it to all outputs; cancelling the call does not stop this.

        With `durable` the record survives a power cut. If the file fails, the outputs get the record without a number.
        Raises TrailUnavailable if the file or an output failed or took too long; the others have the record.
        """
        failures: list[str] = []
        if self._file is None:
            record = link_record(fields, self._end)
            self._end = ChainEnd(record["seq"], record["hash"])
        else:
            appending = self._file.append(fields, durable=durable)
            record = await _within_timeout(self._file, appending, failures) or dict(fields)
        for output in self._outputs:
            await _within_timeout(output, output.write(record, durable=durable), failures)
        if failures:
            raise TrailUnavailable(failures, record.get("seq"))
        return record

    async def probe(self) -> None:
        """Check that a record could be written, without writing one. Raises TrailUnavailable."""
        failures: list[str] = []
        for target in (*([self._file] if self._file else []), *self._outputs):
            await _within_timeout(target, target.probe(), failures)
        if failures:
            raise TrailUnavailable(failures)

    @property
    def path(self) -> Path | None:
        """The file that holds the trail, if there is one."""
        return self._file.path if self._file else None

    @property
    def has_unsent(self) -> bool:
        """Whether an output may have records that it has not sent yet."""
        return any(output.has_unsent for output in self._outputs)

    def close(self) -> None:
        """Send the records that are left; this may block for seconds."""
        for output in self._outputs:
            output.close()

    def __str__(self) -> str:
        return " and ".join(map(str, (self._file or "a chain of each process's own", *self._outputs)))


async def _within_timeout(
    target: "TrailFile | LogOutput | OtlpOutput", work: Awaitable[T], failures: list[str]
) -> T | None:
    """Await work that only the timeout cancels; if it fails, add the reason to `failures`."""
    with anyio.move_on_after(WRITE_TIMEOUT_SECONDS, shield=True):
        try:
            return await work
        except WriteFailed as exc:
            failures.append(f"{target}: {exc}")
            return None
    failures.append(f"{target}: no answer within {WRITE_TIMEOUT_SECONDS:.0f} seconds")
    return None


@dataclass(frozen=True, slots=True)
class AuditDestinations:
    """Where the trail goes: standard error, an OTLP collector, a file, or several of them."""

    stderr: bool = False
    otlp: bool = False
    file: Path | None = None


def parse_destinations(text: str) -> AuditDestinations:
    """Parse `stderr`, `otlp` or a file's path, or several of them separated by commas. Raises ValueError."""
    names = {name.strip() for name in text.split(",")} - {""}
    files = names - {"stderr", "otlp"}
    if not names or len(files) > 1 or any("/" not in name and "." not in name for name in files):
        example = "/var/lib/contacts-mcp/audit.jsonl"
        raise ValueError(f"should be stderr, otlp or one file such as {example}, or several of them")
    file = Path(files.pop()).expanduser() if files else None
    return AuditDestinations("stderr" in names, "otlp" in names, file)
