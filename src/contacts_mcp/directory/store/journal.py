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


def journal_of(path: Path) -> Path:
    """Where the journal of a file is."""
    return path.with_name(f"{path.name}.receipts")


async def catch_up(engine: Engine, path: Path) -> None:
    """Bring the file and its journal to the same end, whichever of them is behind.

    Raises DirectoryUnavailable where they tell of different erasures, or the journal cannot be written.
    """
    length, last = await engine.read(receipts.end)
    known = await anyio.to_thread.run_sync(read, path)
    if len(known) == length and (not known or known[-1]["hash"] == last):
        return
    if len(known) > length:
        if length and known[length - 1]["hash"] != last:
            raise _foreign(path)
        await engine.write(lambda connection: receipts.replay(connection, known))
        await engine.scrub()
        return
    there = await engine.read(lambda connection: list(receipts.read(connection)))
    await anyio.to_thread.run_sync(_append, path, there)


def read(path: Path) -> list[Row]:
    """The receipts in the journal of a file; none where there is no journal. Raises DirectoryUnavailable."""
    try:
        with journal_of(path).open("rb") as file:
            return _lines(file)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as exc:
        raise _unusable(path, exc) from exc


def _append(path: Path, there: Sequence[Row]) -> None:
    """Append those receipts of the file that its journal lacks; another process may have done it."""
    try:
        with _locked(journal_of(path)) as file:
            known = _lines(file)
            both = min(len(known), len(there))  # it may have got more than were read
            if both and known[both - 1]["hash"] != there[both - 1]["hash"]:
                raise _foreign(path)
            for row in there[len(known) :]:
                file.write(json.dumps(dict(row), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except (OSError, ValueError) as exc:
        raise _unusable(path, exc) from exc


def _lines(file: BinaryIO) -> list[Row]:
    """What is whole; a line that a crash cut short is written again."""
    file.seek(0)
    content = file.read()
    whole = content.rpartition(b"\n")[0]
    if file.writable():
        file.truncate(len(whole) + 1 if whole else 0)
        file.seek(0, os.SEEK_END)
    return [json.loads(line) for line in whole.splitlines()]


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


def _unusable(path: Path, error: Exception) -> DirectoryUnavailable:
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    what = "is on a full disk; free some space" if full else "cannot be read or written; check the file and its folder"
    return DirectoryUnavailable(
        f"The journal of erasures {journal_of(path)} {what} and try again: what it lacks is in the directory.",
        status=507 if full else 503,
    )
