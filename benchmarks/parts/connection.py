"""One HTTP/1.1 connection that stays open, written by hand: a client's own work must not be what is measured."""

import asyncio
import re
from dataclasses import dataclass
from typing import Self

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_END_OF_HEAD, _END_OF_CHUNKS = b"\r\n\r\n", b"0\r\n\r\n"
_ANSWER_WAIT = 60.0
"""Seconds for an answer to arrive."""


class ConnectionEnded(RuntimeError):
    """The server closed the connection before it had answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; a chunked body is left in its chunks."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, which has to occur at most once."""
        found = re.search(rb"\r\n%b: *([^\r]+)" % name, self.head, re.IGNORECASE)
        return found[1] if found else None


class Connection(asyncio.Protocol):
    """One request at a time, each waited for."""

    def __init__(self) -> None:
        self._received = b""
        self._awaited: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to a port of this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return connection

    @property
    def authority(self) -> str:
        """What the Host header has to say."""
        return "{}:{}".format(*self._transport.get_extra_info("peername"))

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for its answer. Raises ConnectionEnded, or TimeoutError after 60 s."""
        loop = asyncio.get_running_loop()
        self._awaited = loop.create_future()
        late = loop.call_later(_ANSWER_WAIT, self._end, TimeoutError("no answer"))
        self._transport.write(request)
        try:
            return await self._awaited
        finally:
            late.cancel()

    def close(self) -> None:
        """Leave without a word."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection that cannot be written to")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand the answer over when it is whole."""
        self._received += data
        answer = _complete(self._received)
        if answer and self._awaited and not self._awaited.done():
            self._received = b""
            self._awaited.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._end(ConnectionEnded(f"the connection ended: {exc or 'closed by the server'}"))

    def _end(self, error: Exception) -> None:
        if self._awaited and not self._awaited.done():
            self._awaited.set_exception(error)


def _complete(received: bytes) -> Answer | None:
    """The answer, where it is whole: one request is under way at a time, so nothing follows it."""
    head, end, body = received.partition(_END_OF_HEAD)
    if not end:
        return None
    length = _LENGTH.search(head)
    whole = len(body) >= int(length[1]) if length else not _CHUNKED.search(head) or body.endswith(_END_OF_CHUNKS)
    return Answer(int(head[9:12]), head, body) if whole else None
