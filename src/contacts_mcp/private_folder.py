"""A folder that only its owner can read, for small files that several processes of this user share."""

import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class PrivateFolder:
    """The folder at `path`, which is created if it is missing.

    Raises OSError if it cannot be used, or if it is a link or belongs to another user. Names are plain file names.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)  # with `parents=True`, others could read the folders above
        folder = os.open(path, _OPEN_FOLDER)
        try:
            found = os.fstat(folder)
            if found.st_uid != os.getuid():
                raise PermissionError("the folder belongs to another user")
            if found.st_mode & _OTHERS:
                os.fchmod(folder, 0o700)
        finally:
            os.close(folder)

    def subfolder(self, name: str) -> "PrivateFolder":
        """Return a folder in this one, which is created if it is missing. Raises OSError."""
        return PrivateFolder(self.path / name)

    def create(self, name: str, content: bytes, *, written: float | None = None) -> bool:
        """Create a file with this content, whole or not at all; return False if the name exists. Raises OSError.

        `written` replaces the time of writing, in seconds since 1970.
        """
        draft = self.path / f".{secrets.token_hex(8)}"
        try:
            with os.fdopen(os.open(draft, _OPEN_NEW, 0o600), "wb") as file:
                file.write(content)
            # The kernel's own time advances only every few milliseconds.
            at = time.time_ns() if written is None else int(written * 1e9)
            os.utime(draft, ns=(at, at))
            os.link(draft, self.path / name, follow_symlinks=False)
        except FileExistsError:
            return False
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
        return True

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises OSError."""
        with os.fdopen(os.open(self.path / name, _OPEN_READ), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
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
