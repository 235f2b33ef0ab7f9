"""Real processes: our servers, Redis, the ports they listen on, and bounded waits for what they do."""

import asyncio
import json
import math
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from contacts_mcp.directory import Directory, Location, PostgresServer

MAX_WAIT_SECONDS = 30.0
"""Seconds that tests wait at most for an event, also on a busy machine."""
NO_READY_LINE = ""
"""Do not wait for a line that says that the process is ready."""
_PAUSE = 0.01
_TRIES = 3


async def wait_until(happened: Callable[[], object], what: str = "it did not happen") -> None:
    """Wait while the event loop runs; AssertionError with `what` if it does not happen in time."""
    for _ in _looks(happened, what):
        await asyncio.sleep(_PAUSE)


def block_until(happened: Callable[[], object], what: str | Callable[[], str] = "it did not happen") -> None:
    """Wait without an event loop; `what` may be a function, for a message that is known only then."""
    for _ in _looks(happened, what):
        time.sleep(_PAUSE)


def shortest(measure: Callable[[], float], limit: float) -> float:
    """The first of three measurements that is below `limit`, or else the shortest: a busy machine only adds to them."""
    seconds = math.inf
    for _ in range(_TRIES):
        seconds = min(seconds, measure())
        if seconds < limit:
            break
    return seconds


def _looks(happened: Callable[[], object], what: str | Callable[[], str]) -> Iterator[None]:
    limit = time.monotonic() + MAX_WAIT_SECONDS
    while not happened():
        assert time.monotonic() < limit, what if isinstance(what, str) else what()
        yield


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Free ports of this machine, reserved meanwhile; a server that reuses addresses may listen on them."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]


@contextmanager
def free_port() -> Iterator[int]:
    with free_ports(1) as (port,):
        yield port


API_KEY = "wayscloud_pat_test1_THISISASECRETTHATMUSTNEVERSHOW"
_OURS = ("CONTACTS_MCP_", "WAYSCLOUD_", "OTEL_", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME")
_NO_KEYCHAIN = "keyring.backends.fail.Keyring"


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment without settings of the server, and with a new home folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    ours = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHON_KEYRING_BACKEND": _NO_KEYCHAIN}
    return {**kept, **ours, **variables}


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def processor_seconds(pid: int) -> float:
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessResources:
    """The resources of a process: anonymous memory in KiB, open descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Self:
        process = Path(f"/proc/{pid}")
        sizes = dict(line.split(":") for line in (process / "smaps_rollup").read_text().splitlines()[1:])
        descriptors, threads = (len(list((process / kind).iterdir())) for kind in ("fd", "task"))
        return cls(int(sizes["Anonymous"].split()[0]), descriptors, threads)

    def grown(self, now: Self, kibibytes: float, tolerance: int) -> list[str]:
        """What has grown by more than `kibibytes` of memory, or by more than `tolerance` descriptors or threads."""
        is_grown = now.memory > self.memory + kibibytes
        is_grown |= max(now.descriptors - self.descriptors, now.threads - self.threads) > tolerance
        return [f"{self} became {now}"] if is_grown else []


class ChildProcess:
    """A process whose output goes to a file: ready once a line says so, ended by its id and not by its name."""

    def __init__(self, log: Path, args: Sequence[str], ready: str, **options: Any) -> None:
        self.log, self._ready = log, ready
        with log.open("ab") as out:  # some programs open it again by its name
            self.process = subprocess.Popen(
                args,
                start_new_session=True,  # so that its children can be killed with it
                **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **options},
            )

    def __enter__(self) -> Self:
        try:
            block_until(lambda: self._ready in self.written or self.process.poll() is not None, lambda: self.written)
            assert self.process.poll() is None, self.written
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    @property
    def written(self) -> str:
        """All of its output so far."""
        return self.log.read_text()

    def end(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal, and kill the process group if that does not end it; return the seconds it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(MAX_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_all()
        return time.monotonic() - began

    def kill_all(self) -> None:
        """Kill the process and its children, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(MAX_WAIT_SECONDS)


class StdioServer(ChildProcess):
    """`contacts-mcp serve`, spoken to in lines; `written` is its standard error. `options` are those of Popen."""

    def __init__(self, home: Path, *flags: str, options: dict[str, Any] | None = None, **variables: str) -> None:
        home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "contacts_mcp", "serve", *flags]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": clean_environment(home, **variables)}
        super().__init__(home / f"stderr-{time.monotonic_ns()}", command, NO_READY_LINE, **pipes, **(options or {}))
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_answers)

    def __exit__(self, *exc: object) -> None:
        self.end(signal.SIGKILL)
        if self._reader.ident:
            self._reader.join(MAX_WAIT_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def write_line(self, line: bytes) -> None:
        self.write(line + b"\n")

    def read_line(self) -> bytes:
        assert self.process.stdout
        return self.process.stdout.readline()

    def close_input(self) -> tuple[bytes, float]:
        """Close standard input; return the rest of the output if no thread reads it, and the seconds until the exit."""
        began = time.monotonic()
        assert self.process.stdin
        self.process.stdin.close()
        rest = b"" if self._reader.ident else self.process.stdout.read()
        self.process.wait(MAX_WAIT_SECONDS)
        return rest, time.monotonic() - began

    def start_reading(self) -> None:
        self._reader.start()

    def answer(self, identifier: Any) -> dict[str, Any]:
        """The answer to this request; messages before it are dropped. queue.Empty if it does not arrive in time."""
        return next(message for message in iter(self.next_answer, None) if message.get("id") == identifier)

    def next_answer(self) -> dict[str, Any]:
        """The next message. queue.Empty if none arrives in time."""
        return self._answers.get(timeout=MAX_WAIT_SECONDS)

    def _read_answers(self) -> None:
        for line in iter(self.read_line, b""):
            self._answers.put(json.loads(line))


class ListeningServer(ChildProcess):
    """A server over HTTP, run with `python -m`, on a port that it chooses and logs."""

    def __init__(self, home: Path, *module: str, cwd: Path | None = None, **variables: str) -> None:
        home.mkdir(exist_ok=True)
        environment = clean_environment(home, **variables)
        log = home / f"stderr-{time.monotonic_ns()}"
        super().__init__(log, [sys.executable, "-m", *module], "listening on", env=environment, cwd=cwd)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        found = re.search(r"listening on (http://[\d.]+:\d+)", self.written)
        assert found, self.written
        return found[1]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def metrics(self) -> str:
        """The address of the page for Prometheus, without the path; empty if there is none."""
        return self.written.partition("metrics on ")[2].partition("/metrics")[0]

    @property
    def trail(self) -> list[dict[str, Any]]:
        return [line for line in self.logged if line["logger"] == "contacts_mcp.trail"]

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.splitlines() if line.startswith("{") and line.endswith("}")]


class HttpServer(ListeningServer):
    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        super().__init__(home, "contacts_mcp", "serve", "--transport", "http", "--port", "0", *flags, **variables)


def address_of(place: Location) -> str:
    return (
        place.url.replace("postgresql+asyncpg://", "postgresql://") if isinstance(place, PostgresServer) else str(place)
    )


def make_keys(place: Location, *tenants: str, scopes: Sequence[str] = ("read", "write")) -> list[str]:
    """A key for each of the tenants; for tests that have no event loop."""

    async def make() -> list[str]:
        async with Directory(place) as directory:
            return [(await directory.create_key("test", tenant, scopes))[0] for tenant in tenants]

    return asyncio.run(make())


class ContactsService(ListeningServer):
    """The service, on a port that it chooses and names."""

    def __init__(self, home: Path, place: Location, *flags: str, **variables: str) -> None:
        where = ("--directory", address_of(place), "--port", "0")
        super().__init__(home, "contacts_mcp", "directory", "serve", *where, *flags, **variables)


_REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(_REDIS is None, reason="redis-server is not installed")


@contextmanager
def run_redis(port: int, *options: str) -> Iterator[ChildProcess]:
    """Run an empty Redis on a port of this machine, with additional `options`."""
    assert _REDIS is not None
    with tempfile.TemporaryDirectory() as folder:
        where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", folder)
        command = [_REDIS, *where, "--save", "", "--appendonly", "no", *options]
        with ChildProcess(Path(folder) / "log", command, "Ready to accept connections") as server:
            yield server
