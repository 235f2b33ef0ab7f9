"""Run an ASGI app in uvicorn: one process, one port. Knows nothing of the app."""

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from contacts_mcp.http_protocol import LimitedProtocol
from contacts_mcp.operating_system import handle_hangup_in_loop, raise_descriptor_limit

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: longer than a proxy keeps one, which would lose a POST otherwise."""
_SHUTDOWN_TIMEOUT_SECONDS = 4
"""How long connections may take to end after SIGTERM; the app ends them."""
_MAX_CONNECTIONS = 2_000
_SPARE_DESCRIPTORS = 300
"""For connections to the service, files, and a burst of connections before they are refused."""


def run(app: ASGIApp, listening: socket.socket, on_hangup: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; the event loop calls `on_hangup` for each SIGHUP."""
    descriptors = raise_descriptor_limit(_MAX_CONNECTIONS + _SPARE_DESCRIPTORS)  # one for each connection
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=min(_MAX_CONNECTIONS, descriptors - _SPARE_DESCRIPTORS),
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
            handle_hangup_in_loop(self._on_hangup)
        await super().startup(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is started: a port in use is an OSError in one line, and no traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as exc:
        raise OSError(exc.errno, f"cannot listen on {host}:{port}: {exc.strerror}") from None
