"""Run an ASGI app in uvicorn: one process, one port. Knows nothing of the app."""

import asyncio
import resource
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from contacts_mcp.http_protocol import LimitedProtocol

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: longer than a proxy keeps one, which would lose a POST otherwise."""
_SHUTDOWN_TIMEOUT_SECONDS = 4
"""How long connections may take to end after SIGTERM; the app ends them."""
_MAX_CONNECTIONS = 2_000
_SPARE_DESCRIPTORS = 300
"""For connections to the service, files, and a burst of connections before they are refused."""


def run(app: ASGIApp, listening: socket.socket, on_hangup: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; the event loop calls `on_hangup` for each SIGHUP."""
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
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
    _Server(config, on_hangup).run([listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_hangup: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_hangup = on_hangup

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._on_hangup:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_hangup)
        await super().startup(sockets)


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
