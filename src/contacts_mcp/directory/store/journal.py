"""The journal of receipts beside a SQLite file: what was erased stays erased in a copy of it that is put back.

A line for each receipt, which says nothing of what was erased. When a file is opened whose receipts end before the
journal's, it is an older copy, and the erasures that it lacks are made in it again before anything else happens.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database.engine import Engine
from contacts_mcp.directory.store import receipts
from contacts_mcp.directory.store.rows import Row

_LONGEST_LINES = 65_536
"""Bytes at the end of a journal that hold two receipts at least."""


def journal_of(path: Path) -> Path:
    """Where the journal of a file is."""
    return path.with_name(f"{path.name}.receipts")


async def catch_up(engine: Engine, path: Path) -> None:
    """Bring the file and its journal to the same end, whichever of them is behind.

    Raises DirectoryUnavailable where they tell of different erasures, or the journal cannot be written.
    """
    length, last = await engine.read(receipts.end)
    end = await anyio.to_thread.run_sync(_end, path)
    if end == (length, last):
        return
    if end[0] < length:
        await _follow(engine, path, end[0])
        return
    known = await anyio.to_thread.run_sync(read, path)
    if length and known[length - 1]["hash"] != last:
        raise _foreign(path)
    await engine.write(lambda connection: receipts.replay(connection, known))
    await engine.scrub()


async def _follow(engine: Engine, path: Path, written: int) -> None:
    """Append what the journal lacks. Its last receipt is read again, to see that they belong together."""
    following = await engine.read(lambda connection: list(receipts.read(connection, max(written - 1, 0))))
    await anyio.to_thread.run_sync(_append, path, following)


def read(path: Path) -> list[Row]:
    """The receipts in the journal of a file; none where there is no journal. Raises DirectoryUnavailable."""
    return read_lines(journal_of(path)) if journal_of(path).exists() else []


def read_lines(journal: Path) -> list[Row]:
    """The receipts in a journal, which has to be there; a line that a crash cut short is none. Raises as `read`."""
    try:
        whole = journal.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]
    except (OSError, ValueError) as exc:
        raise _unusable(journal, exc) from exc


def _end(path: Path) -> tuple[int, str]:
    """The number of the journal's last receipt, and its hash."""
    try:
        with journal_of(path).open("rb") as file:
            return _end_of(file)
    except FileNotFoundError:
        return 0, ""
    except (OSError, ValueError) as exc:
        raise _unusable(journal_of(path), exc) from exc


def _append(path: Path, following: Sequence[Row]) -> None:
    """Append those receipts that the journal lacks; another process may have done it."""
    try:
        with _locked(journal_of(path)) as file:
            number, last = _end_of(file)
            if any(row["seq"] == number and row["hash"] != last for row in following):
                raise _foreign(path)
            for row in following:
                if row["seq"] > number:
                    file.write(json.dumps(dict(row), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except (OSError, ValueError) as exc:
        raise _unusable(journal_of(path), exc) from exc


def _end_of(file: BinaryIO) -> tuple[int, str]:
    """The last receipt, of which a part alone is read; one that a crash cut short is dropped, to be written again."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINES))
    start = file.tell()
    whole = file.read().rpartition(b"\n")[0]
    if file.writable():
        file.seek(start + len(whole) + 1 if whole else 0)
        file.truncate()
    if not whole:
        return 0, ""
    last = json.loads(whole.rpartition(b"\n")[2])
    return last["seq"], last["hash"]


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _foreign(path: Path) -> DirectoryUnavailable:
    return DirectoryUnavailable(
        f"The file {path} and its journal {journal_of(path).name} tell of different erasures: they do not belong"
        " together. Put back the journal that belongs to the file, or move this one away."
    )


def _unusable(journal: Path, error: Exception) -> DirectoryUnavailable:
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    what = "is on a full disk; free some space" if full else "cannot be read or written; check the file and its folder"
    return DirectoryUnavailable(
        f"The journal of erasures {journal} {what} and try again: what it lacks is in the directory.",
        status=507 if full else 503,
    )
