"""The only folder in which tools read and write files; no path leads out of it.

Each step of a path is opened in the folder of the step before, and links are not followed: the file that was checked is
the file that is opened, even if another process renames files meanwhile.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from contacts_mcp.contract import ValidationFailed, invalid_field
from contacts_mcp.operating_system import HiddenFile, InvalidName, OpenFolder, split_name
from contacts_mcp.text import sanitize_line

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Size limit of a file that is read."""

_LINK_ERRNOS = (errno.ELOOP, errno.EMLINK)
_MAX_LISTED_FILES = 10
_MAX_NAME_LENGTH = 255
_CHUNK_BYTES = 1024 * 1024
_TOO_LARGE = f"is larger than {MAX_FILE_BYTES // 1024**2} MiB; split it"
_NOT_REGULAR = "is not a regular file; links, folders, pipes and devices cannot be used"
_SETTING = "CONTACTS_MCP_FILES (--files)"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's content and its name below the folder."""

    name: str
    data: bytes


class Folder:
    """The folder at `path`, which the operator chose. Raises ValueError if it is not a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if not self._path.is_dir():
            kind = "is not a folder" if self._path.exists() else "does not exist"
            raise ValueError(f"{_SETTING}: {path.absolute()} {kind}; create the folder, or choose another")

    def read(self, name: str) -> SourceFile:
        """Read a regular file of at most MAX_FILE_BYTES bytes; `name` is below the folder, or absolute within it.

        Raises ValidationFailed, with the reason, if the file does not exist or must not be read.
        """
        *folders, last = self._split(name)
        with self._translate_errors(), self._open_folder(folders) as folder:
            descriptor = folder.open_file(last)
            try:
                _require_regular(os.fstat(descriptor))
                return SourceFile("/".join([*folders, last]), _read_all(descriptor))
            finally:
                os.close(descriptor)

    def is_free(self, name: str) -> bool:
        """Whether nothing has this name, not even a link to a missing file. Raises ValidationFailed as `write` does."""
        *folders, last = self._split(name)
        with self._translate_errors(), self._open_folder(folders) as folder:
            return not folder.has(last)

    def write(self, name: str, chunks: Iterable[bytes]) -> int:
        """Write a new file completely or not at all, and return its size in bytes. No file is ever replaced.

        Raises ValidationFailed, with the reason, if the name exists or is not allowed, or writing fails.
        """
        *folders, last = self._split(name)
        if sanitize_line(last, _MAX_NAME_LENGTH) != last:  # people and models would see another name
            raise invalid_field("path", "contains invisible characters; choose a plain name")
        temporary = f".{secrets.token_hex(8)}.part"
        with self._translate_errors(), self._open_folder(folders) as folder:
            try:
                size = _write_all(folder.create_file(temporary), chunks)
                folder.publish(temporary, last)
            finally:
                with suppress(FileNotFoundError):  # it could not be created
                    folder.remove(temporary)
        return size

    def spool(self, max_memory_bytes: int) -> IO[bytes]:
        """Open a file without a name, for a content that is not complete yet; a small one stays in memory.

        Its `write` raises ValidationFailed, with the reason, if writing fails.
        """
        return _Spool(max_memory_bytes, dir=str(self._path))

    def _split(self, name: str) -> list[str]:
        """Split a name into the steps from the folder to the file."""
        try:
            return split_name(PurePath(self._path), name)
        except InvalidName as exc:
            raise invalid_field("path", str(exc)) from None

    @contextmanager
    def _open_folder(self, folders: Sequence[str]) -> Iterator[OpenFolder]:
        """Open the folder at the end of these steps."""
        try:
            current = OpenFolder(self._path)
        except OSError as exc:
            raise self._unusable_folder(exc) from None
        try:
            for step in folders:
                subfolder = current.subfolder(step)
                current.close()
                current = subfolder
            yield current
        finally:
            current.close()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate a system error into ValidationFailed of the argument `path`."""
        try:
            yield
        except FileNotFoundError:
            raise invalid_field("path", f"is not in the folder for files; {self._list_files()}") from None
        except FileExistsError:
            raise invalid_field("path", "already exists; choose another name") from None
        except (NotADirectoryError, IsADirectoryError):
            raise invalid_field("path", _NOT_REGULAR) from None
        except HiddenFile as exc:
            raise invalid_field("path", str(exc)) from None
        except OSError as exc:
            if exc.errno in _LINK_ERRNOS:
                raise invalid_field("path", "is a link or leads through one; links are not followed") from None
            raise _unusable(exc) from None

    def _unusable_folder(self, exc: OSError) -> ValidationFailed:
        """Describe a folder that was removed or locked after the start, with its setting and its path."""
        reason = (exc.strerror or "system error").lower()
        return invalid_field("path", f"the folder for files cannot be used: {_SETTING}, {self._path} ({reason})")

    def _list_files(self) -> str:
        """List the files directly in the folder, latest change first."""
        found: list[os.DirEntry[str]] = []
        with suppress(OSError):
            found = [each for each in os.scandir(self._path) if each.is_file(follow_symlinks=False)]
            found.sort(key=lambda each: -each.stat(follow_symlinks=False).st_mtime)
        names = [sanitize_line(each.name, 80) for each in found if not each.name.startswith(".")]
        more = f" and {len(names) - _MAX_LISTED_FILES} more" if len(names) > _MAX_LISTED_FILES else ""
        return f"it contains {', '.join(names[:_MAX_LISTED_FILES])}{more}" if names else "it is empty"


class _Spool(SpooledTemporaryFile[bytes]):
    """A temporary file whose `write` translates errors, such as a full disk."""

    def write(self, s: Any) -> int:
        try:
            return super().write(s)
        except OSError as exc:
            raise _unusable(exc) from None


def _unusable(exc: OSError) -> ValidationFailed:
    return invalid_field("path", f"cannot be used ({(exc.strerror or 'system error').lower()})")


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise invalid_field("path", _NOT_REGULAR)
    if found.st_nlink > 1:
        raise invalid_field(
            "path", "has a second hard link, which may be outside of the folder; copy it into the folder"
        )
    if found.st_size > MAX_FILE_BYTES:
        raise invalid_field("path", _TOO_LARGE)


def _read_all(descriptor: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            raise invalid_field("path", _TOO_LARGE)
        chunks.append(chunk)
    return b"".join(chunks)


def _write_all(descriptor: int, chunks: Iterable[bytes]) -> int:
    with os.fdopen(descriptor, "wb") as file:
        size = sum(file.write(chunk) for chunk in chunks)
        file.flush()
        os.fsync(file.fileno())
    return size
