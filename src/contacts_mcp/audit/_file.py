"""Write the trail to a file that several processes may append to, and that they and log rotators may rotate.

When `audit.jsonl` with records 1 to 30,000 is full, it becomes `audit.1-30000.jsonl`. Nothing is deleted. The file is
opened for each batch of records, so that a file that was renamed is no longer written to.
"""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from contacts_mcp.append_only_file import DamagedFile, LockedFile, lock_file
from contacts_mcp.audit._parts import read_lines, read_rotated_end
from contacts_mcp.chain_file import probe_chain_file, repair_chain_end
from contacts_mcp.hash_chain import ChainEnd, ChainRecord, InvalidRecord, end_of, format_line, link_record, parse_line
from contacts_mcp.operating_system import make_folders

ROTATE_AT_BYTES = 10_000_000  # a file of at least this size is rotated before the next record

T = TypeVar("T")

_LOST = (
    "the last record that this server wrote is missing; restore the file, and rotate it by renaming it in its folder"
    " (logrotate's `create`, not `copytruncate` or `olddir`)"
)
_SEE_VERIFY = "is not a record; run `contacts-mcp audit verify`"


class WriteFailed(Exception):
    """The file or an output did not take a record; the text says why, for the operator."""


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
        self._first_line = b""
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
        make_folders(self.path.absolute().parent)
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
        self._written, self._first_line = end, file.first_line()
        for each, record in zip(batch, records, strict=True):
            each.record = record

    def _probe(self) -> None:
        with _named_last_line():
            probe_chain_file(self.path, _read_rotated_end(self.path))

    def _read_end(self, file: LockedFile) -> ChainEnd:
        """Return the end of the chain, which must include what this process has written."""
        with _named_last_line():
            is_new = file.read_tail().last_line is None
            end = repair_chain_end(file, _read_rotated_end(self.path) if is_new else ChainEnd())
        is_lost = end.seq < self._written.seq or (end.seq == self._written.seq and end.hash != self._written.hash)
        is_behind = 0 < self._written.seq < end.seq  # other processes wrote since, perhaps to another file
        is_uncertain = is_behind and file.first_line() != self._first_line
        if is_lost or (is_uncertain and not self._is_in_trail(self._written)):
            raise InvalidRecord(_LOST)
        return end

    def _is_in_trail(self, written: ChainEnd) -> bool:
        """Whether a record is in the current or a rotated file, or in one older than all of them."""
        for line in read_lines([self.path], written.seq - 1):
            with suppress(InvalidRecord):
                record = parse_line(line.text)
                if record["seq"] >= written.seq:
                    return bool(record["seq"] > written.seq or record["hash"] == written.hash)
        return False


@contextmanager
def _named_last_line() -> Iterator[None]:
    try:
        yield
    except (InvalidRecord, DamagedFile) as exc:
        raise InvalidRecord(f"its last line {_SEE_VERIFY}") from exc


def _read_rotated_end(path: Path) -> ChainEnd:
    with _named_last_line():
        return read_rotated_end(path)


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
