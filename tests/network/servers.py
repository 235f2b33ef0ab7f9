"""Servers as real processes: the Contacts API for many tenants, MCP servers before it, workers, replicas."""

import http.client
import json
import os
import re
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from contacts_mcp.app import build_network_app
from contacts_mcp.settings import load_settings
from contacts_mcp.transports.http import TimeoutProtocol
from network.contacts_api import Tenants
from support.processes import ChildProcess, HttpServer, clean_environment, free_port
from support.services import serve_app

STATE_KEYS = "0123456789abcdef0123456789abcdef"
_TESTS = Path(__file__).parents[1]
_AT_ONCE = ""
"""What a process writes that is not waited for."""
_IDLE = 120
"""Seconds for which a connection may be idle: longer than any test on a busy machine."""
_SERVED: dict[str, Any] = {"http": TimeoutProtocol, "timeout_keep_alive": _IDLE}
# What the app cannot tell uvicorn: without it each answer of a worker waits 40 ms for an acknowledgement.
_GUARDED = ["--http", "contacts_mcp.asgi:Http"]
_UVICORN = ["uvicorn", "contacts_mcp.asgi:app", "--no-access-log", "--timeout-keep-alive", str(_IDLE), *_GUARDED]
_SHARED = {"RATE": "0", "STATE_KEYS": STATE_KEYS}


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: what is tested in it is not the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Api:
    """The Contacts API of `contacts_api.py`, running."""

    address: str
    log: Path

    def asked(self) -> list[dict[str, Any]]:
        """What was asked and answered so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def attempts(self, method: str) -> Counter[str]:
        """How often a method was used on each path, whatever the answer."""
        return Counter(line["path"] for line in self.asked() if line["method"] == method)


@contextmanager
def contacts_api(folder: Path) -> Iterator[Api]:
    """The Contacts API with its tenants' directories in `folder`, as a process."""
    log = folder / "asked.jsonl"
    log.touch()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        command = [sys.executable, "-m", "network.contacts_api", str(listening.fileno()), str(folder), str(log)]
        process = ChildProcess(folder / "api", command, _AT_ONCE, pass_fds=[listening.fileno()], cwd=_TESTS)
        port = listening.getsockname()[1]
    with process:
        yield Api(f"http://127.0.0.1:{port}", log)


@asynccontextmanager
async def api_here(folder: Path) -> AsyncIterator[Api]:
    """The same in this event loop, for tests that do not need it beside."""
    log = folder / "asked.jsonl"
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        async with (
            AsyncExitStack() as directories,
            serve_app(Tenants(folder, written, directories), **_SERVED) as here,
        ):
            yield Api(f"http://127.0.0.1:{here.address[1]}", log)
    finally:
        os.close(written)


@asynccontextmanager
async def replica_here(home: Path, **settings: Any) -> AsyncIterator[int]:
    """An MCP server in this event loop; its port."""
    network = build_network_app(load_settings(rate=0, **settings), home)
    async with serve_app(network.asgi, lifespan="on", **_SERVED) as here:
        yield here.address[1]


def by_keys(api: Api, **variables: str) -> dict[str, str]:
    """The settings of a server whose callers bring their own keys for this API; an empty one is left out."""
    return {"WAYSCLOUD_API_URL": api.address, **_named({**_SHARED, "AUTH": "key", **variables})}


def over_directory(path: Path, **variables: str) -> dict[str, str]:
    """The settings of a server over an embedded directory, with one caller who may do much at once."""
    return _named({**_SHARED, "DIRECTORY": str(path), "MAX_CALLS": "500", **variables})


def _named(settings: dict[str, str]) -> dict[str, str]:
    return {f"CONTACTS_MCP_{name}": value for name, value in settings.items() if value}


@contextmanager
def replicas(folder: Path, *settings: dict[str, str]) -> Iterator[Sequence[HttpServer]]:
    """`contacts-mcp serve`, a process for each of the settings."""
    starting = [HttpServer(folder, **each) for each in settings]
    with ExitStack() as running:
        yield [running.enter_context(server) for server in starting]


class Crew(ChildProcess):
    """`uvicorn contacts_mcp.asgi:app --workers`, which may or may not come to serving."""

    def __init__(self, folder: Path, port: int, settings: dict[str, str], workers: int) -> None:
        self.port = port
        command = [sys.executable, "-m", *_UVICORN, "--workers", str(workers), "--port", str(port)]
        variables = {"CONTACTS_MCP_LOG_LEVEL": "INFO", **settings}
        super().__init__(folder / "uvicorn", command, _AT_ONCE, env=clean_environment(folder, **variables))

    def workers(self) -> list[int]:
        """The processes that were started and came to serving, by id."""
        serving = self.written.count("Application startup complete")
        return [int(found) for found in re.findall(r"Started server process \[(\d+)\]", self.written)][:serving]


@contextmanager
def uvicorn(folder: Path, settings: dict[str, str], workers: int) -> Iterator[Crew]:
    """Workers on a port of this machine."""
    with free_port() as port, Crew(folder, port, settings, workers) as crew:
        yield crew


def is_serving(port: int) -> bool:
    """Whether somebody answers on a port that they are alive."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
