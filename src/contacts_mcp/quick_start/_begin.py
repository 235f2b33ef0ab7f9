"""Begin a quick start of this process, as the first thing that it does."""

import os
import sys
import time

from contacts_mcp.quick_start._front import Front
from contacts_mcp.quick_start._key import start_key
from contacts_mcp.quick_start._snapshot import Snapshot, read_snapshot

_SWITCH_INTERVAL_SECONDS = 0.0005
"""How long an answer waits for the imports in the main thread; the default is ten times as long."""

_begun: "list[Begun]" = []


class Begun:
    """A start that may be quick.

    Attributes:
        began_at: the time in seconds since 1970.
        snapshot: the results of earlier starts; empty if there are none.
        front: the thread that answers from them; None if there are none.
    """

    __slots__ = ("began_at", "front", "snapshot")

    def __init__(self, snapshot: Snapshot, front: Front | None = None) -> None:
        self.began_at = time.time()
        self.snapshot = snapshot
        self.front = front


def begin() -> None:
    """Answer from a snapshot from now on, if this is a server over stdio with the settings of an earlier start.

    Not on Windows, where a thread that waits for a pipe cannot be stopped, so that what it reads would be lost.
    """
    if sys.platform == "win32" or sys.argv[1:2] != ["serve"]:
        return
    try:
        if os.isatty(0):
            return
        key = start_key(sys.argv[1:], os.environ)
    except OSError:
        return
    if snapshot := read_snapshot(key):
        sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
        _begun.append(Begun(snapshot, Front(snapshot.results)))
    else:
        _begun.append(Begun(Snapshot(key)))


def begun() -> Begun | None:
    """Return the start that `begin` has begun, once: its front is taken over by one server."""
    return _begun.pop() if _begun else None
