"""Servers for many callers: the Contacts API with a directory for each key, MCP servers in front of it, and workers."""

import hashlib
import http.client
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from contacts_mcp.app import build_network_app
from contacts_mcp.directory import Directory
from contacts_mcp.http_protocol import LimitedProtocol
from contacts_mcp.settings import load_settings
from support.processes import NO_READY_LINE, ChildProcess, HttpServer, clean_environment, free_port
from support.services import ApiKeyRouter, App, serve_app, serve_in_thread

STATE_KEYS = "0123456789abcdef0123456789abcdef"
_KEEP_ALIVE_SECONDS = 120
"""Longer than any test takes on a busy machine."""
_UVICORN_OPTIONS: dict[str, Any] = {"http": LimitedProtocol, "timeout_keep_alive": _KEEP_ALIVE_SECONDS}
# The app cannot set this in uvicorn. Without it, each answer of a worker waits 40 ms for an acknowledgement.
_PROTOCOL = "--http contacts_mcp.asgi:Http"
_UVICORN = f"uvicorn contacts_mcp.asgi:app --no-access-log --timeout-keep-alive {_KEEP_ALIVE_SECONDS} {_PROTOCOL}"
_SHARED = {"RATE": "0", "STATE_KEYS": STATE_KEYS}
_KEY_PREFIX = "wayscloud_pat_"


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory if the machine has one, for tests that do not test the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def mark_of(number: int) -> str:
    """The name of a tenant: a text in the key and the records of that tenant, and in no others."""
    return f"tenant{number:02}zz"


def key_of(tenant: str) -> str:
    return f"{_KEY_PREFIX}{tenant}_{hashlib.sha256(tenant.encode()).hexdigest()[:32].upper()}"


class TenantsApi(ApiKeyRouter):
    """The Contacts API as an ASGI app with a directory for each key."""

    def __init__(self, folder: Path, resources: AsyncExitStack) -> None:
        super().__init__(self._directory)
        self.address = ""
        self.asked: list[dict[str, Any]] = []
        """The answered requests: method, path and status, also of refused ones."""
        self._folder = folder
        self._resources = resources
        self._directories: dict[str, Directory] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answered = {"method": scope["method"], "path": scope["path"], "status": 0}

        async def noted(message: Any) -> None:
            answered["status"] = message.get("status", answered["status"])
            await send(message)

        await super().__call__(scope, receive, noted)
        self.asked.append(answered)

    async def _directory(self, key: str) -> App | None:
        tenant = key.removeprefix(_KEY_PREFIX).partition("_")[0]
        if not tenant.startswith("tenant") or key != key_of(tenant):
            return None
        if tenant not in self._directories:
            directory = self._directories[tenant] = Directory(self._folder / f"{tenant}.db")
            await self._resources.enter_async_context(directory)
        return self._directories[tenant].app

    def attempts(self, method: str) -> Counter[str]:
        return Counter(request["path"] for request in self.asked if request["method"] == method)


@asynccontextmanager
async def api_here(folder: Path) -> AsyncIterator[TenantsApi]:
    """The Contacts API for many tenants in this event loop, with their directories in `folder`."""
    async with AsyncExitStack() as directories:
        api = TenantsApi(folder, directories)
        async with serve_app(api, **_UVICORN_OPTIONS) as here:
            api.address = here.url
            yield api


def contacts_api(folder: Path) -> AbstractContextManager[TenantsApi]:
    """The same in another thread, for tests that block their event loop."""
    return serve_in_thread(api_here(folder))


@asynccontextmanager
async def replica_here(home: Path, **settings: Any) -> AsyncIterator[int]:
    """Run an MCP server in this event loop, and yield its port."""
    network = build_network_app(load_settings(rate=0, **settings), home)
    async with serve_app(network.asgi, lifespan="on", **_UVICORN_OPTIONS) as here:
        yield here.address[1]


@asynccontextmanager
async def server_of_tenants(**settings: Any) -> AsyncIterator[tuple[TenantsApi, int]]:
    """An MCP server whose callers bring their own keys, as its port, and the API behind it."""
    with quick_folder() as folder:
        async with api_here(folder) as api, replica_here(folder, auth="key", api_url=api.address, **settings) as port:
            yield api, port


def by_keys(api: TenantsApi, **variables: str) -> dict[str, str]:
    """The settings of a server whose callers bring their own keys for this API; an empty one is left out."""
    return {"WAYSCLOUD_API_URL": api.address, **_named({**_SHARED, "AUTH": "key", **variables})}


def over_directory(path: Path | str, **variables: str) -> dict[str, str]:
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
        command = [sys.executable, "-m", *_UVICORN.split(), "--workers", str(workers), "--port", str(port)]
        variables = {"CONTACTS_MCP_LOG_LEVEL": "INFO", **settings}
        super().__init__(folder / "uvicorn", command, NO_READY_LINE, env=clean_environment(folder, **variables))

    def workers(self) -> list[int]:
        """The ids of the worker processes that started to serve."""
        serving = self.written.count("Application startup complete")
        return [int(found) for found in re.findall(r"Started server process \[(\d+)\]", self.written)][:serving]


@contextmanager
def run_workers(folder: Path, settings: dict[str, str], workers: int) -> Iterator[WorkerGroup]:
    with free_port() as port, WorkerGroup(folder, port, settings, workers) as group:
        yield group


def is_serving(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
