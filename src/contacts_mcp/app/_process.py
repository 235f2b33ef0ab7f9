"""Keep a server process from running beside other workers without shared keys."""

import logging
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.operating_system import HAS_WORKERS, open_file, try_lock_number, user_id
from contacts_mcp.settings import Settings, env_name

_locks: list[int] = []
"""File descriptors that hold locks until the process ends."""


def require_shared_keys(settings: Settings, app: ASGIApp) -> ASGIApp:
    """Return an app that starts in only one worker process, unless the settings have keys that workers share.

    On Windows it always starts in only one. Another worker could not open the confirmations that the first one
    sealed. A second worker answers the ASGI lifespan with `startup.failed`: then the server stops, while after an
    exception it would start workers for ever.
    """
    if settings.state_keys and HAS_WORKERS:
        return app
    message = (
        f"a second worker needs {env_name('state_keys')}, because workers have to finish each other's confirmations; "
        "set it to a secret, for example from `openssl rand -hex 32`, or run one worker"
    )
    if not HAS_WORKERS:
        message = "several workers are supported on Linux and macOS, not on Windows; run one worker"

    async def start_once(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and _is_worker() and not _is_first_worker():
            await receive()
            await send({"type": "lifespan.startup.failed", "message": message})
            return
        await app(scope, receive, send)

    return start_once


def _is_worker() -> bool:
    """Whether an ASGI server may run this process with others: uvicorn and hypercorn spawn, gunicorn forks."""
    return multiprocessing.parent_process() is not None or "gunicorn.arbiter" in sys.modules


def _is_first_worker() -> bool:
    """Whether no other child of the same parent holds the lock; if it cannot be locked, assume there is none."""
    path = Path(tempfile.gettempdir()) / f"contacts-mcp-{user_id()}.lock"
    try:
        lock = open_file(path, os.O_RDWR | os.O_CREAT)
        is_first = try_lock_number(lock, os.getppid())
    except OSError as exc:
        logging.getLogger(__name__).warning("cannot tell whether this is the only worker (%s)", exc.strerror)
        return True
    _locks.append(lock)
    return is_first
