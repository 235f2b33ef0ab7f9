"""A standby server that answers searches and lists. Nobody gets an answer that is older than their question.

Before a search, the primary says how far its log has come, which costs less than any search. The standby answers if it
has applied the log up to there, at once or within a moment; otherwise the primary does.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, text

_PAUSES_SECONDS = (0.002, 0.005, 0.01)
"""Between the questions whether the standby has caught up."""
_REST_SECONDS = 5.0
"""How long a standby that cannot be reached is left alone."""
_FLUSHED = text("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint")
_APPLIED = text(
    "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END"
    " - '0/0')::bigint"
)

_log = logging.getLogger(__name__)


def read_flushed_position(connection: Connection) -> int:
    """Return how much of the primary's log is on its disk, in bytes: every acknowledged change is within it."""
    return int(connection.execute(_FLUSHED).scalar_one())


def read_applied_position(connection: Connection) -> int:
    """Return how much of the primary's log a standby has applied, in bytes; of its own log if it was promoted."""
    return int(connection.execute(_APPLIED).scalar_one())


class StandbyWatch:
    """Decides whether a standby may answer. `clock` is in seconds."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._rests_until = 0.0

    @property
    def is_resting(self) -> bool:
        """Whether the standby failed a moment ago."""
        return self._clock() < self._rests_until

    def rest(self, error: Exception) -> None:
        """Leave the standby alone for a while, because it failed."""
        if not self.is_resting:
            _log.warning("The standby %s does not answer (%s), so the primary does", self._name, type(error).__name__)
        self._rests_until = self._clock() + _REST_SECONDS


async def has_caught_up(position: int, applied: Callable[[], Awaitable[int]]) -> bool:
    """Whether a standby has applied the log up to `position`, at once or within 17 ms. Raises what `applied` raises."""
    for seconds in _PAUSES_SECONDS:
        if await applied() >= position:
            return True
        await asyncio.sleep(seconds)
    return await applied() >= position
