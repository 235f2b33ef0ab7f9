"""What a server does on SIGHUP: it opens its log file again and reads keys again. It does not end."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from contacts_mcp.app._logs import announce
from contacts_mcp.operating_system import handle_hangup, open_file, path_of_descriptor

Reload = Callable[[], str | None]
"""Reads something again and returns what it did, None if nothing. Raises ValueError or OSError if it cannot."""

_STDOUT, _STDERR = 1, 2


def hangup_handler(*reloads: Reload) -> Callable[[], None]:
    """Return what an event loop has to run on SIGHUP; until it does, the signal's own handler runs it. Not on Windows.

    Standard error is opened again if a shell or a service manager redirected it to a file, and that file was renamed.
    """
    log = _LogFile()

    def handle() -> None:
        announce("; ".join(("SIGHUP", *_run_all(log.reopen, *reloads))))

    handle_hangup(handle)
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
            path = path_of_descriptor(_STDERR)
            is_file = stat.S_ISREG(os.fstat(_STDERR).st_mode)
            self._path = path if is_file and _is_same(path, _STDERR) else None

    def reopen(self) -> str | None:
        """Create the file again if it was renamed, and write to the new one. Raises OSError."""
        if self._path is None or _is_same(self._path, _STDERR):
            return None
        old = os.fstat(_STDERR)
        try:
            new = open_file(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, stat.S_IMODE(old.st_mode))
        except OSError as exc:
            raise OSError(exc.errno, f"cannot reopen the log {self._path}: {exc.strerror}") from exc
        try:
            for descriptor in (_STDOUT, _STDERR):
                if _is_file(descriptor, old):
                    os.dup2(new, descriptor)
        finally:
            os.close(new)
        return "the log was reopened"


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return _is_file(descriptor, path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _is_file(descriptor: int, file: os.stat_result) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), file)
    return False
