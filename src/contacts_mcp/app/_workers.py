"""Several worker processes of one ASGI server: they have to share the keys that seal confirmations."""

import fcntl
import logging
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.settings import Settings, variable

_held: list[int] = []
"""Descriptors of locks, which last as long as the process."""


def require_shared_keys(settings: Settings, app: ASGIApp) -> ASGIApp:
    """Let the first worker of an ASGI server start `app` without shared keys, and none beside it.

    What one worker seals another could not open. A second one says so when the server starts it up, after any fork,
    in the way in which an app tells that it never will start: the server stops, where it would try again for ever
    after an exception.
    """
    if settings.state_keys:
        return app
    line = (
        f"a second worker needs {variable('state_keys')}: confirmations that one began the other could not finish; "
        "set it to a secret such as `openssl rand -hex 32` prints, or run one worker"
    )

    async def first_alone(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and _is_worker() and not _is_first():
            await receive()
            await send({"type": "lifespan.startup.failed", "message": line})
            return
        await app(scope, receive, send)

    return first_alone


def _is_worker() -> bool:
    """Whether an ASGI server runs this process beside others: uvicorn and hypercorn spawn, gunicorn forks."""
    return multiprocessing.parent_process() is not None or "gunicorn.arbiter" in sys.modules


def _is_first() -> bool:
    """Whether no other child of the same parent holds the lock; where it cannot be told, each says so."""
    place = Path(tempfile.gettempdir()) / f"contacts-mcp-{os.getuid()}.lock"
    try:
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, os.getppid())  # one byte of it for each parent
    except BlockingIOError:
        return False
    except OSError as exc:
        logging.getLogger(__name__).warning("whether this is the only worker cannot be told (%s)", exc.strerror)
        return True
    _held.append(lock)
    return True
