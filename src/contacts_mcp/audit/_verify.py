"""Whether a trail is whole: what was changed, is missing, or was put in."""

from dataclasses import dataclass, field
from pathlib import Path

from contacts_mcp.audit._files import Line, parts_of, read
from contacts_mcp.audit._record import NoRecord, Outcome, Record, hash_of, line_of, read_line


@dataclass(slots=True)
class Verdict:
    """What was found: how many records from when to when, the number and hash of the last,
    destructive calls whose end is not recorded, and faults.
    """

    records: int = 0
    since: str | None = None
    until: str | None = None
    last: int = 0
    hash: str = ""
    unfinished: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def verify(path: Path, first: int = 1) -> Verdict:
    """Read a trail from its record `first` on, before which it was put away on purpose. Raises OSError."""
    walk = _Walk(first)
    for line in read(path):
        walk.take(line)
    names = {part.path: (part.first, part.last) for part in parts_of(path)}
    for file, held in walk.held.items():
        if file in names and names[file] != held:
            walk.verdict.faults.append(f"{file.name} does not hold the records that its name says")
    return walk.verdict


class _Walk:
    """Goes from record to record."""

    def __init__(self, first: int) -> None:
        self.verdict = Verdict()
        self.held: dict[Path, tuple[int, int]] = {}
        self._first = first
        self._next, self._previous = first, "" if first == 1 else None

    def take(self, line: Line) -> None:
        try:
            record = read_line(line.text)
        except NoRecord:
            self.verdict.faults.append(f"line {line.number} of {line.file.name} is no record")
            return
        seq = record["seq"]
        self.held[line.file] = (self.held.get(line.file, (seq,))[0], seq)
        if seq >= self._first:
            self.verdict.faults += self._faults_of(record, line.text)
            self._count(record)

    def _faults_of(self, record: Record, text: bytes) -> list[str]:
        """What is wrong with a record, and with where it stands."""
        seq, faults = record["seq"], []
        if seq > self._next:
            missing = (
                f"records {self._next:,} to {seq - 1:,} are" if seq - 1 > self._next else f"record {self._next:,} is"
            )
            faults.append(f"{missing} missing")
        elif seq < self._next:
            faults.append(f"record {seq:,} stands where record {self._next:,} should")
        elif self._previous not in (None, record.get("previous")):
            faults.append(f"record {seq:,} does not follow the one before it")
        if record["hash"] != hash_of(record) or text != line_of(record):
            faults.append(f"record {seq:,} was changed")
        return faults

    def _count(self, record: Record) -> None:
        verdict, seq = self.verdict, record["seq"]
        verdict.records += 1
        if seq >= self._next:
            self._next, self._previous = seq + 1, record["hash"]
            verdict.last, verdict.hash = seq, record["hash"]
        time = str(record.get("time"))
        verdict.since, verdict.until = verdict.since or time, time
        if record.get("outcome") == Outcome.BEGUN:
            verdict.unfinished.append(seq)
        elif record.get("begun") in verdict.unfinished:
            verdict.unfinished.remove(record["begun"])
