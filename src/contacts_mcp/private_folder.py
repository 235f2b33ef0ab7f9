"""A folder that only its owner can read, for small files that several processes of this user share."""

import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from contacts_mcp.operating_system import is_own_file, make_folders, make_private, open_file, publish

_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class PrivateFolder:
    """The folder at `path`, which is created if it is missing.

    Raises OSError if it cannot be used, or if it is a link or belongs to another user. Names are plain file names.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folders(path)
        make_private(path)

    def subfolder(self, name: str) -> "PrivateFolder":
        """Return a folder in this one, which is created if it is missing. Raises OSError."""
        return PrivateFolder(self.path / name)

    def create(self, name: str, content: bytes, *, written: float | None = None) -> bool:
        """Create a file with this content, whole or not at all; return False if the name exists. Raises OSError.

        `written` replaces the time of writing, in seconds since 1970.
        """
        draft = self.path / f".{secrets.token_hex(8)}"
        try:
            with os.fdopen(open_file(draft, _OPEN_NEW), "wb") as file:
                file.write(content)
            # The kernel's own time advances only every few milliseconds.
            at = time.time_ns() if written is None else int(written * 1e9)
            os.utime(draft, ns=(at, at))
            publish(draft, self.path / name)
        except FileExistsError:
            return False
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
        return True

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises OSError."""
        with os.fdopen(open_file(self.path / name, os.O_RDONLY), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or not is_own_file(file.fileno()):
                raise PermissionError("not a regular file of this user")
            return file.read()

    def read_or_create(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return a file's content, which the first of several processes makes. Raises OSError."""
        try:
            return self.read(name)
        except FileNotFoundError:
            self.create(name, make())
            return self.read(name)

    def files(self) -> list[tuple[float, int, str]]:
        """Return time of writing, size and name of each file, the oldest first. Raises OSError."""
        found = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process removed it
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, status.st_size, entry.name))
        return sorted(found)

    def remove(self, name: str) -> None:
        """Remove a file; another process may have removed it."""
        with suppress(FileNotFoundError):
            (self.path / name).unlink()

    def remove_older(self, than: float) -> None:
        """Remove the files that were written before this time, in seconds since 1970; also drafts of a crash."""
        for written, _, name in self.files():
            if written < than:
                self.remove(name)
