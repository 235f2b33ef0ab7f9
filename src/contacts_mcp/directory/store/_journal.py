"""The journal: a line for each receipt of an erasure, in a file next to a directory's SQLite file.

If the directory's file has fewer receipts than its journal, it is an older copy that was put back. Opening it repeats
the missing erasures before the first transaction.
"""

import errno
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from contacts_mcp.append_only_file import MAX_LINE_BYTES, DamagedFile, lock_file
from contacts_mcp.chain_file import repair_chain_end
from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory.database import Database, Engine, receipts
from contacts_mcp.directory.store._erasure import PERSONAL_FIELDS, read_receipts, receipt_chain_end, replay_receipts
from contacts_mcp.directory.store._undo import delete_expired_undo, find_undo_expiry
from contacts_mcp.hash_chain import ChainEnd, ChainRecord, ChainVerifier, end_of, format_line, parse_line

_log = logging.getLogger(__name__)

_CONTACT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RECEIPT_TYPES = {
    name: {"seq": int, "tenant": int, "fields": list}.get(name, str)
    for name in receipts.columns.keys()  # noqa: SIM118
}


def open_database(location: Location, *, create: bool = True, now: Callable[[], float] = time.time) -> Database:
    """Return the database at a location, opened by its first transaction. A file is kept in sync with its journal.

    Values that bulk updates replaced are deleted if they have expired at `now`, in seconds since 1970. Without
    `create`, a directory that does not exist is refused.
    """
    journal = None if isinstance(location, PostgresServer) else Journal(location)

    async def sync(engine: Engine) -> None:
        if journal:
            await journal.sync(engine)
        await _expire_undo(engine, now())

    return Database(location, sync, create=create)


async def _expire_undo(engine: Engine, now: float) -> None:
    """Delete replaced values that have expired. If that is not possible now, a later opening does it."""
    try:
        first = await engine.look_up(find_undo_expiry)
        if first is not None and first <= now:
            await engine.write(lambda connection: delete_expired_undo(connection, now))
    except Exception as exc:
        if engine.explain(exc) is None:
            raise
        _log.warning("Expired values of a bulk update are not deleted yet (%s)", type(exc).__name__)


def journal_path(path: Path) -> Path:
    """Return the path of a file's journal."""
    return path.with_name(f"{path.name}.receipts")


@dataclass
class _VerifiedPart:
    """The beginning of a journal that was read and verified."""

    file: tuple[int, int] = (0, 0)
    """The device and the number of the file."""
    size: int = 0
    last_line: bytes = b""
    chain: ChainVerifier = field(default_factory=lambda: ChainVerifier(noun="receipt"))

    def is_start_of(self, file: BinaryIO) -> bool:
        """Whether an open journal still begins with this part, judged by the last line of it."""
        file.seek(max(0, self.size - len(self.last_line)))
        return _identity(file) == self.file and file.read(len(self.last_line)) == self.last_line


class Journal:
    """The journal of a directory's file. It is verified once as a whole, and then only what was added to it."""

    def __init__(self, path: Path) -> None:
        """`path` is the directory's file."""
        self._path = path
        self._verified = _VerifiedPart()

    async def sync(self, engine: Engine) -> None:
        """Add the receipts that the file or its journal lacks, so that both have the same.

        Raises:
            DirectoryUnavailable: they have different receipts, or the journal is damaged or cannot be read or written.
        """
        end = await engine.read(receipt_chain_end)
        journal_end = await anyio.to_thread.run_sync(self.verify)
        if journal_end == end:
            return
        if journal_end.seq < end.seq:
            # The journal's last receipt is included, to check that file and journal belong together.
            rows = await engine.read(lambda connection: list(read_receipts(connection, max(journal_end.seq - 1, 0))))
            await anyio.to_thread.run_sync(append_to_journal, self._path, rows)
            return
        known = await anyio.to_thread.run_sync(read_journal, self._path)
        if end.seq and end_of(known[end.seq - 1]) != end:
            raise _mismatch(self._path)
        await engine.write(lambda connection: replay_receipts(connection, known))
        await engine.scrub()

    def verify(self) -> ChainEnd:
        """Verify what was added since the last time, and return the last receipt.

        Raises:
            DirectoryUnavailable: the journal cannot be read, or is not an unbroken chain of receipts.
        """
        journal = journal_path(self._path)
        before, self._verified = self._verified, _VerifiedPart()  # a fault is found again the next time
        if journal.exists():
            try:
                with journal.open("rb") as file:
                    part = before if before.is_start_of(file) else _VerifiedPart()
                    file.seek(part.size)
                    added = _whole_lines(file)
                    part.file = _identity(file)
            except (OSError, ValueError) as exc:
                raise _unusable(journal, exc) from exc
            _parse(journal, added, part.chain)
            part.size += sum(len(line) + 1 for line in added)
            part.last_line = added[-1] + b"\n" if added else part.last_line
            self._verified = part
        return self._verified.chain.end


def read_journal(path: Path) -> list[ChainRecord]:
    """Return the receipts in the journal of a file; an empty list if it has no journal. Raises DirectoryUnavailable."""
    return read_journal_file(journal_path(path)) if journal_path(path).exists() else []


def read_journal_file(journal: Path) -> list[ChainRecord]:
    """Return the receipts in a journal, without a line that a crash cut short, or in the output of `receipts --json`.

    Raises:
        DirectoryUnavailable: it cannot be read, or is not an unbroken chain of receipts.
    """
    try:
        with journal.open("rb") as file:
            is_array = file.read(1) == b"["
            file.seek(0)
            lines = [format_line(each).strip() for each in json.load(file)] if is_array else _whole_lines(file)
    except (OSError, ValueError) as exc:
        raise _unusable(journal, exc) from exc
    return _parse(journal, lines, ChainVerifier(noun="receipt"))


def append_to_journal(path: Path, missing: Sequence[ChainRecord]) -> None:
    """Append the receipts that a file's journal lacks; another process may have appended them meanwhile.

    Raises:
        DirectoryUnavailable: the journal has other receipts, or cannot be written.
    """
    try:
        with lock_file(journal_path(path)) as file:
            end = repair_chain_end(file, ChainEnd())
            if any(row["seq"] == end.seq and row["hash"] != end.hash for row in missing):
                raise _mismatch(path)
            lines = b"".join(format_line(row) for row in missing if row["seq"] > end.seq)
            file.append(lines, durable=True)
    except (OSError, ValueError) as exc:
        raise _unusable(journal_path(path), exc) from exc


def _whole_lines(file: BinaryIO) -> list[bytes]:
    """Read the rest of a file, without a last line that a crash cut short. Raises DamagedFile, OSError."""
    *lines, rest = file.read().split(b"\n")
    if len(rest) >= MAX_LINE_BYTES:
        raise DamagedFile("the file does not end with a line")
    return lines


def _parse(journal: Path, lines: Sequence[bytes], chain: ChainVerifier) -> list[ChainRecord]:
    """Return the receipts in lines of a journal, which continue a chain. Raises DirectoryUnavailable."""
    try:
        rows = [parse_line(line) for line in lines]
    except ValueError as exc:
        raise _unusable(journal, exc) from exc
    fault = next(_faults(rows, chain), None)
    if fault:
        raise _damaged(journal, fault)
    return rows


def _faults(rows: Sequence[ChainRecord], chain: ChainVerifier) -> Iterator[str]:
    """Yield what is wrong with the receipts themselves, or with their chain."""
    for row in rows:
        if not _is_receipt(row):
            yield f"receipt {row['seq']:,} is not one of a directory"
        yield from chain.check(row)


def _identity(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def _is_receipt(row: ChainRecord) -> bool:
    types = {name: type(row.get(name)) for name in receipts.columns.keys()}  # noqa: SIM118
    return (
        row.keys() == types.keys()
        and types == _RECEIPT_TYPES
        and _CONTACT_ID.fullmatch(row["contact_id"]) is not None
        and all(field in PERSONAL_FIELDS for field in row["fields"])
    )


def _damaged(journal: Path, fault: str) -> DirectoryUnavailable:
    return DirectoryUnavailable(
        f"The journal of erasures {journal} is damaged, so nothing was read from it: {fault}. Put back an intact copy;"
        " move it away only if the directory's own file is not an older copy."
    )


def _mismatch(path: Path) -> DirectoryUnavailable:
    return DirectoryUnavailable(
        f"The file {path} and its journal {journal_path(path).name} have different receipts: they do not belong"
        " together. Put back the journal that belongs to the file, or move this one away."
    )


def _unusable(journal: Path, error: Exception) -> DirectoryUnavailable:
    is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    problem = "is on a full disk; free some space and try again"
    if not is_full:
        damage = f" ({error})" if isinstance(error, ValueError) else ""
        problem = f"cannot be read or written{damage}; check the file and its folder and try again"
    return DirectoryUnavailable(
        f"The journal of erasures {journal} {problem}. The directory has every receipt that the journal lacks.",
        status=507 if is_full else 503,
    )
