"""The terminal of a person, and the encoding of what this process prints."""

import sys
from typing import TextIO

if sys.platform == "win32":
    import io
    import msvcrt

    _TERMINAL = "CONIN$"

    def discard_typed(terminal: TextIO) -> None:  # noqa: ARG001 - a process has one console
        """Forget what was typed and not read yet."""
        while msvcrt.kbhit():
            msvcrt.getwch()

    def use_utf_8() -> None:
        """Print and read UTF-8 also if standard output is a pipe or a file, instead of a code page such as cp1252."""
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a closed one is None
                stream.reconfigure(encoding="utf-8", errors="replace")

else:
    import termios
    from contextlib import suppress

    _TERMINAL = "/dev/tty"

    def discard_typed(terminal: TextIO) -> None:
        """Forget what was typed and not read yet."""
        with suppress(termios.error):
            termios.tcflush(terminal, termios.TCIFLUSH)

    def use_utf_8() -> None:
        """Do nothing: the locale says which encoding the terminal has."""


def open_terminal() -> TextIO:
    """Open the terminal for reading, whatever standard input is. Raises OSError."""
    return open(_TERMINAL, encoding="utf-8", errors="replace")  # noqa: PTH123 - no path
