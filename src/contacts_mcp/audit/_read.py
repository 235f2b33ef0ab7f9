"""Read the records of a trail, and verify that none was changed, removed or inserted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from contacts_mcp.audit._parts import TrailLine, find_parts, read_lines
from contacts_mcp.audit._trail import AuditRecord, Outcome
from contacts_mcp.hash_chain import ChainVerifier, InvalidRecord, parse_line

_MIN_WINDOW, _WINDOW_GROWTH = 500, 4
"""Records that `read_before` reads first, and by how much more each time."""

OnInvalidLine = Callable[[TrailLine], None]  # called with each line that is not a record


def read_records(path: Path, on_invalid: OnInvalidLine, after: int = 0) -> Iterator[AuditRecord]:
    """Yield the records after number `after`, the oldest first. Raises OSError if there is no trail."""
    for line in read_lines([path], after):
        try:
            record = parse_line(line.text)
        except InvalidRecord:
            on_invalid(line)
        else:
            if record["seq"] > after:
                yield record


def read_latest(path: Path, on_invalid: OnInvalidLine, count: int) -> list[AuditRecord]:
    """Return the last `count` records. Raises OSError if there is no trail."""
    newest = max((part.first for part in find_parts([path])), default=1)
    return list(read_records(path, on_invalid, max(0, newest - 1 - count)))[-count:] if count else []


def read_before(
    path: Path,
    on_invalid: OnInvalidLine,
    before: int | None,
    count: int,
    is_wanted: Callable[[AuditRecord], bool] = lambda _: True,
) -> list[AuditRecord]:
    """Return the last `count` wanted records with numbers below `before` (None: of all), the newest first.

    The trail is read from its end, in windows that grow, so that new records are found without reading old files.
    Raises OSError if there is no trail.
    """
    end = before
    found: list[AuditRecord] = []
    window = max(_MIN_WINDOW, count)
    if end is None:
        latest = read_latest(path, on_invalid, 1)
        end = latest[-1]["seq"] + 1 if latest else 1
    while end > 1 and len(found) < count:
        start = max(0, end - 1 - window)
        records = _until(end, read_records(path, on_invalid, start))
        found += [record for record in records if is_wanted(record)][::-1]
        end, window = start + 1, window * _WINDOW_GROWTH
    return found[:count]


def _until(end: int, records: Iterator[AuditRecord]) -> Iterator[AuditRecord]:
    """Yield the records before number `end`."""
    return takewhile(lambda record: record["seq"] < end, records)


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


def verify(paths: Sequence[Path], first: int = 1) -> Verification:
    """Verify a trail from record `first` on; older files may be elsewhere.

    `paths` are files, folders or patterns; a single file stands for those that were rotated from it too. Raises
    OSError.
    """
    found, chain = Verification(), ChainVerifier(first)
    ranges: dict[Path, tuple[int, int]] = {}
    before: Path | None = None
    for line in read_lines(paths):
        try:
            record = parse_line(line.text)
        except InvalidRecord:
            found.faults.append(f"line {line.number} of {line.file.name} is not a record")
            continue
        seq = record["seq"]
        ranges[line.file] = (ranges.get(line.file, (seq,))[0], seq)
        if seq >= first:
            gap = _describe_gap(before, line.file, seq)
            found.faults += [
                f"{fault}{gap}" if fault.endswith("missing") else fault for fault in chain.check(record, line.text)
            ]
            _count(found, record)
            before = line.file
    if found.records:
        found.last, found.hash = chain.end
    for part in find_parts(paths):
        if part.stated_range and ranges.get(part.path, part.stated_range) != part.stated_range:
            found.faults.append(f"{part.path.name} does not contain the records that its name states")
    return found


def _describe_gap(before: Path | None, file: Path, seq: int) -> str:
    """Return where records that are missing before a record would be, for the end of a sentence."""
    if before is None:
        return f": no file before {file.name} was found; if it is kept elsewhere, verify from record {seq:,}"
    return "" if before == file else f": a file between {before.name} and {file.name} is not here"


def _count(found: Verification, record: AuditRecord) -> None:
    found.records += 1
    time = str(record.get("time"))
    found.since, found.until = found.since or time, time
    if record.get("outcome") == Outcome.BEGUN:
        found.unfinished.append(record["seq"])
    elif record.get("begun") in found.unfinished:
        found.unfinished.remove(record["begun"])
