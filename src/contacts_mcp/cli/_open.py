"""`contacts-mcp open`: the console in the browser of this computer, until Ctrl-C or until no page is open."""

import sys
from contextlib import suppress
from pathlib import Path

from contacts_mcp.cli._options import enable_gc, interruptible
from contacts_mcp.cli._output import print_line
from contacts_mcp.settings import Settings


def run_console(settings: Settings, home: Path, *, browser: bool) -> None:
    """Serve the console. Raises ValueError, in one line, if the settings are invalid."""
    from contacts_mcp.app import announce, build_console, configure_logging, forbid_core_dumps
    from contacts_mcp.approval_page import open_in_browser
    from contacts_mcp.http_server import listen, run

    async def enter(address: str) -> None:
        if browser and await open_in_browser(address):
            print_line("The console is open in your browser. It ends with Ctrl-C, or when no page is open.", err=True)
            return
        print_line("Open this address within two minutes; it works once. Ctrl-C ends the console.", err=True)
        print_line(address)
        sys.stdout.flush()

    forbid_core_dumps()
    with listen("127.0.0.1", 0) as listening:
        console = build_console(settings, home, listening.getsockname()[1], enter)
        configure_logging(settings, default="text")
        announce(console.summary)
        enable_gc()
        with suppress(KeyboardInterrupt), interruptible():  # Ctrl-C is how it ends
            run(console.asgi, listening)
