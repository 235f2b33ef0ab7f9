"""Servers over HTTP as processes of their own: the product as a team starts it, and the suite's fixture server."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import clean_environment

_TESTS = Path(__file__).parents[1]
_PATIENCE = 20.0
"""Seconds until a server answers."""


@dataclass(frozen=True)
class Served:
    """Where a server is, and what it writes to standard error."""

    origin: str
    log: Path


def product(home: Path) -> AbstractContextManager[Served]:
    """`contacts-mcp serve` over an embedded directory."""
    flags = ("--transport", "http", "--directory", str(home / "contacts.db"), "--port")
    return _serving(home, home, "contacts_mcp", "serve", *flags)


def fixture(home: Path) -> AbstractContextManager[Served]:
    """The fixture server."""
    return _serving(home, _TESTS, "conformance.fixture_server", str(home / "contacts.db"))


@contextmanager
def _serving(home: Path, folder: Path, *module: str) -> Iterator[Served]:
    """`python -m module` in `folder`, with a free port as its last argument."""
    port = _free_port()
    served = Served(f"http://127.0.0.1:{port}", home / "server.log")
    environment = clean_environment(home, CONTACTS_MCP_RATE="0")  # the suite is in a hurry
    command = [sys.executable, "-m", *module, str(port)]
    with served.log.open("wb") as log, subprocess.Popen(command, stderr=log, env=environment, cwd=folder) as process:
        try:
            _wait(process, port, served.log)
            yield served
        finally:
            process.terminate()
            try:
                process.wait(10)
            finally:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not _answers(port):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
