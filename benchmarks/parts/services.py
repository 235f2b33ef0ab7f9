"""The servers of a run over HTTP, each on a port of its own."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import usage
from child import Child, ChildFailed
from connection import HOST
from launch import Program, started
from usage import Memory

_START_WAIT = 60.0
"""Seconds for a server to take connections."""
_POLL = 0.05
_SERVE = ("serve", "--transport", "http", "--port", "{port}")
_SECRET = "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True)
class Service:
    """A server that takes connections: one process, or a supervisor and its workers."""

    child: Child
    port: int

    def cpu_seconds(self) -> float:
        """Processor time that its processes have used by now."""
        return sum(usage.cpu_seconds(pid) for pid in usage.family(self.child.pid))

    def memory(self) -> Memory:
        """Memory of its first process at this moment."""
        return usage.memory(self.child.pid)


def ours(api: str) -> Program:
    """`contacts-mcp serve` over that API, as an operator starts it, but for the limits of one caller."""
    return Program("contacts_mcp", _SERVE, _settings(api))


def ours_constant() -> Program:
    """The same with constant answers instead of an API."""
    return Program("constant_app", _SERVE, _settings(f"http://{HOST}"))


def bare(api: str) -> Program:
    """The bare server, which gets each contact from that API."""
    return Program("bare_app", ("{port}", api))


def bare_constant() -> Program:
    """The bare server with constant answers."""
    return Program("bare_app", ("{port}",))


def workers(api: str, count: int) -> Program:
    """Ours in so many processes of uvicorn, with the HTTP protocol that `serve` gives it."""
    ours = ("contacts_mcp.asgi:app", "--http", "contacts_mcp.asgi:Http")
    quiet = ("--log-level", "warning", "--no-access-log", "--timeout-keep-alive", "60")
    many = ("--workers", str(count)) if count > 1 else ()
    return Program("uvicorn", (*ours, "--port", "{port}", *quiet, *many), _settings(api))


@contextmanager
def serving(*programs: Program) -> Iterator[Sequence[Service]]:
    """All of these at once, until the block is left."""
    with ExitStack() as stack:
        services = [stack.enter_context(_running(program)) for program in programs]
        for service in services:
            _await_listening(service)
        yield services


@contextmanager
def _running(program: Program) -> Iterator[Service]:
    port = _free_port()
    arguments = tuple(argument.format(port=port) for argument in program.arguments)
    with started(Program(program.module, arguments, program.settings)) as child:
        try:
            yield Service(child, port)
        finally:
            child.terminate()


def _settings(api: str) -> dict[str, str]:
    return {
        "WAYSCLOUD_API_KEY": "wayscloud_pat_bench_x",
        "WAYSCLOUD_API_URL": api,
        "CONTACTS_MCP_RATE": "0",
        "CONTACTS_MCP_MAX_CALLS": "64",
        "CONTACTS_MCP_STATE_KEYS": _SECRET,
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port


def _await_listening(service: Service) -> None:
    """Wait until the server takes connections. Raises ChildFailed where it ends instead, or takes 60 s."""
    until = time.monotonic() + _START_WAIT
    while time.monotonic() < until:
        service.child.require_alive()
        try:
            socket.create_connection((HOST, service.port)).close()
        except ConnectionRefusedError:
            time.sleep(_POLL)
        else:
            return
    raise ChildFailed(f"nothing listens after {_START_WAIT:g} s")
