"""HTTP/1.1 in uvicorn, with limits that it lacks: of sizes, times, connections, and the work of one event loop turn."""

import asyncio
import re
import socket
from typing import Any, cast

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEADERS = 100
MAX_HEAD_BYTES = 32 * 1024
_MAX_CHUNKS = 20_000
"""Chunks of one body. Each costs the parser as much as a small header, whatever is in it."""
_MAX_FRAMING_BYTES = 4 * 1024
"""Limit for what is no content of a chunked body: the line before a chunk, or the trailers."""
_SLICE_BYTES = 4 * 1024
"""How much of one connection is parsed in one turn of the event loop: at most 10 ms of work."""
_BLANK_LINE = re.compile(rb"\n\r?\n")

_Reason = tuple[bytes, bytes]
"""The status and the text of an answer that the protocol gives itself."""
_TOO_SLOW = b"408 Request Timeout", b"too_slow: no complete request head arrived in time; send it at once"
_TOO_MANY_CHUNKS = b"413 Content Too Large", b"too_large: the body has too many chunks; send fewer and larger chunks"
_TOO_LARGE = (
    b"431 Request Header Fields Too Large",
    b"too_large: the request has more than %d header lines or %d KiB before its body; send fewer or shorter headers"
    % (MAX_HEADERS, MAX_HEAD_BYTES // 1024),
)
_TOO_LARGE_FRAME = (
    b"431 Request Header Fields Too Large",
    b"too_large: the trailers or chunk extensions are too large; leave them out",
)
_INVALID = b"400 Bad Request", b"invalid: this is not a valid HTTP/1.1 request; correct it"
_BUSY = b"503 Service Unavailable", b"busy: too many connections are open; send the request again"


class _Parser(h11.Connection):
    """Counts what the peer sends before it parses it. `refusal` says why it raised RemoteProtocolError."""

    refusal: _Reason = _INVALID
    _chunks = 0

    def next_event(self) -> Any:
        """Return the next event. Also raises RemoteProtocolError if a head or the frame of a body is too large."""
        if self.their_state is h11.IDLE:
            self._chunks = 0
            if not _is_small_head(self.trailing_data[0]):
                self._refuse(_TOO_LARGE)
        event = super().next_event()
        if isinstance(event, h11.Data) and event.chunk_start:
            self._chunks += 1
            if self._chunks > _MAX_CHUNKS:
                self._refuse(_TOO_MANY_CHUNKS)
        is_in_body = event is h11.NEED_DATA and self.their_state is h11.SEND_BODY
        if is_in_body and len(self.trailing_data[0]) > _MAX_FRAMING_BYTES:
            self._refuse(_TOO_LARGE_FRAME)
        return event

    def _refuse(self, reason: _Reason) -> None:
        self.refusal = reason
        raise h11.RemoteProtocolError("a limit was exceeded")


def _is_small_head(received: bytes) -> bool:
    """Whether the head at the start of `received` is within the limits, as far as it has arrived."""
    end = _BLANK_LINE.search(received, 0, MAX_HEAD_BYTES)
    if end is None and len(received) >= MAX_HEAD_BYTES:
        return False
    line_feeds = received.count(b"\n", 0, end.start() + 1 if end else len(received))
    return line_feeds - 1 <= MAX_HEADERS  # the first line is no header


class _Reading(FlowControl):
    """Also stops reading while received bytes wait to be parsed, whether the app wants more or not."""

    _is_held = False

    def hold(self) -> None:
        self._is_held = True
        self._transport.pause_reading()

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            if not self.read_paused and not self._transport.is_closing():
                self._transport.resume_reading()

    def resume_reading(self) -> None:
        if self._is_held:
            self.read_paused = False
        else:
            super().resume_reading()


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol over h11: `uvicorn --http contacts_mcp.asgi:Http`.

    A head has at most MAX_HEADERS lines and MAX_HEAD_BYTES. It is complete within `head_seconds`, from the start of the
    connection or the first byte after an answer; uvicorn's keep-alive time counts between requests. A peer that has not
    taken half of what waits for it within `stalled_seconds` is aborted, and with it its request. If uvicorn's
    `limit_concurrency` is reached, a new connection replaces the one that has waited for its peer for longest.

    It uses uvicorn's `conn`, `cycle`, `flow` and `connections`; the tests with real sockets notice if these change.
    uvicorn's other parser, httptools, counts nothing before it has parsed everything.
    """

    head_seconds = 10.0
    stalled_seconds = 30.0

    conn: _Parser
    _head_timer: asyncio.TimerHandle
    _stall_timer: asyncio.TimerHandle | None = None
    _unsent = 0
    _is_unanswered = False
    """Whether bytes of a request have arrived that has no answer yet."""
    waiting_since = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Parser(h11.SERVER, MAX_HEAD_BYTES)
        self._unparsed = bytearray()
        self._max_connections = self.limit_concurrency
        if self.limit_concurrency is not None:  # uvicorn also counts requests whose connection was closed to make room
            self.limit_concurrency *= 2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._make_room()
        super().connection_made(cast("asyncio.Transport", transport))
        self.flow = self._reading = _Reading(self.transport)
        # Every byte that the peer has not taken counts as unsent, not only what exceeds 64 KiB.
        self.transport.set_write_buffer_limits(high=0)
        _tune_socket(transport, self.stalled_seconds)
        self.waiting_since = self.loop.time()
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._head_timer.cancel()
        self._stop_stall_timer()
        self._unparsed.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a part of the data now, and the rest later: in between, the requests of others are served."""
        is_new, self._is_unanswered = not self._is_unanswered, True
        if is_new and self._is_full():
            self.refuse(*_BUSY)
            return
        is_parsing = bool(self._unparsed)
        self._unparsed += data
        if is_parsing:
            self._reading.hold()
        else:
            self._parse()

    def _parse(self) -> None:
        part = bytes(self._unparsed[:_SLICE_BYTES])
        del self._unparsed[:_SLICE_BYTES]
        if part and not self.transport.is_closing():
            super().data_received(part)
            self._watch_head()
        self._parse_later()

    def _parse_later(self) -> None:
        if not self._unparsed or self.transport.is_closing():
            self._unparsed.clear()
            self._reading.release()
            return
        self._reading.hold()
        # Pipelined requests wait for the answer to the request before them, see `on_response_complete`.
        if self.conn.their_state is not h11.DONE:
            self.loop.call_soon(self._parse)

    def on_response_complete(self) -> None:  # noqa: D102
        self._is_unanswered, self.waiting_since = False, self.loop.time()
        is_pipelined = self.conn.their_state is h11.DONE
        super().on_response_complete()
        if is_pipelined and self._unparsed:
            self._parse_later()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002, D102 - uvicorn's text does not say what is wrong
        self._is_unanswered = True
        self.refuse(*self.conn.refusal)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch_head(self) -> None:
        if self._is_answering():
            self._head_timer.cancel()
        elif self._head_timer.cancelled():
            self._start_head_timer()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self.refuse, *_TOO_SLOW)

    def refuse(self, status: bytes, line: bytes) -> None:
        """Close the connection. A peer that has sent a part of a request reads why, unless its answer has begun."""
        self._head_timer.cancel()
        if self.transport.is_closing():
            return
        if self._is_unanswered and not (self._is_answering() and self.cycle.response_started):
            fields = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n" % len(line)
            self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, fields, line))
        self.transport.close()

    def _make_room(self) -> None:
        """Close the connection that has waited for its peer for longest, if one more would be too many."""
        if not self._is_full(1):
            return
        waiting = [each for each in self.connections if isinstance(each, LimitedProtocol) and each.waits_for_peer()]
        if waiting:
            oldest = min(waiting, key=lambda each: each.waiting_since)
            self.connections.discard(oldest)
            oldest.refuse(*_BUSY)

    def _is_full(self, more: int = 0) -> bool:
        """Whether there are too many connections, with so many more."""
        return self._max_connections is not None and len(self.connections) + more >= self._max_connections

    def waits_for_peer(self) -> bool:
        """Whether the connection is idle, or the rest of a request is still to come."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def pause_writing(self) -> None:  # noqa: D102
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:  # noqa: D102
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
    if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:  # on Linux
        wire.setsockopt(socket.IPPROTO_TCP, option, int(user_timeout_seconds * 1000))
