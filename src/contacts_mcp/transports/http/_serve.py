"""Running the app in uvicorn: one process, one port."""

import socket

import uvicorn
from starlette.types import ASGIApp

from contacts_mcp.transports.http._patience import patient

_GRACEFUL_STOP = 4
"""Seconds after SIGTERM in which connections may end by themselves; the app makes them."""
_MOST_CONNECTIONS = 2_000
_KEEP_ALIVE = 75
"""Seconds that a connection may be idle between two requests: longer than a proxy keeps one, who would lose a POST."""


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        http=patient(),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACEFUL_STOP,
    )
    uvicorn.Server(config).run([listening])


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is started, so that a port in use is one line and no traceback.

    Raises:
        OSError: the address cannot be bound to.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        raise OSError(exc.errno, f"cannot listen on {host}:{port}: {exc.strerror}") from None
