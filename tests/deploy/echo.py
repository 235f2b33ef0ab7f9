"""Two plain HTTP servers that say what they were sent, for what nginx does with requests of any kind."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_BOUND = 15.0


@dataclass(frozen=True)
class Seen:
    """A request as a replica saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    source: tuple[str, int]
    """The connection that it came by."""


@dataclass
class Replica:
    """A server on loopback. `X-Do: hang-up` makes it close the connection unanswered, `X-Do: stream` send events."""

    port: int
    seen: list[Seen] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Set once the client of a stream is gone."""


@contextmanager
def replica(port: int) -> Iterator[Replica]:
    """Serve on a port of this machine, in threads."""
    self = Replica(port)

    class Handler(_Handler):
        replica = self

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield self
    finally:
        self.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    replica: Replica

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.replica.seen.append(Seen(self.command, self.path, headers, body, self.client_address))
        match headers.get("x-do"):
            case "hang-up":
                self.close_connection = True
            case "stream":
                self._stream()
            case _:
                self._reply({"replica": self.replica.port})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _reply(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-ID", "the replica's")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """One event, then nothing until the test says so, then another; and watch whether anybody is there."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.connection.settimeout(0.05)
        while not self.replica.go_on.is_set():
            try:
                if self.connection.recv(1) == b"":
                    self.replica.left.set()
                    return
            except TimeoutError:
                continue
        self.wfile.write(b"data: second\n\n")

    def log_message(self, *_args: object) -> None:
        """Nothing is written down."""
