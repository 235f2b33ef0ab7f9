"""Real uvicorn and real sockets, for what only they show: times, connections and what is left on them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from waiting import until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Served:
    """A server in this event loop."""

    server: uvicorn.Server
    address: Any
    family: socket.AddressFamily

    @property
    def idle(self) -> bool:
        """No connection is open and no request is at work."""
        return not self.server.server_state.connections and not self.server.server_state.tasks

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(sock=await self.dial())

    async def dial(self, receive_buffer: int | None = None) -> socket.socket:
        """A bare connection, which nobody reads from by himself."""
        wire = socket.socket(self.family)
        if receive_buffer:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        wire.setblocking(False)
        await asyncio.get_running_loop().sock_connect(wire, self.address)
        return wire


class _Server(uvicorn.Server):
    """Leaves the signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: Any, path: Path | None = None, **config: Any) -> AsyncIterator[Served]:
    """`app` in uvicorn, on loopback or on the Unix socket `path`."""
    family = socket.AF_UNIX if path else socket.AF_INET
    with socket.socket(family) as listening:
        listening.bind(str(path) if path else ("127.0.0.1", 0))
        listening.listen(64)
        settings = {"ws": "none", "lifespan": "off", "log_config": None, "timeout_graceful_shutdown": 1, **config}
        server = _Server(uvicorn.Config(app, **settings))
        serving = asyncio.create_task(server.serve([listening]))
        address = listening.getsockname()
        try:
            await until(lambda: server.started or serving.done())
            yield Served(server, address, family)
        finally:
            server.should_exit = True
            await serving


async def silent(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether a connection stays open for so long without a word."""
    try:
        await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return True
    return False
