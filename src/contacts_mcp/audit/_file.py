"""The trail in a file that several processes may append to, and the segments it is rotated into.

When `audit.jsonl` with records 1 to 30,000 is full, it becomes the segment `audit.1-30000.jsonl`. Nothing is deleted.
"""

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import anyio
import anyio.to_thread

from contacts_mcp.append_only_file import MAX_LINE_BYTES, DamagedFile, LockedFile, is_named, lock_file, open_regular
from contacts_mcp.chain_file import probe_chain_file, read_chain_end, repair_chain_end
from contacts_mcp.hash_chain import ChainEnd, ChainRecord, InvalidRecord, end_of, format_line, link_record, parse_line

ROTATE_AT_BYTES = 10_000_000  # a file of at least this size is rotated before the next record

T = TypeVar("T")

_SEE_VERIFY = "is not a record; run `contacts-mcp audit verify`"


class WriteFailed(Exception):
    """The file or an output did not take a record; the text says why, for the operator."""


class Segment(NamedTuple):
    """A full file that was rotated, and the numbers of its first and last record."""

    first: int
    last: int
    path: Path


class TrailLine(NamedTuple):
    """A line of a trail, and where it is."""

    file: Path
    number: int
    text: bytes


@dataclass(slots=True, eq=False)
class _Pending:
    """A record to write; `is_taken` while a thread writes it, `record` once it is written."""

    fields: Mapping[str, Any]
    durable: bool
    is_taken: bool = False
    record: ChainRecord | None = None


class TrailFile:
    """A hash chain in the file that `find_path` returns. The first record creates the file."""

    def __init__(self, find_path: Callable[[], Path], *, rotate_at: int = ROTATE_AT_BYTES) -> None:
        self._find_path = cache(find_path)
        self._rotate_at = rotate_at
        self._written = ChainEnd()
        self._pending: list[_Pending] = []
        self._writing = anyio.Lock()

    @property
    def path(self) -> Path:
        return self._find_path()

    async def append(self, fields: Mapping[str, Any], *, durable: bool) -> ChainRecord:
        """Append a record, with `durable` safe from a power cut, and return it with its number and hashes.

        Records that wait at the same time are written together in one thread. Raises WriteFailed.
        """
        pending = _Pending(fields, durable)
        self._pending.append(pending)
        try:
            async with self._writing:
                if not pending.is_taken:
                    await self._append_pending()
        finally:
            self._pending.remove(pending)
        if pending.record is None:  # the call that wrote it was given up, because the disk does not answer
            raise WriteFailed("the disk does not answer")
        return pending.record

    async def probe(self) -> None:
        """Check that a record could be appended, without writing. Raises WriteFailed."""
        await self._in_thread(self._probe)

    def __str__(self) -> str:
        return str(self.path)

    async def _append_pending(self) -> None:
        batch = [each for each in self._pending if not each.is_taken]
        for each in batch:
            each.is_taken = True
        try:
            await self._in_thread(partial(self._append_batch, batch))
        except WriteFailed:
            for each in batch:
                each.is_taken = False
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        except OSError as exc:
            raise WriteFailed(exc.strerror or type(exc).__name__) from exc
        except InvalidRecord as exc:
            raise WriteFailed(str(exc)) from exc

    def _append_batch(self, batch: Sequence[_Pending]) -> None:
        """Append all records or none."""
        _make_folders(self.path)
        while True:
            with lock_file(self.path) as file:
                end = self._read_end(file)
                if file.size < self._rotate_at:
                    self._append_to(file, batch, end)
                    return
                _rotate(file, self.path, end.seq)

    def _append_to(self, file: LockedFile, batch: Sequence[_Pending], end: ChainEnd) -> None:
        records = []
        for each in batch:
            records.append(link_record(each.fields, end))
            end = end_of(records[-1])
        file.append(b"".join(map(format_line, records)), durable=any(each.durable for each in batch))
        self._written = end
        for each, record in zip(batch, records, strict=True):
            each.record = record

    def _probe(self) -> None:
        with _named_last_line():
            probe_chain_file(self.path, _read_end_of_segments(self.path))

    def _read_end(self, file: LockedFile) -> ChainEnd:
        """Return the end of the chain, which must include what this process has written."""
        with _named_last_line():
            is_new = file.read_tail().last_line is None
            end = repair_chain_end(file, _read_end_of_segments(self.path) if is_new else ChainEnd())
        if end.seq < self._written.seq or (end.seq == self._written.seq and end.hash != self._written.hash):
            raise InvalidRecord("the last record that this server wrote is missing; restore the file")
        return end


def segments_of(path: Path) -> list[Segment]:
    """Return the segments of a trail, the oldest first."""
    name = re.compile(rf"{re.escape(path.stem)}\.(\d+)-(\d+){re.escape(path.suffix)}")
    try:
        found = [(name.fullmatch(each.name), each) for each in path.parent.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(Segment(int(match[1]), int(match[2]), each) for match, each in found if match)


def read_lines(path: Path, after: int = 0) -> Iterator[TrailLine]:
    """Yield the lines of a trail, the oldest first, while servers may append. Segments up to `after` are skipped.

    Raises OSError if there is no trail, or it cannot be read.
    """
    with ExitStack() as opened:
        current: BinaryIO | None = None
        with suppress(FileNotFoundError):  # it may just have been rotated
            current = opened.enter_context(_open_to_read(path))
        segments = segments_of(path)
        if current is None and not segments:
            raise FileNotFoundError(errno.ENOENT, "there is no trail", str(path))
        if current and any(is_named(current.fileno(), each.path) for each in segments):  # rotated since it was opened
            current = None
        for segment in segments:
            if segment.last > after:
                with _open_to_read(segment.path) as file:
                    yield from _lines(segment.path, file)
        if current:  # its last line may be half written
            yield from (line for line in _lines(path, current) if line.text.endswith(b"\n"))


def _open_to_read(path: Path) -> BinaryIO:
    return os.fdopen(open_regular(path, os.O_RDONLY), "rb")


def _lines(path: Path, file: BinaryIO) -> Iterator[TrailLine]:
    number = 0
    while text := file.readline(MAX_LINE_BYTES):
        number += 1
        yield TrailLine(path, number, text)


def _make_folders(path: Path) -> None:
    for folder in reversed([each for each in path.absolute().parents if not each.exists()]):
        folder.mkdir(0o700, exist_ok=True)


@contextmanager
def _named_last_line() -> Iterator[None]:
    try:
        yield
    except (InvalidRecord, DamagedFile) as exc:
        raise InvalidRecord(f"its last line {_SEE_VERIFY}") from exc


def _read_end_of_segments(path: Path) -> ChainEnd:
    """Return the last record of the last segment: a new file continues from there."""
    segments = segments_of(path)
    if not segments:
        return ChainEnd()
    last = segments[-1]
    with _named_last_line():
        end = read_chain_end(last.path, ChainEnd())
    if end.seq < last.last:
        raise InvalidRecord(f"{last.path.name} does not end with record {last.last:,}")
    return end


def _rotate(file: LockedFile, path: Path, last: int) -> None:
    """Rename a full file to a segment. Processes that wait for its lock notice, and open the new file."""
    try:
        first = parse_line(file.first_line())["seq"]
    except InvalidRecord as exc:
        raise InvalidRecord(f"its first line {_SEE_VERIFY}") from exc
    try:
        file.rename(path.with_name(f"{path.stem}.{first}-{last}{path.suffix}"))
    except FileExistsError as exc:
        raise FileExistsError(errno.EEXIST, f"it is full, and {exc.strerror}") from exc
