"""The MCP servers that are measured: how each is started on the directory of a task."""

import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import uvicorn
from fastmcp.client.transports import StdioTransport

from contacts_mcp.directory import Directory
from contacts_mcp.http_server import listen
from evals.places import Place

_LOOPBACK = "127.0.0.1"
_BASELINE = Path(__file__).parent / "baseline" / "server.py"


@dataclass(frozen=True, slots=True)
class Server:
    """A server over stdio.

    Words of the command and values of the environment may contain `{directory}` (the directory's SQLite file),
    `{files}` (the folder with the task's files), `{audit}` (a file for the audit trail), and `{url}` and `{key}` (the
    address and the API key of the directory over HTTP, as a Contacts API, which then runs during the task).
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def uses(self, value: str) -> bool:
        """Whether the command or the environment contains the placeholder of a value."""
        return any(f"{{{value}}}" in text for text in (*self.command, *self.environment.values()))


CONTACTS_MCP = Server(
    "contacts-mcp",
    (
        *(sys.executable, "-m", "contacts_mcp", "serve", "--directory", "{directory}", "--files", "{files}"),
        *("--audit", "{audit}", "--default-region", "NO"),
    ),
)
BASELINE = Server(
    "fastmcp-openapi", (sys.executable, str(_BASELINE)), {"CONTACTS_API_URL": "{url}", "CONTACTS_API_KEY": "{key}"}
)
"""FastMCP's tools, generated from the OpenAPI document of the API."""
_KNOWN = {server.name: server for server in (CONTACTS_MCP, BASELINE)}


def parse_server(command: str, environment: Sequence[str] = ()) -> Server:
    """Return a known server by its name, or the server that a command starts, with variables as NAME=VALUE."""
    if command in _KNOWN:
        return _KNOWN[command]
    words = shlex.split(command)
    return Server(Path(words[0]).name, words, dict(each.split("=", 1) for each in environment))


@asynccontextmanager
async def transport_to(server: Server, place: Place) -> AsyncIterator[StdioTransport]:
    """Yield a transport that starts the server, and serve the directory over HTTP if the server needs that."""
    values = {"directory": place.directory, "files": place.files, "audit": place.audit}
    if server.uses("url"):
        async with _serve(place.directory) as (url, key):
            yield _transport(server, place, {**values, "url": url, "key": key})
    else:
        yield _transport(server, place, values)


def _transport(server: Server, place: Place, values: Mapping[str, object]) -> StdioTransport:
    command, *args = (_fill(word, values) for word in server.command)
    own = {name: _fill(value, values) for name, value in server.environment.items()}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(place.folder), "LANG": "C.UTF-8", **own}
    return StdioTransport(
        command, args, environment, str(place.folder), keep_alive=False, log_file=place.folder / "stderr.log"
    )


def _fill(text: str, values: Mapping[str, object]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the runner."""
        yield


@asynccontextmanager
async def _serve(path: Path) -> AsyncIterator[tuple[str, str]]:
    """Serve a directory over HTTP, and yield its address and an API key."""
    async with Directory(path, create=False, keys=True, rate=0) as directory:
        key, _ = await directory.create_key("evals")
        listening = listen(_LOOPBACK, 0)
        server = _Server(uvicorn.Config(directory.app, lifespan="off", log_config=None, access_log=False))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listening])
            yield f"http://{_LOOPBACK}:{listening.getsockname()[1]}", key
            server.should_exit = True
