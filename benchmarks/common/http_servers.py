"""The servers that are measured over HTTP, each on its own port."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from common.processes import (
    API_KEY,
    BENCHMARKS,
    LOOPBACK,
    Child,
    ChildFailed,
    Memory,
    Program,
    iter_process_tree,
    read_cpu_seconds,
    read_memory,
    start,
)

_START_TIMEOUT_SECONDS = 60.0
_POLL_INTERVAL_SECONDS = 0.05
_SERVE = ("serve", "--transport", "http", "--port", "{port}")
_STATE_KEY = "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A server that accepts connections: one process, or a supervisor and its workers."""

    child: Child
    port: int

    def cpu_seconds(self) -> float:
        """Return the processor time that its processes have used so far."""
        return sum(read_cpu_seconds(pid) for pid in iter_process_tree(self.child.pid))

    def memory(self) -> Memory:
        """Return the memory that its first process holds at this moment."""
        return read_memory(self.child.pid)


def our_server(api_url: str) -> Program:
    """`contacts-mcp serve` with that API, as an operator starts it, but without a rate limit."""
    return Program("contacts_mcp", _SERVE, _environment(api_url))


def our_constant_server() -> Program:
    """The same with constant answers instead of an API."""
    return Program("common.constant_server", _SERVE, _environment(f"http://{LOOPBACK}"))


def bare_server(api_url: str) -> Program:
    """The bare server, which gets each contact from that API."""
    return Program("common.bare_server", ("{port}", api_url))


def bare_constant_server() -> Program:
    """The bare server with constant answers."""
    return Program("common.bare_server", ("{port}",))


def generated_server(api_url: str) -> Program:
    """The server that FastMCP generates, which gets each contact from that API."""
    return Program("common.generated_server", ("{port}", api_url), {"PYTHONPATH": str(BENCHMARKS.parent)})


def our_workers(api_url: str, count: int) -> Program:
    """Our server in `count` worker processes of uvicorn, with the HTTP protocol class that `serve` uses."""
    app = ("contacts_mcp.asgi:app", "--http", "contacts_mcp.asgi:Http")
    quiet = ("--log-level", "warning", "--no-access-log", "--timeout-keep-alive", "60")
    workers = ("--workers", str(count)) if count > 1 else ()
    return Program("uvicorn", (*app, "--port", "{port}", *quiet, *workers), _environment(api_url))


@contextmanager
def start_servers(*programs: Program) -> Iterator[Sequence[HttpServer]]:
    """Run the programs at the same time; yield when all accept connections."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_start_server(program)) for program in programs]
        for server in servers:
            _wait_until_listening(server)
        yield servers


@contextmanager
def _start_server(program: Program) -> Iterator[HttpServer]:
    port = _find_free_port()
    arguments = tuple(argument.format(port=port) for argument in program.arguments)
    with start(Program(program.module, arguments, program.environment)) as child:
        try:
            yield HttpServer(child, port)
        finally:
            child.terminate()


def _environment(api_url: str) -> dict[str, str]:
    return {
        "WAYSCLOUD_API_KEY": API_KEY,
        "WAYSCLOUD_API_URL": api_url,
        "CONTACTS_MCP_RATE": "0",
        "CONTACTS_MCP_MAX_CALLS": "64",
        "CONTACTS_MCP_STATE_KEYS": _STATE_KEY,
    }


def _find_free_port() -> int:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_listening(server: HttpServer) -> None:
    """Wait until the server accepts connections. Raises ChildFailed if it exits, or if 60 s pass."""
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        server.child.require_alive()
        try:
            socket.create_connection((LOOPBACK, server.port)).close()
        except ConnectionRefusedError:
            time.sleep(_POLL_INTERVAL_SECONDS)
        else:
            return
    raise ChildFailed(f"the server accepts no connections after {_START_TIMEOUT_SECONDS:g} s")
