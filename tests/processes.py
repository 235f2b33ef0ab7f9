"""Real processes: the server as a host starts it, and a service over loopback HTTP."""

import asyncio
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from contacts_mcp.directory import Directory
from keyed import App, Keyed
from waiting import BOUND, block_until

KEY = "wayscloud_pat_test1_THISISASECRETTHATMUSTNEVERSHOW"
_OURS = ("CONTACTS_MCP_", "WAYSCLOUD_", "OTEL_")


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment without any setting of ours, with a home folder of the test's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), **variables}


class Server:
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

    def say(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def hear(self) -> bytes:
        assert self.process.stdout
        return self.process.stdout.readline()

    def end(self) -> tuple[bytes, bytes, float]:
        """Close standard input; the rest of both outputs, and the seconds it took to end."""
        began = time.monotonic()
        out, err = self.process.communicate(timeout=20)
        return out, err, time.monotonic() - began

    def end_by(self, sent: signal.Signals) -> float:
        """Send a signal while standard input stays open; the seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(sent)
        self.process.wait(10)
        return time.monotonic() - began


class Attended(Server):
    """The same with somebody who listens: no complaint waits in a pipe, nor an answer once `listen` was called."""

    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        super().__init__(home, *flags, **variables)
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._errors: list[bytes] = []
        self._ears = [threading.Thread(target=self._hear_errors), threading.Thread(target=self._hear_answers)]
        self._ears[0].start()

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for ear in self._ears:
            if ear.ident:
                ear.join(BOUND)
        super().__exit__(*exc)

    def listen(self) -> Self:
        """Begin to read answers."""
        self._ears[1].start()
        return self

    def answer(self, identifier: Any) -> dict[str, Any]:
        """The answer to this request; what is heard before it is forgotten. queue.Empty where it does not come."""
        return next(heard for heard in iter(self.next_answer, None) if heard.get("id") == identifier)

    def next_answer(self) -> dict[str, Any]:
        """What it says next. queue.Empty where that is nothing for long."""
        return self._answers.get(timeout=BOUND)

    def finish(self) -> float:
        """Close standard input, and wait; the seconds it took to end."""
        began = time.monotonic()
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(BOUND)
        return time.monotonic() - began

    @property
    def complaints(self) -> str:
        """Standard error so far."""
        return b"".join(self._errors).decode()

    def _hear_answers(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._answers.put(json.loads(line))

    def _hear_errors(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self._errors.append(line)


def peak_memory(pid: int) -> int:
    """The most bytes that a process has had in memory so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class Child:
    """A process whose output goes to a file: ready once a line says so, ended by its id and not by its name."""

    def __init__(self, log: Path, args: Sequence[str], ready: str, **options: Any) -> None:
        self._log, self._ready = log, ready
        with log.open("ab") as out:  # some open it once more by its name
            self.process = subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # so that nothing it starts is left where it has to be killed
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
        """End it as an operator would, and for good where it does not listen; the seconds that it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(BOUND)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(BOUND)
        return time.monotonic() - began


class Listening(Child):
    """A server of ours over HTTP, `python -m` and more, on a port that it chooses and names."""

    def __init__(self, home: Path, *module: str, cwd: Path | None = None, **variables: str) -> None:
        home.mkdir(exist_ok=True)
        environment = clean_environment(home, **variables)
        log = home / f"stderr-{time.monotonic_ns()}"
        super().__init__(log, [sys.executable, "-m", *module], "listening on", env=environment, cwd=cwd)

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return self.written.partition("listening on ")[2].partition("/mcp")[0]

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self.url.rpartition(":")[2])

    @property
    def metrics(self) -> str:
        """Where its page for Prometheus is, without the path; empty where there is none."""
        return self.written.partition("metrics on ")[2].partition("/metrics")[0]

    @property
    def trail(self) -> list[dict[str, Any]]:
        """The lines of the trail so far."""
        return [line for line in self.logged if line["logger"] == "contacts_mcp.trail"]

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The whole lines of the log so far."""
        return [json.loads(line) for line in self.written.splitlines() if line.startswith("{") and line.endswith("}")]


class Network(Listening):
    """`contacts-mcp serve --transport http`."""

    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        super().__init__(home, "contacts_mcp", "serve", "--transport", "http", "--port", "0", *flags, **variables)


@contextmanager
def service(folder: Path, key: str = KEY) -> Iterator[str]:
    """The Contacts API as an HTTP server on loopback that wants a key, in a thread; yields its address."""
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        async with Directory(folder / "service.db") as directory:

            async def app_of(given: str) -> App | None:
                return directory.app if given == key else None

            config = uvicorn.Config(Keyed(app_of), log_level="error", lifespan="off", timeout_graceful_shutdown=1)
            servers.append(uvicorn.Server(config))
            await servers[0].serve([listening])

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            while not servers and thread.is_alive():
                thread.join(0.01)
            servers[0].should_exit = True
            thread.join(10)


def modern(identifier: int, method: str, **params: Any) -> dict[str, Any]:
    """A request of the 2026-07-28 era, which carries its own envelope."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": {**params, "_meta": meta}}
