"""What uvicorn lacks: an end to connections that never finish a request head, and to peers that stopped reading.

A class made here is passed to uvicorn as `http`, which takes any asyncio protocol, or named on its command line:
`--http contacts_mcp.asgi:Http`. Everything but `cycle`, uvicorn's request at work, is asyncio's
own interface; the tests with real sockets notice where `cycle` goes.
"""

import asyncio
import math
import socket
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol

_LARGEST_HEAD = 64 * 1024
"""Bytes of a head, for the one of uvicorn's two parsers that has no limit of its own."""
_TOO_SLOW = b"408 Request Timeout", b"too_slow: no complete request head arrived in time; send it at once"
_TOO_LARGE = b"431 Request Header LogFields Too Large", b"too_large: the request head is too large; send fewer headers"


class _Alarm:
    """Calls something once, later, unless it is stopped."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, action: Callable[[], None]) -> None:
        self.stop()
        self._timer = self._loop.call_later(seconds, action)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_set(self) -> bool:
        return self._timer is not None


class _Watch(asyncio.Protocol):
    """Comes before one of uvicorn's protocols, and watches the time."""

    head_seconds: float
    head_bytes: float
    stalled_seconds: float

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any

    _heard = 0
    _unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Any byte that the peer leaves lying counts as unsent, not only what exceeds 64 KiB.
        self.transport.set_write_buffer_limits(high=0)
        _tune(transport, self.stalled_seconds)
        self._head, self._stall = _Alarm(self.loop), _Alarm(self.loop)
        self._head.start(self.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.stop()
        self._stall.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head.stop()
            self._heard = 0
            return
        self._heard += len(data)
        if self._heard > self.head_bytes:
            self._end(*_TOO_LARGE)
        elif not self._head.is_set:
            self._head.start(self.head_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._end(*_TOO_SLOW)

    def _end(self, status: bytes, line: bytes) -> None:
        """Close the connection. Whoever has said something is told why."""
        self._head.stop()
        if self.transport.is_closing():
            return
        if self._heard:
            fields = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n" % len(line)
            self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, fields, line))
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.stop()

    def _await_reader(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall.start(self.stalled_seconds, self._judge_reader)

    def _judge_reader(self) -> None:
        """Abort a peer that has not taken half of what waited for it: it may be slow, but not for ever."""
        if self.transport.get_write_buffer_size() > self._unsent // 2:
            self.transport.abort()
        else:
            self._await_reader()


def patient(
    protocol: type[asyncio.Protocol] = AutoHTTPProtocol, *, head_seconds: float = 10, stalled_seconds: float = 30
) -> type[asyncio.Protocol]:
    """One of uvicorn's HTTP/1 protocols that closes a connection which does not come to a request, or to an end.

    `head_seconds` is for a complete request head, from the start of the connection or the first byte after an answer;
    between requests uvicorn's keep-alive time counts. A peer that has not taken half of what waits for it within
    `stalled_seconds` is aborted, and with it its request.
    """
    # h11 tells a head from the rest of a body that was turned down; only without it are both counted together.
    head_bytes = math.inf if issubclass(protocol, H11Protocol) else _LARGEST_HEAD
    limits = {"head_seconds": head_seconds, "head_bytes": head_bytes, "stalled_seconds": stalled_seconds}
    return cast("type[asyncio.Protocol]", type("Patient", (_Watch, protocol), limits))


Patient = patient()
"""With the protocol that uvicorn itself would take, and the times by default."""


def _tune(transport: asyncio.BaseTransport, seconds: float) -> None:
    """Tell the kernel what TCP is to do here, where the connection is TCP."""
    wire = transport.get_extra_info("socket")
    if wire is None or wire.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    # No packet waits for the one before it to be acknowledged, which costs a lone client 40 ms an answer. asyncio does
    # so only where it sees that a socket is TCP, and not where a listening socket was handed to it.
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A peer that does not acknowledge, or does not take, what it was sent is dropped. One that vanished would hold its
    # stream for a quarter of an hour otherwise.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
