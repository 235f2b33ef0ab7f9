"""What a server does on SIGHUP: it opens its log file again and reads keys again. It does not end."""

import fcntl
import os
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from contacts_mcp.app._logs import announce

Reload = Callable[[], str | None]
"""Reads something again and returns what it did, None if nothing. Raises ValueError or OSError if it cannot."""

_STDOUT, _STDERR = 1, 2
_MAX_PATH_BYTES = 1024


def hangup_handler(*reloads: Reload) -> Callable[[], None]:
    """Return what an event loop has to run on SIGHUP; until it does, the signal's own handler runs it.

    Standard error is opened again if a shell or a service manager redirected it to a file, and that file was renamed.
    """
    log = _LogFile()

    def handle() -> None:
        announce("; ".join(("SIGHUP", *_run_all(log.reopen, *reloads))))

    signal.signal(signal.SIGHUP, lambda _number, _frame: handle())
    return handle


def _run_all(*reloads: Reload) -> list[str]:
    done = []
    for reload in reloads:
        try:
            done.append(reload())
        except (ValueError, OSError) as exc:
            done.append(str(exc))
    return list(filter(None, done)) or ["nothing to reload"]


class _LogFile:
    """The file that is standard error, if it is one."""

    def __init__(self) -> None:
        self._path: Path | None = None
        with suppress(OSError):
            path = _path_of(_STDERR)
            is_file = stat.S_ISREG(os.fstat(_STDERR).st_mode)
            self._path = path if is_file and _is_same(path, _STDERR) else None

    def reopen(self) -> str | None:
        """Create the file again if it was renamed, and write to the new one. Raises OSError."""
        if self._path is None or _is_same(self._path, _STDERR):
            return None
        old = os.fstat(_STDERR)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            new = os.open(self._path, flags, stat.S_IMODE(old.st_mode))
        except OSError as exc:
            raise OSError(exc.errno, f"cannot reopen the log {self._path}: {exc.strerror}") from exc
        try:
            for descriptor in (_STDOUT, _STDERR):
                if _is_file(descriptor, old):
                    os.dup2(new, descriptor)
        finally:
            os.close(new)
        return "the log was reopened"


def _path_of(descriptor: int) -> Path:
    """Return the path with which a file was opened. Raises OSError if the system does not tell."""
    get_path = getattr(fcntl, "F_GETPATH", None)  # on macOS
    if get_path is not None:
        return Path(os.fsdecode(fcntl.fcntl(descriptor, get_path, bytes(_MAX_PATH_BYTES)).rstrip(b"\0")))
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return _is_file(descriptor, path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _is_file(descriptor: int, file: os.stat_result) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), file)
    return False
