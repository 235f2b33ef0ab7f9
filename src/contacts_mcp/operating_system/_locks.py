"""Locks on open files. They end with the descriptor, and so with its process, however it ends.

Not `filelock`, whose locks are files of their own, which cannot be shared, and not `portalocker`, which on Windows
locks the beginning of the content: no other process could read that meanwhile. Here a lock is on a byte far beyond the
end.
"""

import sys

if sys.platform == "win32":
    import msvcrt
    from typing import Any

    import pywintypes
    import win32con
    import win32file
    import winerror

    from contacts_mcp.operating_system._windows_errors import to_os_error

    _LOCKED_OFFSET = 1 << 62
    _LOW = 0xFFFF_FFFF

    def lock(descriptor: int, *, shared: bool = False) -> None:
        """Wait for a lock on the file; it replaces the one that the descriptor has. Raises OSError."""
        _unlock(descriptor)
        _lock(descriptor, 0 if shared else win32con.LOCKFILE_EXCLUSIVE_LOCK)

    def try_lock(descriptor: int) -> bool:
        """Lock the file exclusively, unless another descriptor has a lock on it; whether it is locked now."""
        _unlock(descriptor)
        return _try_lock(descriptor)

    def try_lock_number(descriptor: int, number: int) -> bool:
        """Lock a number in the file, unless another process has locked it; whether it is locked now."""
        return _try_lock(descriptor, 1 + number)

    def _try_lock(descriptor: int, number: int = 0) -> bool:
        try:
            _lock(descriptor, win32con.LOCKFILE_EXCLUSIVE_LOCK | win32con.LOCKFILE_FAIL_IMMEDIATELY, number)
        except BlockingIOError:
            return False
        return True

    def _lock(descriptor: int, flags: int, number: int = 0) -> None:
        try:
            win32file.LockFileEx(msvcrt.get_osfhandle(descriptor), flags, 1, 0, _at(number))
        except pywintypes.error as exc:
            if exc.winerror in (winerror.ERROR_LOCK_VIOLATION, winerror.ERROR_IO_PENDING):
                raise BlockingIOError from None
            raise to_os_error(exc) from None

    def _unlock(descriptor: int) -> None:
        try:
            win32file.UnlockFileEx(msvcrt.get_osfhandle(descriptor), 1, 0, _at(0))
        except pywintypes.error as exc:
            if exc.winerror not in (winerror.ERROR_NOT_LOCKED, winerror.ERROR_LOCK_VIOLATION):  # there was no lock
                raise to_os_error(exc) from None

    def _at(number: int) -> Any:
        position = pywintypes.OVERLAPPED()
        offset = _LOCKED_OFFSET + number
        position.Offset, position.OffsetHigh = offset & _LOW, offset >> 32
        return position

else:
    import fcntl
    import os

    def lock(descriptor: int, *, shared: bool = False) -> None:
        """Wait for a lock on the file; it replaces the one that the descriptor has. Raises OSError."""
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

    def try_lock(descriptor: int) -> bool:
        """Lock the file exclusively, unless another descriptor has a lock on it; whether it is locked now."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def try_lock_number(descriptor: int, number: int) -> bool:
        """Lock a number in the file, unless another process has locked it; whether it is locked now. Raises OSError.

        The lock ends when this process closes any descriptor of the file.
        """
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number, os.SEEK_SET)
        except BlockingIOError:
            return False
        return True
