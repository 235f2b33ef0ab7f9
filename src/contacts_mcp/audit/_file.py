"""The trail in a file, which several processes may share: each appends under a lock, after what anybody wrote last."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from contacts_mcp.audit._files import LONGEST, is_at, open_plain, part_of, parts_of
from contacts_mcp.audit._record import End, NoRecord, Record, line_of, read_line, seal
from contacts_mcp.audit._trail import Unwritable

FULL = 10_000_000
"""Bytes from which on a file is put away, and the next one begun."""

T = TypeVar("T")

_TRIES = 1_000
"""Times that a file may be put away by others while it is opened."""

_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND
_UNREADABLE = "its last line is no record; `contacts-mcp audit verify` says more"


@dataclass(slots=True, eq=False)
class _Waiting:
    """What a record is to say; whether a thread was told to write it; the record, once it is written."""

    says: Mapping[str, Any]
    durable: bool
    is_taken: bool = False
    record: Record | None = None


class TrailFile:
    """The chain in a file, which `find` names, and which is made by the first record."""

    def __init__(self, find: Callable[[], Path], *, full: int = FULL) -> None:
        self._find = cache(find)
        self._full = full
        self._written = End()
        self._waiting: list[_Waiting] = []
        self._one_at_a_time = anyio.Lock()

    @property
    def path(self) -> Path:
        """The file that is written to."""
        return self._find()

    async def append(self, says: Mapping[str, Any], *, durable: bool) -> Record:
        """See trail.Chain. The disk is waited for in a thread, once for all that wait at the same time."""
        waiting = _Waiting(says, durable)
        self._waiting.append(waiting)
        try:
            async with self._one_at_a_time:
                if not waiting.is_taken:
                    await self._append_waiting()
        finally:
            self._waiting.remove(waiting)
        if waiting.record is None:  # it was left with a disk that does not answer
            raise Unwritable("the disk does not answer")
        return waiting.record

    async def _append_waiting(self) -> None:
        together = [each for each in self._waiting if not each.is_taken]
        for each in together:
            each.is_taken = True
        try:
            await self._in_thread(partial(self._append_all, together))
        except Unwritable:
            for each in together:
                each.is_taken = False
            raise

    async def probe(self) -> None:
        """See trail.Chain. The file is made where there is none."""
        await self._in_thread(self._probe)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        except OSError as exc:
            raise Unwritable(exc.strerror or type(exc).__name__) from exc
        except NoRecord as exc:
            raise Unwritable(str(exc)) from exc

    def __str__(self) -> str:
        return str(self.path)

    def _append_all(self, together: Sequence[_Waiting]) -> None:
        """All of it or nothing."""
        _make_folders(self.path)
        while True:
            with _locked(self.path) as descriptor:
                end = self._end(descriptor)
                if os.fstat(descriptor).st_size < self._full:
                    self._add(descriptor, together, end)
                    return
                _put_away(descriptor, self.path, end.seq)

    def _add(self, descriptor: int, together: Sequence[_Waiting], end: End) -> None:
        is_first = not os.fstat(descriptor).st_size
        records = []
        for each in together:
            records.append(seal(each.says, end))
            end = End(records[-1]["seq"], records[-1]["hash"])
        _write(descriptor, b"".join(map(line_of, records)), durable=any(each.durable for each in together))
        if is_first:
            _keep_name(self.path)
        self._written = end
        for each, record in zip(together, records, strict=True):
            each.record = record

    def _probe(self) -> None:
        _make_folders(self.path)
        with _locked(self.path) as descriptor:
            self._end(descriptor)

    def _end(self, descriptor: int) -> End:
        """The last record there is, which must not be behind what this process wrote."""
        end = _end_of(descriptor) or _end_of_parts(self.path)
        if end.seq < self._written.seq or (end.seq == self._written.seq and end.hash != self._written.hash):
            raise NoRecord("what this server wrote last is not in it any more; put it back")
        return end


def _make_folders(path: Path) -> None:
    for folder in reversed([each for each in path.absolute().parents if not each.exists()]):
        folder.mkdir(0o700, exist_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file that bears the name, once nobody else writes: while the lock is waited for it may be put away."""
    for _ in range(_TRIES):
        descriptor = open_plain(path, _APPEND)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)
    raise FileNotFoundError(0, "it bears its name no longer than it takes to open it")


def _end_of(descriptor: int) -> End | None:
    """The last record of a file, None where it has none. A line that a crash cut short is dropped: it was none yet."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - LONGEST)
    tail = os.pread(descriptor, LONGEST, start)
    whole = tail.rpartition(b"\n")[0]
    if not tail.endswith(b"\n") and tail:
        if not whole and start:
            raise NoRecord(_UNREADABLE)
        os.ftruncate(descriptor, start + len(whole) + 1 if whole else 0)
    return _record_at_end(whole) if whole else None


def _record_at_end(lines: bytes) -> End:
    try:
        record = read_line(lines.rpartition(b"\n")[2])
    except NoRecord as exc:
        raise NoRecord(_UNREADABLE) from exc
    return End(record["seq"], record["hash"])


def _end_of_parts(path: Path) -> End:
    """The last record that was put away: it is what a new file begins with."""
    parts = parts_of(path)
    if not parts:
        return End()
    descriptor = open_plain(parts[-1].path, os.O_RDONLY)
    try:
        start = max(0, os.fstat(descriptor).st_size - LONGEST)
        return _record_at_end(os.pread(descriptor, LONGEST, start).rstrip(b"\n"))
    finally:
        os.close(descriptor)


def _write(descriptor: int, lines: bytes, *, durable: bool) -> None:
    """Write lines whole or not at all."""
    before = os.fstat(descriptor).st_size
    rest = memoryview(lines)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if durable:
            os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, before)
        raise


def _put_away(descriptor: int, path: Path, last: int) -> None:
    """Give a full file the name of what is in it; whoever waits for its lock sees that it is not the one any more."""
    try:
        first = read_line(os.pread(descriptor, LONGEST, 0).partition(b"\n")[0])["seq"]
    except NoRecord as exc:
        raise NoRecord("its first line is no record; `contacts-mcp audit verify` says more") from exc
    part = part_of(path, first, last)
    if os.path.lexists(part):
        raise FileExistsError(0, f"it is full, and {part.name} is there already")
    os.fsync(descriptor)
    path.rename(part)
    _keep_name(path)


def _keep_name(path: Path) -> None:
    """Have the folder remember over a power cut what its files are called."""
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
