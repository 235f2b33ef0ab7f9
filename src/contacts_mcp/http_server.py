"""Run an ASGI app in uvicorn: one process, one port, and timeouts that uvicorn lacks. Knows nothing of the app."""

import asyncio
import math
import resource
import socket
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: longer than a proxy keeps one, which would lose a POST otherwise."""
_SHUTDOWN_TIMEOUT_SECONDS = 4
"""How long connections may take to end after SIGTERM; the app ends them."""
_MAX_CONNECTIONS = 2_000
_SPARE_DESCRIPTORS = 300
"""For connections to the service, files, and a burst of connections before they are refused."""
_MAX_HEAD_BYTES = 64 * 1024
"""Limit for the one of uvicorn's two parsers that has none."""
_TOO_SLOW = b"408 Request Timeout", b"too_slow: no complete request head arrived in time; send it at once"
_TOO_LARGE = b"431 Request Header Fields Too Large", b"too_large: the request head is too large; send fewer headers"


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        http=TimeoutProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=min(_MAX_CONNECTIONS, _raise_descriptor_limit() - _SPARE_DESCRIPTORS),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_SECONDS,
    )
    uvicorn.Server(config).run([listening])


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is started: a port in use is an OSError in one line, and no traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as exc:
        raise OSError(exc.errno, f"cannot listen on {host}:{port}: {exc.strerror}") from None


def _raise_descriptor_limit() -> int:
    """Take as many file descriptors as needed and allowed, one for each connection, and return their number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_CONNECTIONS + _SPARE_DESCRIPTORS
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


class _Timeouts(asyncio.Protocol):
    """Mixed into one of uvicorn's protocols: closes connections without a complete head, and peers that do not read.

    Everything but `cycle`, uvicorn's running request, is asyncio's own interface; the tests with real sockets notice
    if `cycle` changes.
    """

    head_seconds: float
    head_bytes: float
    stalled_seconds: float

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any

    _head_timer: asyncio.TimerHandle
    _stall_timer: asyncio.TimerHandle | None = None
    _received = 0
    _unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Every byte that the peer has not taken counts as unsent, not only what exceeds 64 KiB.
        self.transport.set_write_buffer_limits(high=0)
        _tune_socket(transport, self.stalled_seconds)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_timer.cancel()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_timer.cancel()
            self._received = 0
            return
        self._received += len(data)
        if self._received > self.head_bytes:
            self._refuse(*_TOO_LARGE)
        elif self._head_timer.cancelled():
            self._start_head_timer()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._refuse, *_TOO_SLOW)

    def _refuse(self, status: bytes, line: bytes) -> None:
        """Close the connection. A peer that has sent something reads why."""
        self._head_timer.cancel()
        if self.transport.is_closing():
            return
        if self._received:
            fields = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n" % len(line)
            self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, fields, line))
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stall_timer()

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()

    def _await_reader(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stop_stall_timer()
        self._stall_timer = self.loop.call_later(self.stalled_seconds, self._check_reader)

    def _check_reader(self) -> None:
        """Abort a peer that has not taken half of what waited for it: it may be slow, but not for ever."""
        if self.transport.get_write_buffer_size() > self._unsent // 2:
            self.transport.abort()
        else:
            self._await_reader()


def with_timeouts(
    protocol: type[asyncio.Protocol] = AutoHTTPProtocol, *, head_seconds: float = 10, stalled_seconds: float = 30
) -> type[asyncio.Protocol]:
    """One of uvicorn's HTTP/1 protocols that closes a connection which does not make progress.

    `head_seconds` is for a complete request head, from the start of the connection or the first byte after an answer;
    uvicorn's keep-alive time counts between requests. A peer that has not taken half of what waits for it within
    `stalled_seconds` is aborted, and with it its request.
    """
    # Only h11 tells a head from the rest of a refused body; the other parser counts both together.
    head_bytes = math.inf if issubclass(protocol, H11Protocol) else _MAX_HEAD_BYTES
    limits = {"head_seconds": head_seconds, "head_bytes": head_bytes, "stalled_seconds": stalled_seconds}
    return cast("type[asyncio.Protocol]", type("TimeoutProtocol", (_Timeouts, protocol), limits))


TimeoutProtocol = with_timeouts()
"""The protocol that uvicorn would choose, with the default timeouts: `uvicorn --http contacts_mcp.asgi:Http`."""


def _tune_socket(transport: asyncio.BaseTransport, user_timeout_seconds: float) -> None:
    """Set TCP options, if the connection is TCP."""
    wire = transport.get_extra_info("socket")
    if wire is None or wire.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    # No packet waits until the previous one is acknowledged, which would cost a single client 40 ms an answer. asyncio
    # sets this only if it sees that a socket is TCP, and not if it was given a listening socket.
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Drop a peer that does not acknowledge what it was sent. One that vanished would hold its stream for a quarter of
    # an hour otherwise.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(user_timeout_seconds * 1000))
