"""`python -m contacts_mcp`, and the command `contacts-mcp`."""

import gc
import os
import sys

_INTERRUPTED = 130
"""Exit code of a program that Ctrl-C has ended, as shells report it."""


def main() -> None:
    """Run the command line. Without garbage collection until then: it takes a tenth of the start and finds nothing."""
    gc.disable()
    try:
        _exit_on_interrupt()
        _open_standard_descriptors()
        from contacts_mcp.quick_start import begin

        begin()
        _leave_out_command_of_httpx()
        from contacts_mcp.operating_system import use_utf_8

        use_utf_8()
        from contacts_mcp.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        gc.enable()
        gc.freeze()  # or the end of the process would visit every object, which takes half a second


def _exit_on_interrupt() -> None:
    """Have Ctrl-C end the process at once, until a command handles it itself.

    Nothing has begun yet, and an exception that is raised inside of an import may be swallowed or wrapped.
    """
    import signal  # imports others, so Ctrl-C may interrupt that, too

    signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))


def _open_standard_descriptors() -> None:
    """Open the standard file descriptors that are closed: a database must not get one that logs are written to."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor


def _leave_out_command_of_httpx() -> None:
    """Have httpx do without its own command, which it imports with rich and pygments: 3 MB, a fifteenth of imports."""
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # documented: its import raises ModuleNotFoundError


if __name__ == "__main__":
    main()
