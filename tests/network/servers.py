"""Servers for many callers: the Contacts API with a directory for each key, MCP servers in front of it, and workers.

`python -m network.servers DESCRIPTOR FOLDER LOG` serves that API. It logs each answered request as a line of JSON, so
that a test can count what really happened.
"""

import asyncio
import hashlib
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

import uvicorn

from contacts_mcp.app import build_network_app
from contacts_mcp.directory import Directory
from contacts_mcp.settings import load_settings
from contacts_mcp.transports.http import TimeoutProtocol
from support.processes import ChildProcess, HttpServer, clean_environment, free_port
from support.services import ApiKeyRouter, App, serve_app

STATE_KEYS = "0123456789abcdef0123456789abcdef"
_TESTS = Path(__file__).parents[1]
_NO_READY_LINE = ""
"""Do not wait for a line that says that the process is ready."""
_KEEP_ALIVE_SECONDS = 120
"""Longer than any test takes on a busy machine."""
_UVICORN_OPTIONS: dict[str, Any] = {"http": TimeoutProtocol, "timeout_keep_alive": _KEEP_ALIVE_SECONDS}
# The app cannot set this in uvicorn. Without it, each answer of a worker waits 40 ms for an acknowledgement.
_PROTOCOL = ["--http", "contacts_mcp.asgi:Http"]
_UVICORN = [
    "uvicorn",
    "contacts_mcp.asgi:app",
    "--no-access-log",
    "--timeout-keep-alive",
    str(_KEEP_ALIVE_SECONDS),
    *_PROTOCOL,
]
_SHARED = {"RATE": "0", "STATE_KEYS": STATE_KEYS}


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory if the machine has one, for tests that do not test the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


_KEY_PREFIX = "wayscloud_pat_"


def key_of(tenant: str) -> str:
    """The key of a tenant."""
    return f"{_KEY_PREFIX}{tenant}_{hashlib.sha256(tenant.encode()).hexdigest()[:32].upper()}"


def tenant_of(key: str) -> str | None:
    """The tenant of a key; None if the key is invalid."""
    tenant = key.removeprefix(_KEY_PREFIX).partition("_")[0]
    return tenant if tenant.startswith("tenant") and key == key_of(tenant) else None


class Tenants(ApiKeyRouter):
    """An ASGI app with a directory for each key, which logs the requests."""

    def __init__(self, folder: Path, log: int, directories: AsyncExitStack) -> None:
        super().__init__(self._directory)
        self._folder = folder
        self._log = log
        self._resources = directories
        self._directories: dict[str, Directory] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answered = {"method": scope["method"], "path": scope["path"], "status": 0}

        async def noted(message: Any) -> None:
            answered["status"] = message.get("status", answered["status"])
            await send(message)

        await super().__call__(scope, receive, noted)
        os.write(self._log, json.dumps(answered).encode() + b"\n")

    async def _directory(self, key: str) -> App | None:
        tenant = tenant_of(key)
        if tenant is None:
            return None
        if tenant not in self._directories:
            directory = self._directories[tenant] = Directory(self._folder / f"{tenant}.db")
            await self._resources.enter_async_context(directory)
        return self._directories[tenant].app


async def _serve_tenants(listening: socket.socket, folder: Path, log: int) -> None:
    """Serve until SIGTERM."""
    async with AsyncExitStack() as directories:
        app = Tenants(folder, log, directories)
        config = uvicorn.Config(
            app,
            http=TimeoutProtocol,
            log_level="error",
            lifespan="off",
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
        )
        await uvicorn.Server(config).serve([listening])


@dataclass(frozen=True)
class Api:
    """The running Contacts API for many tenants."""

    address: str
    log: Path

    def asked(self) -> list[dict[str, Any]]:
        """The answered requests so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def attempts(self, method: str) -> Counter[str]:
        """Count the requests of each path with this method, also the refused ones."""
        return Counter(line["path"] for line in self.asked() if line["method"] == method)


@contextmanager
def contacts_api(folder: Path) -> Iterator[Api]:
    """The Contacts API with its tenants' directories in `folder`, as a process."""
    log = folder / "asked.jsonl"
    log.touch()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        command = [sys.executable, "-m", "network.servers", str(listening.fileno()), str(folder), str(log)]
        process = ChildProcess(folder / "api", command, _NO_READY_LINE, pass_fds=[listening.fileno()], cwd=_TESTS)
        port = listening.getsockname()[1]
    with process:
        yield Api(f"http://127.0.0.1:{port}", log)


@asynccontextmanager
async def api_here(folder: Path) -> AsyncIterator[Api]:
    """The Contacts API for many tenants in this event loop."""
    log = folder / "asked.jsonl"
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        async with (
            AsyncExitStack() as directories,
            serve_app(Tenants(folder, written, directories), **_UVICORN_OPTIONS) as here,
        ):
            yield Api(f"http://127.0.0.1:{here.address[1]}", log)
    finally:
        os.close(written)


@asynccontextmanager
async def replica_here(home: Path, **settings: Any) -> AsyncIterator[int]:
    """Run an MCP server in this event loop, and yield its port."""
    network = build_network_app(load_settings(rate=0, **settings), home)
    async with serve_app(network.asgi, lifespan="on", **_UVICORN_OPTIONS) as here:
        yield here.address[1]


def by_keys(api: Api, **variables: str) -> dict[str, str]:
    """The settings of a server whose callers bring their own keys for this API; an empty one is left out."""
    return {"WAYSCLOUD_API_URL": api.address, **_named({**_SHARED, "AUTH": "key", **variables})}


def over_directory(path: Path, **variables: str) -> dict[str, str]:
    """The settings of a server over an embedded directory whose caller may make many calls at a time."""
    return _named({**_SHARED, "DIRECTORY": str(path), "MAX_CALLS": "500", **variables})


def _named(settings: dict[str, str]) -> dict[str, str]:
    return {f"CONTACTS_MCP_{name}": value for name, value in settings.items() if value}


@contextmanager
def replicas(folder: Path, *settings: dict[str, str]) -> Iterator[Sequence[HttpServer]]:
    """`contacts-mcp serve`, a process for each of the settings."""
    starting = [HttpServer(folder, **each) for each in settings]
    with ExitStack() as running:
        yield [running.enter_context(server) for server in starting]


class WorkerGroup(ChildProcess):
    """`uvicorn contacts_mcp.asgi:app --workers`, which may fail to start."""

    def __init__(self, folder: Path, port: int, settings: dict[str, str], workers: int) -> None:
        self.port = port
        command = [sys.executable, "-m", *_UVICORN, "--workers", str(workers), "--port", str(port)]
        variables = {"CONTACTS_MCP_LOG_LEVEL": "INFO", **settings}
        super().__init__(folder / "uvicorn", command, _NO_READY_LINE, env=clean_environment(folder, **variables))

    def workers(self) -> list[int]:
        """The ids of the worker processes that started to serve."""
        serving = self.written.count("Application startup complete")
        return [int(found) for found in re.findall(r"Started server process \[(\d+)\]", self.written)][:serving]


@contextmanager
def run_workers(folder: Path, settings: dict[str, str], workers: int) -> Iterator[WorkerGroup]:
    """Workers on a port of this machine."""
    with free_port() as port, WorkerGroup(folder, port, settings, workers) as group:
        yield group


def is_serving(port: int) -> bool:
    """Whether the health page of a server on this port answers."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    descriptor, folder, log = sys.argv[1:]
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    asyncio.run(_serve_tenants(socket.socket(fileno=int(descriptor)), Path(folder), written))
