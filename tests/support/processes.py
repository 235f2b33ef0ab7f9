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
from types import TracebackType
from typing import Any, Self

import pytest

from contacts_mcp.directory import Directory, Location, PostgresServer

MAX_WAIT_SECONDS = 30.0
"""Seconds that tests wait at most for an event, also on a busy machine."""
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
    """A free port of this machine."""
    with free_ports(1) as (port,):
        yield port


API_KEY = "wayscloud_pat_test1_THISISASECRETTHATMUSTNEVERSHOW"
_OURS = ("CONTACTS_MCP_", "WAYSCLOUD_", "OTEL_")


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment without settings of the server, and with a new home folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), **variables}


class StdioServer:
    """`contacts-mcp serve` as a child, spoken to in lines; `options` are those of Popen."""

    def __init__(self, home: Path, *flags: str, options: dict[str, Any] | None = None, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contacts_mcp", "serve", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean_environment(home, **variables),
            **{"stderr": subprocess.PIPE, **(options or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def write_line(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read_line(self) -> bytes:
        assert self.process.stdout
        return self.process.stdout.readline()

    def end(self) -> tuple[bytes, bytes, float]:
        """Close standard input; return the rest of both outputs, and the seconds until the exit."""
        began = time.monotonic()
        out, err = self.process.communicate(timeout=20)
        return out, err, time.monotonic() - began

    def end_with(self, sent: signal.Signals) -> float:
        """Send a signal while standard input stays open; return the seconds until the exit."""
        began = time.monotonic()
        self.process.send_signal(sent)
        self.process.wait(10)
        return time.monotonic() - began


class ReadingStdioServer(StdioServer):
    """A stdio server whose standard error, and after `start_reading` also its answers, threads read all the time."""

    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        super().__init__(home, *flags, **variables)
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._errors: list[bytes] = []
        self._readers = [threading.Thread(target=self._read_errors), threading.Thread(target=self._read_answers)]
        self._readers[0].start()

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for reader in self._readers:
            if reader.ident:
                reader.join(MAX_WAIT_SECONDS)
        super().__exit__(*exc)

    def start_reading(self) -> Self:
        """Begin to read answers."""
        self._readers[1].start()
        return self

    def answer(self, identifier: Any) -> dict[str, Any]:
        """The answer to this request; messages before it are dropped. queue.Empty if it does not arrive in time."""
        return next(message for message in iter(self.next_answer, None) if message.get("id") == identifier)

    def next_answer(self) -> dict[str, Any]:
        """The next message. queue.Empty if none arrives in time."""
        return self._answers.get(timeout=MAX_WAIT_SECONDS)

    def finish(self) -> float:
        """Close standard input, and return the seconds until the exit."""
        began = time.monotonic()
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(MAX_WAIT_SECONDS)
        return time.monotonic() - began

    @property
    def stderr_text(self) -> str:
        """Standard error so far."""
        return b"".join(self._errors).decode()

    def _read_answers(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._answers.put(json.loads(line))

    def _read_errors(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self._errors.append(line)


def peak_memory(pid: int) -> int:
    """The peak memory of a process so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def processor_seconds(pid: int) -> float:
    """The processor time of a process and its threads."""
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
        self._log, self._ready = log, ready
        with log.open("ab") as out:  # some programs open it again by its name
            self.process = subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # so that its children can be killed with it
                **options,
            )

    def __enter__(self) -> Self:
        try:
            block_until(lambda: self._ready in self.written or self.process.poll() is not None, lambda: self.written)
            assert self.process.poll() is None, self.written
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    @property
    def written(self) -> str:
        """All of its output so far."""
        return self._log.read_text()

    def end(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal, and kill the process group if that does not end it; return the seconds it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(MAX_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(MAX_WAIT_SECONDS)
        return time.monotonic() - began


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
        return self.written.partition("listening on ")[2].partition("/mcp")[0]

    @property
    def port(self) -> int:
        """Its address on loopback."""
        return int(self.url.rpartition(":")[2])

    @property
    def metrics(self) -> str:
        """The address of the page for Prometheus, without the path; empty if there is none."""
        return self.written.partition("metrics on ")[2].partition("/metrics")[0]

    @property
    def trail(self) -> list[dict[str, Any]]:
        """The lines of the trail so far."""
        return [line for line in self.logged if line["logger"] == "contacts_mcp.trail"]

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The whole lines of the log so far."""
        return [json.loads(line) for line in self.written.splitlines() if line.startswith("{") and line.endswith("}")]


class HttpServer(ListeningServer):
    """`contacts-mcp serve --transport http`."""

    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        super().__init__(home, "contacts_mcp", "serve", "--transport", "http", "--port", "0", *flags, **variables)


def address_of(place: Location) -> str:
    """The location as an argument of the command line."""
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

    @property
    def url(self) -> str:
        """Its address."""
        found = re.search(r"listening on (http://[\d.]+:\d+)", self.written)
        assert found, self.written
        return found[1]


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
