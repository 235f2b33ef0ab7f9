"""Read the records of a trail, and verify that none was changed, removed or inserted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contacts_mcp.audit._file import TrailLine, read_lines, segments_of
from contacts_mcp.audit._trail import AuditRecord, Outcome
from contacts_mcp.hash_chain import ChainVerifier, InvalidRecord, parse_line

OnInvalidLine = Callable[[TrailLine], None]  # called with each line that is not a record


def read_records(path: Path, on_invalid: OnInvalidLine, after: int = 0) -> Iterator[AuditRecord]:
    """Yield the records after number `after`, the oldest first. Raises OSError if there is no trail."""
    for line in read_lines(path, after):
        try:
            record = parse_line(line.text)
        except InvalidRecord:
            on_invalid(line)
        else:
            if record["seq"] > after:
                yield record


def read_latest(path: Path, on_invalid: OnInvalidLine, count: int) -> list[AuditRecord]:
    """Return the last `count` records. Raises OSError if there is no trail."""
    rotated = max((segment.last for segment in segments_of(path)), default=0)
    return list(read_records(path, on_invalid, max(0, rotated - count)))[-count:] if count else []


def follow_records(
    path: Path, on_invalid: OnInvalidLine, after: int, wait: Callable[[], None]
) -> Iterator[AuditRecord]:
    """Yield the records after number `after` as they are written, for ever; `wait` is called between two polls."""
    seen: tuple[int, int] | None = None
    while True:
        state = _file_state(path)
        if state != seen:
            seen = state
            for record in read_records(path, on_invalid, after):
                after = record["seq"]
                yield record
        else:
            wait()


def _file_state(path: Path) -> tuple[int, int] | None:
    """Return a value that changes with every record that is written."""
    try:
        status = path.stat()
    except FileNotFoundError:  # rotated, and no record was written since
        return None
    return status.st_ino, status.st_size


@dataclass(slots=True)
class Verification:
    """What `verify` found.

    Attributes:
        records: number of records; `since` and `until` are the times of the first and the last one.
        last: `seq` of the last record; `hash` is its hash.
        unfinished: `seq` of each destructive call whose end is not recorded.
        faults: what was changed, removed or inserted, one sentence each.
    """

    records: int = 0
    since: str | None = None
    until: str | None = None
    last: int = 0
    hash: str = ""
    unfinished: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def verify(path: Path, first: int = 1) -> Verification:
    """Verify a trail from record `first` on; older segments may be elsewhere. Raises OSError if it is unreadable."""
    found, chain = Verification(), ChainVerifier(first)
    ranges: dict[Path, tuple[int, int]] = {}
    for line in read_lines(path):
        try:
            record = parse_line(line.text)
        except InvalidRecord:
            found.faults.append(f"line {line.number} of {line.file.name} is not a record")
            continue
        seq = record["seq"]
        ranges[line.file] = (ranges.get(line.file, (seq,))[0], seq)
        if seq >= first:
            found.faults += chain.check(record, line.text)
            _count(found, record)
    if found.records:
        found.last, found.hash = chain.end
    for segment in segments_of(path):
        if ranges.get(segment.path, segment[:2]) != segment[:2]:
            found.faults.append(f"{segment.path.name} does not contain the records that its name states")
    return found


def _count(found: Verification, record: AuditRecord) -> None:
    found.records += 1
    time = str(record.get("time"))
    found.since, found.until = found.since or time, time
    if record.get("outcome") == Outcome.BEGUN:
        found.unfinished.append(record["seq"])
    elif record.get("begun") in found.unfinished:
        found.unfinished.remove(record["begun"])
