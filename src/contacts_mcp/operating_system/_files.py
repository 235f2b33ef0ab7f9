"""Open a file that is no link, read it at an offset, give it its name, and keep that name after a power cut."""

import errno
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
    import stat

    import pywintypes
    import win32con
    import win32file

    from contacts_mcp.operating_system._owners import private_attributes
    from contacts_mcp.operating_system._windows_errors import to_os_error

    _SHARE = win32con.FILE_SHARE_READ | win32con.FILE_SHARE_WRITE | win32con.FILE_SHARE_DELETE
    _OPEN_REPARSE_POINT = 0x0020_0000
    _ATTEMPTS = 100

    def open_file(path: Path | str, flags: int, mode: int = 0o600) -> int:  # noqa: ARG001 - new files are private
        """Open a file that is not a link and return its descriptor; a new file is private. Raises OSError.

        The file can be renamed and removed while it is open, as on POSIX.
        """
        for _ in range(_ATTEMPTS):
            if not flags & os.O_EXCL:
                try:
                    return _open_existing(path, flags)
                except FileNotFoundError:
                    if not flags & os.O_CREAT:
                        raise
            try:
                return _to_descriptor(_create_file(path, flags, win32con.CREATE_NEW, _OPEN_REPARSE_POINT), flags)
            except FileExistsError:
                if flags & os.O_EXCL:
                    raise
        raise OSError(errno.ELOOP, "it is a link, or other processes keep renaming it")

    def _open_existing(path: Path | str, flags: int) -> int:
        """Open a file, and check afterwards that the path is its name, and no link: until then nothing is changed."""
        descriptor = _to_descriptor(_create_file(path, flags, win32con.OPEN_EXISTING, 0), flags)
        try:
            found = os.fstat(descriptor)
            is_named = not stat.S_ISREG(found.st_mode) or os.path.samestat(found, os.lstat(path))
        except BaseException:
            os.close(descriptor)
            raise
        if not is_named:
            os.close(descriptor)
            raise OSError(errno.ELOOP, "it is a link")
        return descriptor

    def _create_file(path: Path | str, flags: int, disposition: int, attributes: int) -> int:
        access = 0 if flags & os.O_WRONLY else win32con.GENERIC_READ
        access |= win32con.GENERIC_WRITE if flags & (os.O_WRONLY | os.O_RDWR) else 0
        attributes |= win32con.FILE_ATTRIBUTE_NORMAL
        try:
            handle = win32file.CreateFile(
                str(path), access, _SHARE, private_attributes(), disposition, attributes, None
            )
        except pywintypes.error as exc:
            error = to_os_error(exc)
            if isinstance(error, PermissionError) and os.path.isdir(path):  # noqa: PTH112 - it may be a text
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
            raise error from None
        return int(handle.Detach())

    def _to_descriptor(handle: int, flags: int) -> int:
        try:
            return msvcrt.open_osfhandle(handle, flags & (os.O_APPEND | os.O_RDONLY) | os.O_NOINHERIT)
        except OSError:
            win32file.CloseHandle(handle)
            raise

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Return up to `size` bytes from `offset` on. The position of the descriptor may move."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)

    def publish(draft: Path, path: Path) -> None:
        """Give a complete file its name. Raises FileExistsError if something has it. The draft's name may remain."""
        os.rename(draft, path)  # noqa: PTH104 - which replaces nothing on Windows

    def sync_folder(path: Path) -> None:
        """Keep a new or renamed file's name after a power cut: Windows writes names to its journal by itself."""

else:
    _SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a pipe without its other end would block

    def open_file(path: Path | str, flags: int, mode: int = 0o600) -> int:
        """Open a file that is not a link and return its descriptor; a new file is private. Raises OSError."""
        return os.open(path, flags | _SAFE, mode)

    def read_at(descriptor: int, size: int, offset: int) -> bytes:
        """Return up to `size` bytes from `offset` on. The position of the descriptor may move."""
        return os.pread(descriptor, size, offset)

    def publish(draft: Path, path: Path) -> None:
        """Give a complete file its name. Raises FileExistsError if something has it. The draft's name may remain."""
        os.link(draft, path, follow_symlinks=False)

    def sync_folder(path: Path) -> None:
        """Sync a folder, so that a new or renamed file keeps its name after a power cut. Raises OSError."""
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
