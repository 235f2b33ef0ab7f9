"""The files that a trail is in: the one that is written to, and those it was put away in when it was full.

`audit.jsonl` that was full with records 1 to 30,000 is `audit.1-30000.jsonl` afterwards. Nothing is ever deleted here.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

LONGEST = 65_536
"""Bytes that no line reaches: a record has a hundred ids at most."""

_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe nobody reads from would be waited for
_LINKS = (errno.ELOOP, errno.EMLINK)


class NotPlain(OSError):
    """A link, a pipe, a device or a folder where a file should be."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is no regular file; links, pipes, devices and folders are not used")


class Part(NamedTuple):
    """A file that was full, and the numbers of its first and its last record."""

    first: int
    last: int
    path: Path


class Line(NamedTuple):
    """A line of a trail, and where it stands."""

    file: Path
    number: int
    text: bytes


def open_plain(path: Path, flags: int) -> int:
    """A descriptor of a regular file. Raises OSError, NotPlain for anything else."""
    try:
        descriptor = os.open(path, flags | _PLAIN, 0o600)
    except OSError as exc:
        raise (NotPlain() if exc.errno in (*_LINKS, errno.EISDIR, errno.ENXIO) else exc) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotPlain
    return descriptor


def part_of(path: Path, first: int, last: int) -> Path:
    """Where these records are put away."""
    return path.with_name(f"{path.stem}.{first}-{last}{path.suffix}")


def parts_of(path: Path) -> list[Part]:
    """What was put away, the oldest first."""
    name = re.compile(rf"{re.escape(path.stem)}\.(\d+)-(\d+){re.escape(path.suffix)}")
    found = ((name.fullmatch(each.name), each) for each in path.parent.iterdir())
    return sorted(Part(int(match[1]), int(match[2]), each) for match, each in found if match)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether a file still bears its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def read(path: Path, after: int = 0) -> Iterator[Line]:
    """Every line of a trail, the oldest first, while others write on. Raises OSError where there is none.

    Files that were put away with no record after number `after` are left out.
    """
    with ExitStack() as opened:
        live: BinaryIO | None = None
        with suppress(FileNotFoundError):  # what was full may just have been put away
            live = opened.enter_context(_opened(path))
        parts = parts_of(path)
        if live is None and not parts:
            raise FileNotFoundError(errno.ENOENT, "there is no trail", str(path))
        if live and any(is_at(live.fileno(), part.path) for part in parts):  # it was put away since it was opened
            live = None
        for part in parts:
            if part.last > after:
                with _opened(part.path) as file:
                    yield from _lines(part.path, file)
        if live:
            yield from (
                line for line in _lines(path, live) if line.text.endswith(b"\n")
            )  # the last may be half written


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(open_plain(path, os.O_RDONLY), "rb")


def _lines(path: Path, file: BinaryIO) -> Iterator[Line]:
    number = 0
    while text := file.readline(LONGEST):
        number += 1
        yield Line(path, number, text)
