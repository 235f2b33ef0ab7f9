"""Running the app in uvicorn: one process, one port."""

import resource
import socket

import uvicorn
from starlette.types import ASGIApp

from contacts_mcp.transports.http._patience import patient

_GRACEFUL_STOP = 4
"""Seconds after SIGTERM in which connections may end by themselves; the app makes them."""
_MOST_CONNECTIONS = 2_000
_SPARE_DESCRIPTORS = 300
"""For connections upstream, files, and a burst of connections before they are turned down."""
_KEEP_ALIVE = 75
"""Seconds that a connection may be idle between two requests: longer than a proxy keeps one, who would lose a POST."""


def run(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    descriptors = _all_descriptors()
    config = uvicorn.Config(
        app,
        http=patient(),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=min(_MOST_CONNECTIONS, descriptors - _SPARE_DESCRIPTORS),
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACEFUL_STOP,
    )
    uvicorn.Server(config).run([listening])


def _all_descriptors() -> int:
    """Take as many descriptors as the system lets us, and tell how many: each connection needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE_DESCRIPTORS
    if soft < wanted:
        soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is started, so that a port in use is one line and no traceback.

    Raises:
        OSError: the address cannot be bound to.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as exc:
        raise OSError(exc.errno, f"cannot listen on {host}:{port}: {exc.strerror}") from None
