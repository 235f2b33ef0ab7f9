"""CPython for Windows, which runs on Wine: `bash tests/windows/setup.sh` installs both in `build/windows`."""

import os
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

_FOLDER = Path(__file__).parents[2] / "build" / "windows"
_PYTHON = str(_FOLDER / "python" / "python.exe")
TIMEOUT_SECONDS = 240.0
"""How long a command may take: on Wine a start alone takes seconds, on a busy machine many."""
_ATTEMPTS = 5

needs_wine = pytest.mark.skipif(
    not (_FOLDER / "stamp").exists(), reason="there is no Python for Windows: run `bash tests/windows/setup.sh`"
)


def windows_path(path: Path) -> str:
    """The name by which programs for Windows know a file of this machine."""
    return "Z:" + str(path).replace("/", "\\")


def command(*arguments: str) -> list[str]:
    return ["wine", _PYTHON, "-m", "contacts_mcp", *arguments]


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Variables for Wine, and for the server: its data is in `home`, and everything else is not set."""
    return {
        "PATH": os.environ["PATH"],
        "WINEPREFIX": str(_FOLDER / "prefix"),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
        "WIN_PD_OVERRIDE_LOCAL_APPDATA": windows_path(home),
        **variables,
    }


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Its streams are pipes, as those of a host: on Wine it cannot write to a file."""
    return subprocess.run(
        command(*arguments),
        input="",
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment(home, **variables),
        timeout=TIMEOUT_SECONDS,
    )


class Log:
    """What a process writes to a pipe, to whose other end `file` writes."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.file = os.fdopen(writing, "w")
        self.lines: list[str] = []
        self._reading = os.fdopen(reading, encoding="utf-8")
        threading.Thread(target=self._read, daemon=True).start()

    def __str__(self) -> str:
        return "".join(self.lines)

    def _read(self) -> None:
        with self._reading:
            self.lines.extend(self._reading)


@contextmanager
def open_log() -> Iterator[Log]:
    log = Log()
    with log.file:
        yield log


@asynccontextmanager
async def connect(home: Path, *flags: str, person: Any = None, **variables: str) -> AsyncIterator[tuple[Client, Log]]:
    """A host that has started the server, and what that writes to its standard error."""
    program, *arguments = command("serve", *flags)
    server = StdioServerParameters(command=program, args=arguments, env=environment(home, **variables))
    with open_log() as log:
        transport = stdio_client(server, errlog=log.file)
        async with Client(transport, elicitation_callback=person, read_timeout_seconds=TIMEOUT_SECONDS) as client:
            await _warm_up(client)
            yield client, log


async def _warm_up(client: Client) -> None:
    """Have the server open its directory: on Wine the imports for that may take longer than a call waits."""
    for _ in range(_ATTEMPTS):
        if not (await client.call_tool("list_contacts", {})).is_error:
            return
    raise TimeoutError("the server does not open its directory")
