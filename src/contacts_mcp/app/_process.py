"""Keep a server process from writing core dumps, and from running beside other workers without shared keys."""

import fcntl
import logging
import multiprocessing
import os
import resource
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.settings import Settings, env_name

_COREDUMP_FILTER = Path("/proc/self/coredump_filter")
_locks: list[int] = []
"""File descriptors that hold locks until the process ends."""


def forbid_core_dumps() -> None:
    """Disable core dumps for this process and its children: they would contain keys and contacts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # only on Linux, where the limit does not stop dumps that are piped to a program
        _COREDUMP_FILTER.write_text("0")  # no memory mappings


def require_shared_keys(settings: Settings, app: ASGIApp) -> ASGIApp:
    """Return an app that starts in only one worker process, unless the settings have keys that workers share.

    Another worker could not open the confirmations that the first one sealed. A second worker answers the ASGI
    lifespan with `startup.failed`: then the server stops, while after an exception it would start workers for ever.
    """
    if settings.state_keys:
        return app
    message = (
        f"a second worker needs {env_name('state_keys')}, because workers have to finish each other's confirmations; "
        "set it to a secret, for example from `openssl rand -hex 32`, or run one worker"
    )

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
    path = Path(tempfile.gettempdir()) / f"contacts-mcp-{os.getuid()}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, os.getppid())  # one byte per parent process
    except BlockingIOError:
        return False
    except OSError as exc:
        logging.getLogger(__name__).warning("cannot tell whether this is the only worker (%s)", exc.strerror)
        return True
    _locks.append(lock)
    return True
