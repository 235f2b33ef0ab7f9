"""A uvicorn server in the running event loop, for a few connections from this computer."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from contacts_mcp.http_protocol import LimitedProtocol

_MAX_CONNECTIONS = 20
_KEEP_ALIVE_SECONDS = 5


class LoopbackServer:
    """Serves an app on a listening socket until `stop`."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        self.port: int = listening.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listening]))

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        self._server.should_exit = self._server.force_exit = True
        await asyncio.wait({self._task})


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which serves a host."""
        yield
