"""The one folder of which files are read and to which they are written, with no way out of it.

Every step of a path is opened by itself, relative to the one before, and no link is followed: what was looked at is
what is opened, whoever renames things meanwhile.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contacts_mcp.contract import FieldFault, ValidationFailed
from contacts_mcp.text import sanitize

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Bytes of a file that is read."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STEP = _FOLDER | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe nobody writes to would be waited for
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = (errno.ELOOP, errno.EMLINK)
_SHOWN = 10
_LONGEST = 255  # bytes of a name, on most systems
_CHUNK = 1024 * 1024
_TOO_LARGE = f"is larger than {MAX_FILE_BYTES // 1024**2} MiB; split it"
_NOT_PLAIN = "is no regular file; links, folders, pipes and devices are not used"
_OUTSIDE = "leads out of the folder for files; give a name below it"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's content, and its name below the folder."""

    name: str
    data: bytes


class Folder:
    """The folder at `path`, which an operator has named. Raises ValueError where it is none."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if not self._path.is_dir():
            raise ValueError("the folder for files does not exist or is no folder; create it, or name another")

    def read(self, name: str) -> SourceFile:
        """Read a regular file of at most MAX_FILE_BYTES bytes; `name` is below the folder, or absolute within it.

        Raises:
            ValidationFailed: there is no such file here, or it is none that may be read; says why.
        """
        *folders, last = self._steps(name)
        with self._explained(), self._within(folders) as folder:
            descriptor = os.open(last, _READ, dir_fd=folder)
            try:
                _require_plain(os.fstat(descriptor))
                return SourceFile("/".join([*folders, last]), _content(descriptor))
            finally:
                os.close(descriptor)

    def write(self, name: str, chunks: Iterable[bytes], *, replace: bool) -> int:
        """Write a file whole or not at all, and return its bytes. What is there is only replaced where that is asked.

        Raises:
            ValidationFailed: the name is taken, leads elsewhere or cannot be read, or the disk does not take it; says
                why.
        """
        *folders, last = self._steps(name)
        if not _is_seen(last):
            raise _refused("holds characters that cannot be seen; choose a plain name")
        draft = f".{secrets.token_hex(8)}.part"
        with self._explained(), self._within(folders) as folder:
            try:
                size = _write_out(os.open(draft, _NEW, 0o600, dir_fd=folder), chunks)
                if replace:
                    os.replace(draft, last, src_dir_fd=folder, dst_dir_fd=folder)
                else:
                    os.link(draft, last, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                os.fsync(folder)
            finally:
                with suppress(FileNotFoundError):  # it has its name by now
                    os.unlink(draft, dir_fd=folder)
        return size

    def _steps(self, name: str) -> list[str]:
        """The steps from the folder to the file."""
        path = PurePosixPath(name)
        if path.is_absolute():
            try:
                path = path.relative_to(self._path)
            except ValueError:
                raise _refused(_OUTSIDE) from None
        steps = list(path.parts)
        if ".." in steps:
            raise _refused(_OUTSIDE)
        if not steps or name.endswith("/") or not all(map(_is_name, steps)):
            raise _refused("is no file's name")
        if any(step.startswith(".") for step in steps):  # in somebody's home, settings and keys
            raise _refused("is hidden, or in a folder that is; hidden files are not used")
        return steps

    @contextmanager
    def _within(self, folders: Sequence[str]) -> Iterator[int]:
        """The descriptor of the folder that these steps lead to."""
        current = os.open(self._path, _FOLDER)
        try:
            for step in folders:
                following = os.open(step, _STEP, dir_fd=current)
                os.close(current)
                current = following
            yield current
        finally:
            os.close(current)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what an error of the system means to whoever named the file."""
        try:
            yield
        except FileNotFoundError:
            raise _refused(f"is not in the folder for files; {self._there()}") from None
        except FileExistsError:
            raise _refused("is there already; choose another name") from None
        except (NotADirectoryError, IsADirectoryError):
            raise _refused(_NOT_PLAIN) from None
        except OSError as exc:
            if exc.errno in _LINKS:
                raise _refused("is a link, or leads through one; links are not followed") from None
            raise _refused(f"cannot be used ({(exc.strerror or 'system error').lower()})") from None

    def _there(self) -> str:
        """The files directly in the folder, those changed last first."""
        found: list[os.DirEntry[str]] = []
        with suppress(OSError):
            found = [each for each in os.scandir(self._path) if each.is_file(follow_symlinks=False)]
            found.sort(key=lambda each: -each.stat(follow_symlinks=False).st_mtime)
        names = [" ".join(sanitize(each.name, 80).split()) for each in found if not each.name.startswith(".")]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"there are {', '.join(names[:_SHOWN])}{more}" if names else "it is empty"


def _is_name(step: str) -> bool:
    try:
        return "\0" not in step and len(os.fsencode(step)) <= _LONGEST and not step.isspace()
    except UnicodeEncodeError:  # half a character
        return False


def _is_seen(step: str) -> bool:
    """Whether people and models read the name that it has."""
    return " ".join(sanitize(step, _LONGEST).split()) == step


def _require_plain(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refused(_NOT_PLAIN)
    if found.st_nlink > 1:
        raise _refused("has a second name, which may be outside of the folder; copy it into the folder")
    if found.st_size > MAX_FILE_BYTES:
        raise _refused(_TOO_LARGE)


def _content(descriptor: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := os.read(descriptor, _CHUNK):
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            raise _refused(_TOO_LARGE)
        chunks.append(chunk)
    return b"".join(chunks)


def _write_out(descriptor: int, chunks: Iterable[bytes]) -> int:
    with os.fdopen(descriptor, "wb") as file:
        size = sum(file.write(chunk) for chunk in chunks)
        file.flush()
        os.fsync(file.fileno())
    return size


def _refused(reason: str) -> ValidationFailed:
    fault = FieldFault("path", reason)
    return ValidationFailed(str(fault), faults=(fault,))
