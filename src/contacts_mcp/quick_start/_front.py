"""The thread that answers a host from a snapshot until the server takes over.

It never blocks in a read or a write, so that the server can take over at any moment: what was read, which of it was
answered, and what of the answers was not written yet. Nothing is read that is not handed over.
"""

import os
import select
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

from contacts_mcp.quick_start._conversation import Conversation, to_answer

_CHUNK_BYTES = 65_536
_MAX_READ_BYTES = 262_144
"""Then the host's messages stay in the pipe until the server reads them."""
_PIPE_BYTES = getattr(select, "PIPE_BUF", 512)
"""A pipe that takes anything takes as much without blocking."""


class Handover:
    """What the server takes over.

    Attributes:
        lines: each complete line that was read, without its end, and the result it was answered with, or None.
        rest: what was read of the line after them.
        unsent: what of the answers was not written yet.
    """

    __slots__ = ("lines", "rest", "unsent")

    def __init__(self) -> None:
        self.lines: list[tuple[bytes, str | None]] = []
        self.rest = bytearray()
        self.unsent = bytearray()

    def count_answered(self) -> int:
        """Return how many lines were answered."""
        return sum(result is not None for _, result in self.lines)


class Front:
    """Reads `source` and answers to `sink`, from `results` by the key of their question, until `take_over`."""

    def __init__(self, results: Mapping[str, str], source: int = 0, sink: int = 1) -> None:
        self._results = results
        self._source, self._sink = source, sink
        self._conversation = Conversation()
        self._handover = Handover()
        self._read_bytes = 0
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, name="quick-start", daemon=True)
        self._thread.start()

    def take_over(self) -> Handover:
        """Stop the thread, which does not take long, and return what it leaves to the server."""
        os.write(self._stop, b".")
        self._thread.join()
        os.close(self._stop)
        os.close(self._stopped)
        return self._handover

    def _run(self) -> None:
        with suppress(OSError):  # the server meets the same fault, and deals with it
            while self._handover.unsent or self._is_answering():
                if not (self._write() if self._handover.unsent else self._read()):
                    return

    def _is_answering(self) -> bool:
        return self._conversation.is_followed and self._read_bytes <= _MAX_READ_BYTES

    def _wait(self, descriptor: int, events: int) -> bool:
        """Wait for a descriptor; return False if the server takes over."""
        if sys.platform == "win32":
            raise NotImplementedError
        poll = select.poll()
        poll.register(self._stopped, select.POLLIN)
        poll.register(descriptor, events)
        return self._stopped not in (found for found, _ in poll.poll())

    def _read(self) -> bool:
        """Read and answer what has arrived; return False at the end of input, and if the server takes over."""
        if sys.platform == "win32":
            raise NotImplementedError
        if not self._wait(self._source, select.POLLIN):
            return False
        try:
            chunk = os.read(self._source, _CHUNK_BYTES)
        except BlockingIOError:  # another process has read it
            return True
        rest = self._handover.rest
        rest += chunk
        self._read_bytes += len(chunk)
        for line in rest.split(b"\n")[:-1]:
            self._accept(bytes(line))
            del rest[: len(line) + 1]
        return bool(chunk)

    def _accept(self, line: bytes) -> None:
        question = self._conversation.read(line)
        result = self._results.get(question.key) if question and question.key else None
        if question and question.method == "initialize" and result is None:
            self._conversation.is_followed = False  # its answer has to be the first
        self._handover.lines.append((line, result))
        if question and result is not None:
            self._handover.unsent += to_answer(question.id, result).encode() + b"\n"

    def _write(self) -> bool:
        """Write a part of the answers; return False if the server takes over."""
        if sys.platform == "win32":
            raise NotImplementedError
        if not self._wait(self._sink, select.POLLOUT):
            return False
        unsent = self._handover.unsent
        with suppress(BlockingIOError):
            del unsent[: os.write(self._sink, unsent[:_PIPE_BYTES])]
        return True
