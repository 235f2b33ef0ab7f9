"""A file to which several processes append lines, under a lock."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from contacts_mcp.operating_system import lock, open_file, read_at, sync_folder

MAX_LINE_BYTES = 65_536
"""Every line is shorter than this."""

_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND
_NOT_REGULAR = (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO)
_OPEN_ATTEMPTS = 1_000


class NotRegularFile(OSError):
    """The path is a link, a pipe, a device or a folder."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "not a regular file; links, pipes, devices and folders are not used")


class DamagedFile(ValueError):
    """The file does not end with a line."""


class Tail(NamedTuple):
    """The end of a file."""

    last_line: bytes | None
    """The last whole line without its line feed, None if there is none."""
    rest: bytes
    """What follows it, such as a line that a crash cut short."""


class LockedFile:
    """An append-only file that no other process writes to meanwhile; see `lock_file`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @property
    def size(self) -> int:
        """The size in bytes."""
        return os.fstat(self._descriptor).st_size

    def first_line(self) -> bytes:
        """Return the first line, without its line feed."""
        return read_at(self._descriptor, MAX_LINE_BYTES, 0).partition(b"\n")[0]

    def read_tail(self) -> Tail:
        """Return the end of the file. Raises DamagedFile if it is too long to be a line."""
        return _read_tail(self._descriptor)

    def cut(self, size: int) -> None:
        """Remove bytes from the end."""
        os.ftruncate(self._descriptor, self.size - size)

    def append(self, lines: bytes, *, durable: bool) -> None:
        """Append all lines or none; `durable` syncs them to the disk. Raises OSError."""
        size = self.size
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if durable:
                os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise
        if not size:
            sync_folder(self._path.absolute().parent)

    def rename(self, path: Path) -> None:
        """Give the file another name; the next `lock_file` creates a new one. Raises FileExistsError."""
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, f"{path.name} already exists")
        os.fsync(self._descriptor)
        self._path.rename(path)
        sync_folder(path.absolute().parent)


@contextmanager
def lock_file(path: Path) -> Iterator[LockedFile]:
    """Open a file to append to, create it if it is missing, and lock it until the `with` block ends.

    Raises OSError if it cannot be opened; NotRegularFile for links, pipes, devices and folders.
    """
    for _ in range(_OPEN_ATTEMPTS):
        descriptor = open_regular(path, _APPEND)
        try:
            lock(descriptor)
            if is_named(descriptor, path):  # another process may have renamed it before we got the lock
                yield LockedFile(path, descriptor)
                return
        finally:
            os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, "other processes keep renaming the file")


def read_tail(path: Path) -> Tail:
    """Return the end of a file, as LockedFile.read_tail does, without a lock. Also raises OSError."""
    descriptor = open_regular(path, os.O_RDONLY)
    try:
        return _read_tail(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path, flags: int) -> int:
    """Return a descriptor of a regular file. Raises OSError, NotRegularFile if it is something else."""
    try:
        descriptor = open_file(path, flags)
    except OSError as exc:
        raise (NotRegularFile() if exc.errno in _NOT_REGULAR else exc) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularFile
    return descriptor


def is_named(descriptor: int, path: Path) -> bool:
    """Whether `path` is still the name of an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _read_tail(descriptor: int) -> Tail:
    start = max(0, os.fstat(descriptor).st_size - MAX_LINE_BYTES)
    lines, line_feed, rest = read_at(descriptor, MAX_LINE_BYTES, start).rpartition(b"\n")
    if rest and start and not lines:
        raise DamagedFile("the file does not end with a line")
    return Tail(lines.rpartition(b"\n")[2] if line_feed else None, rest)
