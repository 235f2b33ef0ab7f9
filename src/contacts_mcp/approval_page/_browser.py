"""Open an address in the browser of the person at this computer.

Python's `webbrowser` runs in a process of its own. A browser inherits the streams of the process that starts it: here
it could read what the host sends, or write the address to the log. It would also inherit keys from the environment.
"""

import asyncio
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

_PROGRAM = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.readline().strip()))"
_START_SECONDS = 5.0
"""A command that has not failed by then has opened the page; some run for as long as the browser does."""
_TEXT_BROWSERS = frozenset({"browsh", "elinks", "links", "links2", "lynx", "w3m", "www-browser"})
_HIDDEN_PREFIXES = ("CONTACTS_MCP_", "WAYSCLOUD_", "OTEL_")


def has_browser(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether there is a browser with windows. A person at another computer, over SSH, would not see a window here."""
    chosen = environ.get("BROWSER", "")
    if chosen:
        return not _is_text_browser(chosen.split(os.pathsep)[0])
    if platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in environ
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


async def open_in_browser(address: str) -> bool:
    """Open an address; return False if there is no browser, or it does not start."""
    if not has_browser():
        return False
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[bool] = loop.create_future()

    def run() -> None:
        is_open = _run(address)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(opened.set_result, is_open)

    # A daemon, because the process must not wait for a browser when it ends.
    threading.Thread(target=run, daemon=True, name="browser").start()
    done, _ = await asyncio.wait({opened}, timeout=_START_SECONDS)
    return opened.result() if done else True


def _run(address: str) -> bool:
    """Run the browser's command to its end; return whether it succeeded. The address is in no argument of ours."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN_PREFIXES)}
    environ.pop("TERM", None)  # without a terminal, `webbrowser` takes no text browser
    try:
        found = subprocess.run(  # noqa: S603 - the program is ours
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=f"{address}\n".encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
            check=False,
        )
    except OSError:
        return False
    return found.returncode == 0


def _is_text_browser(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        return True  # nothing that can be run
    return not words or os.path.basename(words[0]) in _TEXT_BROWSERS  # noqa: PTH119 - a command is no path
