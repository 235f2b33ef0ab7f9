"""A command at a real terminal: its input and output are a pseudo-terminal, which also controls it."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from support.processes import MAX_WAIT_SECONDS, block_until

_READ_BYTES = 4096


class TerminalCommand:
    """A running command; `shown` is what its terminal shows so far. `options` are those of Popen."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], **options: Any) -> None:
        self._screen, terminal = pty.openpty()
        self.process = subprocess.Popen(
            command,
            env={**environment, "TERM": "dumb", "COLUMNS": "200"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - Ctrl-C needs it
            **{"stdin": terminal, "stdout": terminal, "stderr": terminal, **options},
        )
        os.close(terminal)
        self._seen = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.end()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    @property
    def shown(self) -> str:
        return self._seen.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until the terminal has shown a text so many times."""
        block_until(lambda: self.shown.count(text) >= times or not self._reader.is_alive(), lambda: self.shown)
        assert self.shown.count(text) >= times, self.shown

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def end(self) -> int:
        """Wait until the command has ended, and return its exit code."""
        code = self.process.wait(MAX_WAIT_SECONDS)
        self._reader.join(MAX_WAIT_SECONDS)
        return code

    def _read(self) -> None:
        with suppress(OSError):  # the command has closed its side
            while chunk := os.read(self._screen, _READ_BYTES):
                self._seen += chunk
        os.close(self._screen)
