"""The processes of a benchmark: how they are started, what they answer, and what the kernel reports about them."""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

BENCHMARKS = Path(__file__).parents[1]
API_KEY = "wayscloud_pat_bench_x"
LOOPBACK = "127.0.0.1"

_ANSWER_TIMEOUT_SECONDS = 30.0
_EXIT_TIMEOUT_SECONDS = 5.0
"""Seconds that a process may take to exit after its standard input was closed or it was terminated."""
_READ_BYTES = 1 << 20

_PROC = Path("/proc")
_FIRST_FIELD_AFTER_NAME = 2
"""In /proc/PID/stat, where the name before it may contain spaces; see proc(5)."""
_UTIME_FIELD, _STIME_FIELD = 13, 14


class ChildFailed(RuntimeError):
    """The process exited or did not answer in time. The message contains the end of its standard error."""


class Child:
    """A process with line-based standard input and output. Leaving its `with` block ends it.

    `environment` is complete: nothing is inherited. An inherited `PYTHONDONTWRITEBYTECODE`, for example, would make
    the process compile every module that it imports.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._unread = b""
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # so that it can be killed together with its own children
        )
        self._stdin = self._process.stdin
        self._stdout = self._process.stdout

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def write_line(self, line: bytes) -> None:
        """Write a line; `line` has no line end."""
        if self._stdin:
            self._stdin.write(line + b"\n")

    def read_line(self, timeout_seconds: float = _ANSWER_TIMEOUT_SECONDS) -> bytes:
        """Return the next line without its end. Raises ChildFailed if none arrives in time."""
        while b"\n" not in self._unread:
            self._unread += self._read(timeout_seconds)
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def resident_bytes(self) -> int:
        """Return the memory that the process holds at this moment."""
        status = (_PROC / str(self.pid) / "status").read_text("ascii")
        (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kilobytes) * 1024

    def require_alive(self) -> None:
        """Raise ChildFailed if the process has exited."""
        if self._process.poll() is not None:
            raise ChildFailed(f"the process exited: {self._error_output()}")

    def terminate(self) -> None:
        """Send SIGTERM. Leaving the `with` block waits for the exit."""
        self._process.terminate()

    def close_input(self) -> float:
        """Close standard input and wait for the exit; return the seconds that it took."""
        started = time.perf_counter()
        if self._stdin:
            self._stdin.close()
        self._process.wait(_EXIT_TIMEOUT_SECONDS)
        return time.perf_counter() - started

    def _read(self, timeout_seconds: float) -> bytes:
        if self._stdout is None or not select.select([self._stdout], [], [], timeout_seconds)[0]:
            raise ChildFailed(f"no answer within {timeout_seconds:g} s: {self._error_output()}")
        chunk = os.read(self._stdout.fileno(), _READ_BYTES)
        if not chunk:
            raise ChildFailed(f"the process exited: {self._error_output()}")
        return chunk

    def _error_output(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")[-2_000:] or "nothing on standard error"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close_input()
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_EXIT_TIMEOUT_SECONDS)
        if self._stdout:
            self._stdout.close()
        self._errors.close()


@dataclass(frozen=True, slots=True)
class Program:
    """A Python module with its arguments and environment variables, as a host would start it."""

    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


BARE_SERVER = Program("common.bare_server")
EMBEDDED_SERVER = Program("contacts_mcp", ("serve",))
"""Our server without a key, with the embedded directory in a new home."""


def platform_server(api_url: str) -> Program:
    """Our server with a key, which calls the API at `api_url`."""
    return Program("contacts_mcp", ("serve",), {"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": api_url})


@contextmanager
def start(program: Program, home: Path | None = None) -> Iterator[Child]:
    """Run the program in a new home, or in one where it has run before."""
    with nullcontext(str(home)) if home else tempfile.TemporaryDirectory() as home_path:
        environment = {"PATH": os.defpath, "HOME": home_path, "LANG": "C.UTF-8", **program.environment}
        with Child([sys.executable, "-m", program.module, *program.arguments], environment, BENCHMARKS) as child:
            yield child


@contextmanager
def start_api(*, delay_ms: float = 0, stores: bool = False) -> Iterator[str]:
    """Run `fake_api`, and yield its base URL. It keeps contacts if `stores`; otherwise its answers are constant."""
    with start(Program("common.fake_api", (str(delay_ms), *(["--store"] if stores else [])))) as child:
        yield f"http://{LOOPBACK}:{int(child.read_line())}"


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process in bytes.

    Attributes:
        resident: including pages that are read from files and may be shared with other processes.
        own: only pages that the process has written, so that it does not depend on which other processes run.
    """

    resident: int
    own: int


def iter_process_tree(pid: int) -> Iterator[int]:
    """Yield the ids of a process and its descendants."""
    yield pid
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        for child in children.read_text("ascii").split():
            yield from iter_process_tree(int(child))


def read_cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    fields = (_PROC / str(pid) / "stat").read_text("utf-8").rpartition(") ")[2].split()
    ticks = sum(int(fields[number - _FIRST_FIELD_AFTER_NAME]) for number in (_UTIME_FIELD, _STIME_FIELD))
    return ticks / os.sysconf("SC_CLK_TCK")


def read_memory(pid: int) -> Memory:
    """Return the memory that a process holds at this moment."""
    lines = (_PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(resident=1024 * kilobytes["Rss"], own=1024 * kilobytes["Private_Dirty"])
