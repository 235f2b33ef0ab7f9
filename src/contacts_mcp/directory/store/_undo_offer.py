"""What a directory that can undo bulk updates needs for it: its keys, its clock, and the deletion of what expires."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.store._undo import delete_expired_undo
from contacts_mcp.directory.store._undo_keys import UndoKeys


class UndoOffer:
    """A directory's offer to undo bulk updates. `now` is its clock, in seconds since 1970."""

    def __init__(self, keys: UndoKeys, now: Callable[[], float] = time.time) -> None:
        self.keys = keys
        self.now = now
        self._timer: asyncio.TimerHandle | None = None
        self._expiring: asyncio.Task[None] | None = None

    def expire_later(self, database: Database, expires: float) -> None:
        """Delete what has expired at this time, unless this process ends before: then the next opening does."""
        if self._timer is None:
            wait = max(0.0, expires - self.now())
            self._timer = asyncio.get_running_loop().call_later(wait, self._start_expiring, database)

    def _start_expiring(self, database: Database) -> None:
        self._timer = None
        self._expiring = asyncio.create_task(self._expire(database))

    async def _expire(self, database: Database) -> None:
        with suppress(DirectoryUnavailable):  # it is closed, or the next update or opening does it
            following = await database.write(delete_expired_undo, self.now())
            if following is not None:
                self.expire_later(database, following)
