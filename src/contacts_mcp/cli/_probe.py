"""Start a server as a host does, and ask it for its tools."""

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from contacts_mcp import __version__
from contacts_mcp.install import Launch

_PROTOCOL_VERSION = "2025-11-25"
_EXIT_SECONDS = 5.0
_MAX_LOG_LINES = 200

Message = dict[str, Any]


class ProbeFailed(Exception):
    """The server did not start, or did not answer; the message says why."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a host gets: the names of the tools for models, and the first line of the log, which names the backend."""

    tools: list[str]
    first_line: str


def probe(launch: Launch, environ: Mapping[str, str], home: Path, capabilities: Message, timeout: float) -> ProbeResult:
    """Start a server with exactly this environment, list its tools, and end it. Raises ProbeFailed.

    `timeout` is in seconds, for each of the two answers.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the command that the host runs, too
            [launch.command, *launch.args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environ, **launch.env},
            cwd=home,
        )
    except FileNotFoundError:
        where = "does not exist" if Path(launch.command).is_absolute() else "is not in the PATH of this host"
        raise ProbeFailed(f"the command {launch.command} {where}") from None
    except (OSError, ValueError) as exc:
        raise ProbeFailed(f"the command {launch.command} cannot be run ({exc})") from None
    with _Conversation(process, timeout) as server:
        client = {"name": "contacts-mcp doctor", "version": __version__}
        hello = {"protocolVersion": _PROTOCOL_VERSION, "capabilities": capabilities, "clientInfo": client}
        server.request(1, "initialize", hello)
        server.notify("notifications/initialized")
        tools = server.request(2, "tools/list", {}).get("tools", [])
        return ProbeResult([str(tool.get("name")) for tool in tools if _is_for_models(tool)], server.first_line)


def _is_for_models(tool: dict[str, Any]) -> bool:
    """Whether a host shows a tool to its model, and not only to the panel."""
    return bool(tool.get("_meta", {}).get("ui", {}).get("visibility") != ["app"])


class _Conversation:
    """Messages with a process, whose output is read by threads: also standard error, so that it never stops."""

    def __init__(self, process: "subprocess.Popen[bytes]", timeout: float) -> None:
        self._process, self._timeout = process, timeout
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._log: list[str] = []
        self._threads = [
            threading.Thread(target=self._read_messages, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._read_log, args=(process.stderr,), daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """End the process as a host does: close its standard input, then kill it."""
        assert self._process.stdin
        try:
            self._process.stdin.close()
            self._process.wait(_EXIT_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        for thread, pipe in zip(self._threads, (self._process.stdout, self._process.stderr), strict=True):
            thread.join(_EXIT_SECONDS)
            if pipe and not thread.is_alive():
                pipe.close()

    @property
    def first_line(self) -> str:
        return self._log[0] if self._log else ""

    def request(self, identifier: int, method: str, params: Message) -> Message:
        """Send a request and return its result. Raises ProbeFailed."""
        self._send({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})
        while True:
            try:
                line = self._messages.get(timeout=self._timeout)
            except queue.Empty:
                raise ProbeFailed(f"no answer to {method} within {self._timeout:.0f} seconds") from None
            if line is None:
                raise ProbeFailed(self._end())
            try:
                message = json.loads(line)
            except ValueError:
                raise ProbeFailed("it writes other text than messages to standard output") from None
            if isinstance(message, dict) and message.get("id") == identifier:
                if "result" not in message:
                    raise ProbeFailed(f"it answers {method} with an error")
                return dict(message["result"])

    def notify(self, method: str) -> None:
        self._send({"jsonrpc": "2.0", "method": method})

    def _send(self, message: Message) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:  # it has ended; its output says why
            return

    def _end(self) -> str:
        """Say how the process has ended, with the last line that it logged."""
        self._process.wait(self._timeout)
        self._threads[1].join(_EXIT_SECONDS)
        last = f": {self._log[-1]}" if self._log else ""
        return f"it ends with code {self._process.returncode}{last}"

    def _read_messages(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._messages.put(line)
        self._messages.put(None)

    def _read_log(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode(errors="replace").strip()
            if text and len(self._log) < _MAX_LOG_LINES:
                self._log.append(text)
