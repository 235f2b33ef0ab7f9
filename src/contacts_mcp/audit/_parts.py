"""The files of a trail: the current one, and those into which it was rotated by this server or by a log rotator.

This server renames a full `audit.jsonl` with records 1 to 30,000 to `audit.1-30000.jsonl`. Programs such as logrotate
choose other names, such as `audit.jsonl.1`, `audit.jsonl-20261129` or `audit.jsonl.2.gz`. Therefore the number of its
first record is a file's place in the trail, and not its name.
"""

import errno
import gzip
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import glob
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from contacts_mcp.append_only_file import MAX_LINE_BYTES, open_regular
from contacts_mcp.chain_file import read_chain_end
from contacts_mcp.hash_chain import ChainEnd, ChainVerifier, InvalidRecord, end_of, parse_line
from contacts_mcp.operating_system import lock

_DECOMPRESSORS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": lambda file: cast("BinaryIO", gzip.GzipFile(fileobj=file)),
    ".xz": lambda file: cast("BinaryIO", lzma.LZMAFile(file)),  # noqa: SIM115 - `_open` closes the file below
}
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
_MARK = r"(?:[.-]\d[\d.T_-]*)?"  # a number or a date
_OWN_MARK = re.compile(r"\.(\d+)-(\d+)")
_NOT_A_RECORD = b"not a record"  # replaces what cannot be decompressed
_IN_RECORDS = b'"tool":'  # and not in the receipts of erasures, which are a chain as well
_OPEN_ATTEMPTS = 10


class TrailLine(NamedTuple):
    """A line of a trail, and where it is."""

    file: Path
    number: int
    text: bytes


class Part(NamedTuple):
    """A file of a trail; `first` is the number of its first record, 0 if its first line is not a record."""

    first: int
    path: Path
    first_line: bytes

    @property
    def is_compressed(self) -> bool:
        return self.path.suffix in _DECOMPRESSORS

    @property
    def stated_range(self) -> tuple[int, int] | None:
        """The first and the last record according to the name, for a file that this server rotated."""
        match = _OWN_MARK.fullmatch(Path(self.path.stem).suffix)
        return (int(match[1]), int(match[2])) if match else None


def rotated_parts(path: Path) -> list[Part]:
    """Return the files into which the trail at `path` was rotated, the oldest first. Raises OSError."""
    return _in_order(_rotated_files(path))


def find_parts(paths: Iterable[Path]) -> list[Part]:
    """Return the files of a trail, the oldest first: `paths` are files, folders and patterns such as `audit.jsonl*`.

    With a single file, the files that were rotated from it belong to it. Raises FileNotFoundError if there is none, or
    another OSError.
    """
    given = list(paths)
    if len(given) == 1 and not given[0].is_dir() and not _is_pattern(given[0]):
        given += _rotated_files(given[0])
        given = [each for each in given if each.exists()]
    files = {each.absolute(): each for path in given for each in _expand(path)}
    if not files:
        raise FileNotFoundError(errno.ENOENT, "there is no trail")
    return _in_order(files.values())


def read_lines(paths: Sequence[Path], after: int = 0) -> Iterator[TrailLine]:
    """Yield the lines of the files of `find_parts`, while servers may append to them and rotate them.

    Files that end before record `after` are skipped, and so is a line that is half written. Raises OSError.
    """
    parts = find_parts(paths)
    for part, following in zip_longest(parts, parts[1:]):
        if not (after and following and part.first < following.first <= after + 1):
            yield from _read_part(part, paths)


def _read_part(part: Part, paths: Sequence[Path]) -> Iterator[TrailLine]:
    """Yield the lines of a part, also if it is renamed meanwhile; none if it is deleted: the chain shows the gap."""
    for _ in range(_OPEN_ATTEMPTS):
        with suppress(FileNotFoundError), _open(part.path) as file:
            if _read_line(file) == part.first_line:
                yield from _lines(part, file)
                return
        found = [each for each in find_parts(paths) if each.first == part.first]
        if not found:
            return
        part = found[0]


def read_rotated_end(path: Path) -> ChainEnd:
    """Return the last record of the rotated files: a new file continues from there. Raises InvalidRecord, OSError."""
    parts = [part for part in rotated_parts(path) if part.first]
    if not parts:
        return ChainEnd()
    part = parts[-1]
    end = _last_record(part.path) if part.is_compressed else _locked_end(part.path)
    if part.stated_range and end.seq < part.stated_range[1]:
        raise InvalidRecord(f"{part.path.name} does not end with record {part.stated_range[1]:,}")
    return end


def _rotated_files(path: Path) -> list[Path]:
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    name = re.compile(rf"{stem}{_MARK}{suffix}{_MARK}(?:\.backup)?(?:{'|'.join(map(re.escape, _DECOMPRESSORS))})?")
    try:
        return [each for each in path.parent.iterdir() if each.name != path.name and name.fullmatch(each.name)]
    except FileNotFoundError:
        return []


def _is_pattern(path: Path) -> bool:
    return any(character in str(path) for character in "*?[") and not path.exists()


def _expand(path: Path) -> Iterator[Path]:
    """Yield a file, the files of a trail in a folder, or those that match a pattern."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.is_file() and not each.is_symlink())
        yield from (part.path for part in map(_to_part, files) if part.first and _IN_RECORDS in part.first_line)
    elif _is_pattern(path):
        yield from map(Path, sorted(glob(str(path))))  # noqa: PTH207 - an absolute pattern is allowed
    else:
        yield path


def _in_order(files: Iterable[Path]) -> list[Part]:
    """Return the files by their first record, without copies: `copytruncate` and people make some."""
    parts: dict[object, Part] = {}
    for part in filter(_has_content, map(_to_part, files)):
        key = part.first_line if part.first else part.path
        if key not in parts or _length(parts[key]) < _length(part):
            parts[key] = part
    return sorted(parts.values(), key=lambda part: (part.first, part.path.name))


def _has_content(part: Part) -> bool:
    return part.first_line != b""


def _length(part: Part) -> int:
    with _open(part.path) as file:
        return sum(map(len, iter(lambda: _read_chunk(file), b"")))


def _to_part(path: Path) -> Part:
    with _open(path) as file:
        line = _read_line(file)
    try:
        first = parse_line(line)["seq"]
    except InvalidRecord:
        first = 0
    return Part(first, path, line)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        decompress = _DECOMPRESSORS.get(path.suffix)
        yield decompress(file) if decompress else file


def _lines(part: Part, file: BinaryIO) -> Iterator[TrailLine]:
    """Yield the lines of an open part, the first of which was read."""
    number, text = 1, part.first_line
    while text:
        whole = text if text.endswith(b"\n") else _complete(part, text)
        if whole:
            yield TrailLine(part.path, number, whole)
        if text == _NOT_A_RECORD:
            return
        number, text = number + 1, _read_line(file)


def _read_line(file: BinaryIO) -> bytes:
    try:
        return file.readline(MAX_LINE_BYTES)
    except _DAMAGED:
        return _NOT_A_RECORD


def _read_chunk(file: BinaryIO) -> bytes:
    try:
        return file.read(MAX_LINE_BYTES)
    except _DAMAGED:
        return b""


def _complete(part: Part, text: bytes) -> bytes:
    """Return the last line of a rotated file, which a crash may have cut short; empty if nothing is lost by that.

    The next file's first record shows whether the line was a record.
    """
    if part.stated_range or len(text) == MAX_LINE_BYTES or text == _NOT_A_RECORD:
        return text
    with suppress(InvalidRecord):
        parse_line(text)
        return text + b"\n"
    return b""


def _locked_end(path: Path) -> ChainEnd:
    """Return the end of a rotated file, once a process that was writing to it has finished."""
    descriptor = open_regular(path, os.O_RDONLY)
    try:
        lock(descriptor, shared=True)
        return read_chain_end(path, ChainEnd())
    finally:
        os.close(descriptor)


def _last_record(path: Path) -> ChainEnd:
    """Return the end of a compressed file."""
    last = b""
    with _open(path) as file:
        while line := _read_line(file):
            last = line
            if line == _NOT_A_RECORD:
                break
    record = parse_line(last)
    if ChainVerifier(record["seq"]).check(record, last):
        raise InvalidRecord("not a record of the chain")
    return end_of(record)
