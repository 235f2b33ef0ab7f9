"""MCP clients over HTTP that cost little themselves: the requests are bytes on an open HTTP/1.1 connection."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

from common.api_samples import CONTACT_ID
from common.processes import LOOPBACK
from common.stdio_client import ENVELOPE, INITIALIZE, INITIALIZED, CallFailed, Era
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_END_OF_HEAD, _END_OF_CHUNKS = b"\r\n\r\n", b"0\r\n\r\n"
_ANSWER_TIMEOUT_SECONDS = 60.0

_FIRST_ID = 1_000_000
"""All ids have the same number of digits, so that all requests of a client have the same length."""
_GET_CONTACT = {"name": "get_contact", "arguments": {"contact_id": CONTACT_ID}}
_RESULT_MARK, _ERROR_MARK = b'"structuredContent"', b'"isError":true'


class ConnectionEnded(RuntimeError):
    """The server closed the connection before it answered."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response. A chunked body is left in its chunks."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header that occurs at most once."""
        match = re.search(rb"\r\n%b: *([^\r]+)" % name, self.head, re.IGNORECASE)
        return match[1] if match else None

    def require_status(self, status: int) -> None:
        """Raise CallFailed if this has another status."""
        if self.status != status:
            raise CallFailed(f"{self.status} instead of {status}: {self.body.decode(errors='replace')[:500]}")


class Connection(asyncio.Protocol):
    """A connection with at most one request in flight."""

    def __init__(self) -> None:
        self._received = b""
        self._pending: asyncio.Future[Response] | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to a port of this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, LOOPBACK, port)
        return connection

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return "{}:{}".format(*self._transport.get_extra_info("peername"))

    async def exchange(self, request: bytes) -> Response:
        """Send a request and wait for its response. Raises ConnectionEnded, or TimeoutError after 60 s."""
        loop = asyncio.get_running_loop()
        self._pending = loop.create_future()
        timer = loop.call_later(_ANSWER_TIMEOUT_SECONDS, self._fail, TimeoutError("no answer"))
        self._transport.write(request)
        try:
            return await self._pending
        finally:
            timer.cancel()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Resolve the pending request when its response is complete."""
        self._received += data
        response = _parse_complete(self._received)
        if response and self._pending and not self._pending.done():
            self._received = b""
            self._pending.set_result(response)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the pending request."""
        self._fail(ConnectionEnded(f"the connection ended: {exc or 'closed by the server'}"))

    def _fail(self, error: Exception) -> None:
        if self._pending and not self._pending.done():
            self._pending.set_exception(error)


def _parse_complete(received: bytes) -> Response | None:
    """Return the response if it is complete. Nothing follows it, since only one request is in flight."""
    head, end, body = received.partition(_END_OF_HEAD)
    if not end:
        return None
    length = _CONTENT_LENGTH.search(head)
    complete = len(body) >= int(length[1]) if length else not _CHUNKED.search(head) or body.endswith(_END_OF_CHUNKS)
    return Response(int(head[9:12]), head, body) if complete else None


class HttpClient:
    """Calls `get_contact` repeatedly. Connect it first."""

    def __init__(self, connection: Connection, era: Era) -> None:
        self._connection = connection
        self._era = era
        self._headers = {"MCP-Protocol-Version": LATEST_MODERN_VERSION}
        self._ids = count(_FIRST_ID)
        self._template = b""

    @classmethod
    async def open(cls, port: int, era: Era) -> "HttpClient":
        """Return a connected client on a new connection."""
        client = cls(await Connection.open(port), era)
        await client.connect()
        return client

    async def connect(self) -> None:
        """Prepare the call; in the legacy era, open a session first."""
        params: dict[str, Any] = _GET_CONTACT
        if self._era == "legacy":
            await self._open_session()
        else:
            self._headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "get_contact"}
            params = {**_GET_CONTACT, "_meta": ENVELOPE}
        request = self._encode_post({"jsonrpc": "2.0", "id": _FIRST_ID, "method": "tools/call", "params": params})
        self._template = request.replace(b"%", b"%%").replace(b"%d" % _FIRST_ID, b"%d")

    async def call(self) -> None:
        """Make one call. Raises CallFailed if the answer is not a contact."""
        response = await self._connection.exchange(self._template % next(self._ids))
        response.require_status(200)
        if _RESULT_MARK not in response.body or _ERROR_MARK in response.body:
            raise CallFailed(response.body.decode())

    async def end_session(self) -> None:
        """End the session."""
        (await self._connection.exchange(self._encode(b"DELETE", b""))).require_status(200)

    def close(self) -> None:
        """Close the connection without ending the session."""
        self._connection.close()

    async def _open_session(self) -> None:
        self._headers = {}
        initialize = {"jsonrpc": "2.0", "id": _FIRST_ID, "method": "initialize", "params": INITIALIZE}
        response = await self._connection.exchange(self._encode_post(initialize))
        response.require_status(200)
        session = response.header(b"mcp-session-id")
        if session is None:
            raise CallFailed("the server opened no session")
        self._headers = {"MCP-Protocol-Version": LATEST_HANDSHAKE_VERSION, "Mcp-Session-Id": session.decode()}
        (await self._connection.exchange(self._encode_post(INITIALIZED))).require_status(202)

    def _encode_post(self, message: dict[str, Any]) -> bytes:
        return self._encode(b"POST", json.dumps(message, separators=(",", ":")).encode())

    def _encode(self, method: bytes, body: bytes) -> bytes:
        headers = {
            "Host": self._connection.authority,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self._headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return method + b" /mcp HTTP/1.1\r\n" + head.encode() + b"\r\n" + body


@dataclass(frozen=True, slots=True)
class Throughput:
    """A number of calls, and how many seconds they took together."""

    calls: int
    seconds: float

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds


@asynccontextmanager
async def open_clients(port: int, era: Era, number: int) -> AsyncIterator[Sequence[HttpClient]]:
    """Yield connected clients of a server, each with its own connection.

    They connect one by one: one worker would take all connections that are opened at the same time.
    """
    clients = [await HttpClient.open(port, era) for _ in range(number)]
    try:
        yield clients
        if era == "legacy":
            await asyncio.gather(*(client.end_session() for client in clients))
    finally:
        for client in clients:
            client.close()


async def call_at_full_speed(clients: Sequence[HttpClient], seconds: float) -> Throughput:
    """Let each client make one call after the other for a number of seconds."""
    started = time.perf_counter()
    numbers = await asyncio.gather(*(_call_until(client, started + seconds) for client in clients))
    return Throughput(sum(numbers), time.perf_counter() - started)


async def _call_until(client: HttpClient, deadline: float) -> int:
    calls = 0
    while time.perf_counter() < deadline:
        await client.call()
        calls += 1
    return calls


async def call_at_rate(clients: Sequence[HttpClient], rate: float, seconds: float) -> Throughput:
    """Let the clients make `rate` calls per second in turn for a number of seconds."""
    started = time.perf_counter()
    times = [started + number / rate for number in range(int(rate * seconds))]
    await asyncio.gather(*(_call_at(client, times[turn :: len(clients)]) for turn, client in enumerate(clients)))
    return Throughput(len(times), time.perf_counter() - started)


async def _call_at(client: HttpClient, times: Sequence[float]) -> None:
    for due in times:
        await asyncio.sleep(due - time.perf_counter())
        await client.call()
