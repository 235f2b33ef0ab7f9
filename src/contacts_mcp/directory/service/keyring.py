"""Cache of API keys, so that not every request reads its key from the database."""

from collections import OrderedDict
from collections.abc import Callable

from contacts_mcp.directory._limits import KEY_CACHE_SECONDS
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.store import ApiKey, find_key, key_prefix

_MAX_ENTRIES = 10_000


class KeyRing:
    """Looks keys up in the database and caches the results for KEY_CACHE_SECONDS, unknown keys included.

    A key that any process revokes therefore works for no longer than that. The cache holds 10,000 keys at most.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()

    async def find(self, presented: str) -> ApiKey | None:
        """Return the key that a caller presented, or None if it is not valid. Raises DirectoryUnavailable."""
        prefix = key_prefix(presented)
        if prefix is None:
            return None
        key = await self._look_up(prefix)
        return key if key and key.matches(presented) and key.revoked_at is None else None

    async def _look_up(self, prefix: str) -> ApiKey | None:
        now = self._clock()
        read_at, key = self._known.get(prefix, (-KEY_CACHE_SECONDS, None))
        if now - read_at < KEY_CACHE_SECONDS:
            return key
        key = await self._database.look_up(find_key, prefix)
        self._known[prefix] = now, key
        self._known.move_to_end(prefix)
        if len(self._known) > _MAX_ENTRIES:
            self._known.popitem(last=False)
        return key
