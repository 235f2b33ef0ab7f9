"""Standard error that never blocks the process: a host may never read it, and a full pipe would stop every write."""

import atexit
import errno
import io
import logging
import os
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import TextIO

import anyio

from contacts_mcp.operating_system import run_in_forks, wait_until_writable

_MAX_WAITING_CHARACTERS = 1_000_000
_USUAL_WRITE_SECONDS = 0.02
"""How long a write waits for a reader that takes lines as they come, so that its lines are in order with all else."""
_EXIT_TIMEOUT_SECONDS = 0.2
"""How long the last lines may take to leave when the process ends."""
_POLL_SECONDS = 0.01

_log = logging.getLogger("contacts_mcp.log")


def unblock_stderr() -> None:
    """Make `sys.stderr` a queue, if it is the standard error of the process."""
    if sys.stderr is None:  # closed when the process started
        sys.stderr = QueuedOutput(-1)
    elif _is_on(sys.stderr, 2):
        sys.stderr = QueuedOutput(2)


async def flush_stderr() -> None:
    """Wait until standard error has taken all lines. Raises OSError if it does not take them."""
    if isinstance(sys.stderr, QueuedOutput):
        await sys.stderr.wait_until_written()


def _is_on(stream: TextIO, descriptor: int) -> bool:
    with suppress(OSError, ValueError):
        return stream.fileno() == descriptor
    return False


class QueuedOutput(io.TextIOBase):
    """Text that a thread writes to a file descriptor. What does not fit into the queue is dropped, and counted."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._texts: deque[str] = deque()
        self._waiting_characters = 0
        self._dropped = 0
        self._fault: OSError | None = None
        self._start()
        run_in_forks(self._start)
        atexit.register(self._drain, _EXIT_TIMEOUT_SECONDS)

    def write(self, text: str) -> int:
        """Queue a text. Raises OSError if it is dropped, or the descriptor takes no texts."""
        if not isinstance(text, str):
            raise TypeError("not a text")
        with self._changed:
            if self._waiting_characters + len(text) > _MAX_WAITING_CHARACTERS:
                self._dropped += 1
                raise BlockingIOError(errno.EAGAIN, "it is not read")
            was_idle = not self._texts
            self._texts.append(text)
            self._waiting_characters += len(text)
            self._changed.notify_all()
        if was_idle and threading.current_thread() is not self._thread:
            self._drain(_USUAL_WRITE_SECONDS)
        self._raise_fault()
        return len(text)

    async def wait_until_written(self) -> None:
        """Wait until the queue is empty. Raises OSError if the last text could not be written."""
        while self._texts:  # noqa: ASYNC110 - a thread could not set an event of a loop that has ended
            await anyio.sleep(_POLL_SECONDS)
        self._raise_fault()

    def writable(self) -> bool:
        return True

    def _start(self) -> None:
        """Start the thread; also in a fork of the process, which has none."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, daemon=True, name="stderr")
        self._thread.start()

    def _raise_fault(self) -> None:
        if self._fault:
            raise OSError(self._fault.errno, self._fault.strerror)

    def _drain(self, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._texts, timeout)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._texts)
                text = self._texts[0]
            fault = self._write_text(text)
            with self._changed:
                self._texts.popleft()
                self._waiting_characters -= len(text)
                self._fault = fault
                self._dropped += fault is not None
                self._changed.notify_all()
            if self._dropped and not fault:
                self._report_dropped()

    def _report_dropped(self) -> None:
        with self._changed:
            dropped, self._dropped = self._dropped, 0
        _log.error("%d lines of the log were dropped, because standard error did not take them", dropped)

    def _write_text(self, text: str) -> OSError | None:
        """Write a text, however long that takes; return the error if it cannot be written."""
        rest = memoryview(text.encode(errors="replace"))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process may have made the descriptor non-blocking
                wait_until_writable(self._descriptor)
            except OSError as exc:
                return exc
        return None
