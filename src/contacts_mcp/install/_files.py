"""A host's file on the disk: read, written whole or not at all, backed up, and restored to what it was.

After the last entry was removed, a file is restored to its state before the first one, byte for byte, if nothing else
in it was changed meanwhile. What it takes to know that is a note in a folder of this program.
"""

import hashlib
import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contacts_mcp.install._text import InvalidHostFile
from contacts_mcp.operating_system import keep_owner

_BOM = "\ufeff"
_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class HostFile:
    """A host's file. `target` is `path`, or what a link there leads to; `content` is None if there is no file."""

    path: Path
    target: Path
    content: bytes | None

    @property
    def text(self) -> str:
        """The file's text, without a byte order mark. Raises InvalidHostFile if it is not UTF-8."""
        try:
            return (self.content or b"").decode().removeprefix(_BOM)
        except UnicodeDecodeError as exc:
            line = (self.content or b"")[: exc.start].count(b"\n") + 1
            raise InvalidHostFile(f"line {line}: it is not UTF-8") from None

    def encode(self, text: str) -> bytes:
        """Return a new text of this file as bytes, with its byte order mark."""
        has_bom = (self.content or b"").startswith(_BOM.encode())
        return ((_BOM if has_bom else "") + text).encode()


def read_file(path: Path) -> HostFile:
    """Read a host's file, through links. Raises OSError, and InvalidHostFile if the path is no file."""
    target = path.resolve()
    try:
        return HostFile(path, target, target.read_bytes())
    except FileNotFoundError:
        return HostFile(path, target, None)
    except (IsADirectoryError, PermissionError):
        if target.is_dir():
            raise InvalidHostFile("it is a folder") from None
        raise


def require_writable(file: HostFile) -> None:
    """Raise InvalidHostFile if the file is read-only: replacing it would work, and surprise its owner."""
    if file.content is None:
        return
    is_marked = not file.target.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    if is_marked or not os.access(file.target, os.W_OK):
        raise InvalidHostFile("it is read-only; change its permissions, then try again")


def write_file(file: HostFile, content: bytes | None) -> None:
    """Write a file whole or not at all, with the permissions that it had; with None, remove it.

    Raises InvalidHostFile if the file has changed since it was read, and OSError.
    """
    if read_file(file.path).content != file.content:
        raise InvalidHostFile("it has changed meanwhile; try again")
    if content is None:
        file.target.unlink(missing_ok=True)
        return
    file.target.parent.mkdir(parents=True, exist_ok=True)
    before = file.target.stat() if file.content is not None else None
    replace_file(file.target, content, before)


def replace_file(path: Path, content: bytes, before: os.stat_result | None) -> None:
    """Replace a file in one step; `before` gives it permissions and owner, otherwise only this user can read it."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, stat.S_IMODE(before.st_mode) if before else _PRIVATE)  # noqa: PTH101 - a name, not a Path
        if before:
            keep_owner(draft, before)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft)  # noqa: PTH108
        raise


class Backups:
    """Copies of hosts' files from before each change, and notes of what a file was before the first entry.

    `folder` is created at the first copy; only this user can read it, because hosts' files hold keys.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, host: str, file: HostFile) -> Path | None:
        """Keep a copy of a file, and return it; None if there is no file. Raises OSError."""
        if file.content is None:
            return None
        copy = self.folder / f"{host}-{_digest(file.content)[:12]}{file.path.suffix}"
        self._write(copy, file.content)
        return copy

    def note_original(self, file: HostFile, copy: Path | None, without: bytes) -> None:
        """Note what a file was before the first entry; `without` is what removing the entry leaves. Raises OSError."""
        note = {"file": str(file.target), "original": copy and copy.name, "without": _digest(without)}
        self._write(self._note_path(file), json.dumps(note).encode())

    def find_original(self, file: HostFile, without: bytes) -> HostFile | None:
        """Return the file as it was before the first entry; None if that is not known, or more has changed."""
        try:
            note: dict[str, Any] = json.loads(self._note_path(file).read_bytes())
            if note["without"] != _digest(without):
                return None
            content = (self.folder / note["original"]).read_bytes() if note["original"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return HostFile(file.path, file.target, content)

    def _note_path(self, file: HostFile) -> Path:
        return self.folder / f"{_digest(str(file.target).encode())[:16]}.note"

    def _write(self, path: Path, content: bytes) -> None:
        self.folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        replace_file(path, content, None)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
