"""One child process and its pipes: lines in, lines out, every wait bounded."""

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_ANSWER_WAIT = 30.0
"""Seconds for a line to arrive."""
_END_WAIT = 5.0
"""Seconds for a process to end by itself after its standard input was closed, or it was told to."""
_CHUNK = 1 << 20


class ChildFailed(RuntimeError):
    """The process said nothing in time, or ended; carries the end of what it wrote to standard error."""


class Child:
    """A process with line-wise standard input and output; leave its `with` block to end it.

    `environment` is all it gets: nothing is inherited, `PYTHONDONTWRITEBYTECODE` least of all, which would have it
    compile what it imports on every start.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._rest = b""
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,  # so that it can be killed with all that it started
        )
        self._stdin = self._process.stdin
        self._stdout = self._process.stdout

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def write_line(self, line: bytes) -> None:
        """Write a line, without its end."""
        if self._stdin:
            self._stdin.write(line + b"\n")

    def read_line(self, patience: float = _ANSWER_WAIT) -> bytes:
        """The next line, without its end. Raises ChildFailed after so many seconds of silence."""
        while b"\n" not in self._rest:
            self._rest += self._read(patience)
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def resident_bytes(self) -> int:
        """Memory that the process holds at this moment, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kilobytes) * 1024

    def require_alive(self) -> None:
        """Raise ChildFailed where the process has ended."""
        if self._process.poll() is not None:
            raise ChildFailed(f"the process ended: {self._said()}")

    def terminate(self) -> None:
        """Tell it to stop, as a supervisor would; leaving the block waits for it."""
        self._process.terminate()

    def _read(self, patience: float) -> bytes:
        if self._stdout is None or not select.select([self._stdout], [], [], patience)[0]:
            raise ChildFailed(f"no answer within {patience:g} s: {self._said()}")
        chunk = os.read(self._stdout.fileno(), _CHUNK)
        if not chunk:
            raise ChildFailed(f"the process ended: {self._said()}")
        return chunk

    def _said(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read().decode("utf-8", "replace")[-2_000:] or "nothing on standard error"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stdin:
            self._stdin.close()
        try:
            self._process.wait(_END_WAIT)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_END_WAIT)
        if self._stdout:
            self._stdout.close()
        self._complaints.close()
