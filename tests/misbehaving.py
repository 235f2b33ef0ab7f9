"""A server on loopback that does to each request what the test's script says, and keeps what it was sent."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

KEY = "wayscloud_pat_abc12_Sup3rS3cretTail"
CONTACT_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
OTHER_ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
CONTACT = {"id": CONTACT_ID, "type": "person", "name": "Ola Nordmann", "tags": ["vip"]}


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


GuardedCall = Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(status=200, content=None, *, raw: bytes | None = None, headers=(), length: int | None = None) -> GuardedCall:
    """Answer with JSON `content` or `raw` bytes; a `length` other than the body's own is a lie."""
    body = raw if raw is not None else b"" if content is None else json.dumps(content).encode()

    async def action(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        if length is not None:
            writer.close()

    return action


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection once the request was read, without an answer."""
    writer.transport.abort()


async def silence(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.005)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Answer with 50 MB, whose length is not said."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(50):
        writer.write(b" " * 1_000_000)
        await writer.drain()
    writer.close()


class Misbehaving:
    """Does the actions of `script` in turn, the last one for ever."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.script: list[GuardedCall] = []
        self.seen: list[Seen] = []
        self.received = asyncio.Event()
        self.url = ""
        self._busy: set[asyncio.Task] = set()
        self._idle: set[asyncio.Task] = set()

    async def __aenter__(self):
        await self.listen()
        return self

    async def __aexit__(self, *exc):
        self.refuse()
        await self._break(self._busy)
        await self._server.wait_closed()

    async def listen(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def refuse(self) -> None:
        """Take no connections any more; those that are open stay."""
        self._server.close()

    async def break_idle(self) -> None:
        """Break the connections on which nothing is being answered."""
        await self._break(self._idle)

    async def break_busy(self) -> None:
        """Break those on which something is, which may be for ever."""
        await self._break(self._busy - self._idle)

    def answers(self, *script: GuardedCall) -> None:
        self.script = list(script)

    def action(self, seen: Seen) -> GuardedCall:
        """What is done to the request that came last."""
        return self.script[min(len(self.seen), len(self.script)) - 1]

    @property
    def methods(self) -> list[str]:
        return [seen.method for seen in self.seen]

    async def _meet(self, seen, writer):
        self.seen.append(seen)
        self.received.set()
        await self.action(seen)(writer)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._busy.add(task)
        try:
            while not writer.is_closing():
                self._idle.add(task)
                seen = await _request(reader)
                self._idle.discard(task)
                await self._meet(seen, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            self._busy.discard(task)
            self._idle.discard(task)
            writer.transport.abort()

    @staticmethod
    async def _break(tasks: set[asyncio.Task]) -> None:
        broken = tuple(tasks)
        for task in broken:
            task.cancel()
        await asyncio.gather(*broken, return_exceptions=True)


async def _request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Seen(method, path, headers, body)
