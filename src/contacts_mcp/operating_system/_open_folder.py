"""An open folder whose files are opened without a way out: no link is followed, even if names change meanwhile.

On POSIX each name is opened relative to the descriptor of its folder. On Windows, which has no such call, a folder
that is open here can be neither renamed nor removed, and the path that the system tells of each open handle is compared
with the one that was meant: a link, a junction or a short name leads to another.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Self

from contacts_mcp.operating_system._files import open_file

if sys.platform == "win32":
    import msvcrt

    import pywintypes
    import win32con
    import win32file

    from contacts_mcp.operating_system._files import publish
    from contacts_mcp.operating_system._names import HiddenFile
    from contacts_mcp.operating_system._windows_errors import to_os_error

    _HIDDEN = win32con.FILE_ATTRIBUTE_HIDDEN | win32con.FILE_ATTRIBUTE_SYSTEM
    _SHARE = win32con.FILE_SHARE_READ | win32con.FILE_SHARE_WRITE  # so others cannot rename or remove the folder

    class OpenFolder:
        """The folder at `path`, which may be a link. Raises OSError."""

        def __init__(self, path: Path | str) -> None:
            try:
                self._opened = win32file.CreateFile(
                    str(path),
                    win32con.GENERIC_READ,
                    _SHARE,
                    None,
                    win32con.OPEN_EXISTING,
                    win32con.FILE_FLAG_BACKUP_SEMANTICS,
                    None,
                )
            except pywintypes.error as exc:
                raise to_os_error(exc) from None
            self._path = _final_path(self.handle)
            if not _attributes_of(self.handle) & win32con.FILE_ATTRIBUTE_DIRECTORY:
                self.close()
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

        @property
        def handle(self) -> int:
            """The handle of the open folder."""
            return int(self._opened)

        def subfolder(self, name: str) -> Self:
            """Open a folder in this one. Raises OSError if it is a link or not a folder, HiddenFile."""
            folder = type(self)(self._locate(name))
            try:
                self._require(name, folder.handle)
            except BaseException:
                folder.close()
                raise
            return folder

        def open_file(self, name: str) -> int:
            """Open a file for reading and return its descriptor. Raises OSError if it is a link, HiddenFile."""
            descriptor = open_file(self._locate(name), os.O_RDONLY)
            try:
                self._require(name, msvcrt.get_osfhandle(descriptor))
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

        def create_file(self, name: str) -> int:
            """Create a private file for writing and return its descriptor. Raises OSError."""
            return open_file(self._locate(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL)

        def has(self, name: str) -> bool:
            """Whether something has this name, even a link to a missing file. Raises OSError."""
            return os.path.lexists(self._locate(name))

        def publish(self, draft: str, name: str) -> None:
            """Give a complete file its name. Raises FileExistsError if something has it. The draft's own may remain."""
            publish(Path(self._locate(draft)), Path(self._locate(name)))

        def remove(self, name: str) -> None:
            """Remove a file. Raises OSError."""
            os.unlink(self._locate(name))  # noqa: PTH108 - pathlib would change the prefix

        def close(self) -> None:
            self._opened.Close()

        def _locate(self, name: str) -> str:
            r"""Return a path of the form `\\?\C:\…`, in which the system interprets no name."""
            return f"{self._path.rstrip(chr(92))}\\{name}"

        def _require(self, name: str, handle: int) -> None:
            """Raise OSError unless an open handle is what this folder has under a name, and it is not hidden."""
            if os.path.normcase(_final_path(handle)) != os.path.normcase(self._locate(name)):
                raise OSError(errno.ELOOP, "it is a link")
            if _attributes_of(handle) & _HIDDEN:
                raise HiddenFile

    def _final_path(handle: int) -> str:
        try:
            return win32file.GetFinalPathNameByHandle(handle, win32con.FILE_NAME_NORMALIZED)
        except pywintypes.error as exc:
            raise to_os_error(exc) from None

    def _attributes_of(handle: int) -> int:
        try:
            return int(win32file.GetFileInformationByHandle(handle)[0])
        except pywintypes.error as exc:
            raise to_os_error(exc) from None

else:
    _OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    _OPEN_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe without a writer would block
    _OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

    class OpenFolder:
        """The folder at `path`, which may be a link. Raises OSError."""

        def __init__(self, path: Path | str, *, _descriptor: int | None = None) -> None:
            self._descriptor = os.open(path, _OPEN_FOLDER) if _descriptor is None else _descriptor

        def subfolder(self, name: str) -> Self:
            """Open a folder in this one. Raises OSError if it is a link or not a folder."""
            descriptor = os.open(name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=self._descriptor)
            return type(self)(name, _descriptor=descriptor)

        def open_file(self, name: str) -> int:
            """Open a file for reading and return its descriptor. Raises OSError if it is a link."""
            return os.open(name, _OPEN_READ, dir_fd=self._descriptor)

        def create_file(self, name: str) -> int:
            """Create a private file for writing and return its descriptor. Raises OSError."""
            return os.open(name, _OPEN_NEW, 0o600, dir_fd=self._descriptor)

        def has(self, name: str) -> bool:
            """Whether something has this name, even a link to a missing file. Raises OSError."""
            try:
                os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return False
            return True

        def publish(self, draft: str, name: str) -> None:
            """Give a complete file its name. Raises FileExistsError if something has it. The draft's own may remain."""
            os.link(draft, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor, follow_symlinks=False)
            os.fsync(self._descriptor)

        def remove(self, name: str) -> None:
            """Remove a file. Raises OSError."""
            os.unlink(name, dir_fd=self._descriptor)

        def close(self) -> None:
            os.close(self._descriptor)
