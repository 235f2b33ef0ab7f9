"""Whether a key works, without asking the database each time."""

from collections import OrderedDict
from collections.abc import Callable

from contacts_mcp.directory.database import Database
from contacts_mcp.directory.store import ApiKey, find_key, key_prefix

_SECONDS = 3.0
_MOST = 10_000


class KeyRing:
    """Looks keys up, and remembers what it found for three seconds.

    A key that is revoked, by whatever process, therefore works for three seconds more at most. What has the form of a
    key and is none is remembered as well, and no more than 10,000 of all.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()

    async def find(self, presented: str) -> ApiKey | None:
        """The key that was presented; None where it is none, or none any more. Raises DirectoryUnavailable."""
        prefix = key_prefix(presented)
        if prefix is None:
            return None
        key = await self._look_up(prefix)
        return key if key and key.matches(presented) and key.revoked_at is None else None

    async def _look_up(self, prefix: str) -> ApiKey | None:
        began = self._clock()
        at, key = self._known.get(prefix, (-_SECONDS, None))
        if began - at < _SECONDS:
            return key
        key = await self._database.look_up(find_key, prefix)
        self._known[prefix] = began, key
        self._known.move_to_end(prefix)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return key
