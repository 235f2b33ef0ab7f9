"""Real processes: the server as a host starts it, and a service over loopback HTTP."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

KEY = "wayscloud_pat_test1_THISISASECRETTHATMUSTNEVERSHOW"
_OURS = ("CONTACTS_MCP_", "WAYSCLOUD_")


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment without any setting of ours, with a home folder of the test's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), **variables}


class Server:
    """`contacts-mcp serve` as a child, spoken to in lines."""

    def __init__(self, home: Path, *flags: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contacts_mcp", "serve", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(home, **variables),
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


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of `contacts-mcp`, to its end, with no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "contacts_mcp", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(home, **variables),
        check=False,
    )


_SERVICE = """
import sys
from pathlib import Path
import uvicorn
from contacts_mcp.directory import Directory

app = Directory(Path(sys.argv[1])).app

async def keyed(scope, receive, send):
    headers = dict(scope.get("headers", ()))
    if scope["type"] == "http" and headers.get(b"x-api-key", b"").decode() != sys.argv[3]:
        body = b'{"error": {"code": "AUTH_FAILED", "message": "Invalid API key"}}'
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})
        return
    await app(scope, receive, send)

uvicorn.run(keyed, fd=int(sys.argv[2]), log_level="error", lifespan="off")
"""


@contextmanager
def service(folder: Path, key: str = KEY) -> Iterator[str]:
    """The Contacts API as a separate HTTP server on loopback that wants a key; yields its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        listening.set_inheritable(True)
        child = subprocess.Popen(
            [sys.executable, "-c", _SERVICE, str(folder / "service.db"), str(listening.fileno()), key],
            pass_fds=[listening.fileno()],
            env=clean_environment(folder),
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            child.terminate()
            child.wait(10)


def modern(identifier: int, method: str, **params: Any) -> dict[str, Any]:
    """A request of the 2026-07-28 era, which carries its own envelope."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": {**params, "_meta": meta}}
