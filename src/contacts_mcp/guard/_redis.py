"""The ledger of several servers that share a Redis."""

import logging
import time

from contacts_mcp.guard._ledger import NonceStoreUnavailable

_log = logging.getLogger(__name__)
_PREFIX = "contacts-mcp:spent:"
_PATIENCE = 2.0
"""Seconds for Redis to answer; until it does, somebody waits for their confirmation to count."""
_CONNECTIONS = 16
"""Connections at once; whoever finds none free waits for one."""
_MARGIN = 60.0
"""Seconds by which the clocks of two replicas may differ. Redis counts by its own, from now on."""


class RedisNonceStore:
    """Used answers in Redis, each forgotten when it could no longer be replayed. Needs the extra `redis`.

    An answer whose entry got no reply counts as used: it may have been entered.

    Raises:
        ValueError: the address cannot be used, or the extra is missing; never quotes the address.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
        except ModuleNotFoundError:
            raise ValueError("CONTACTS_MCP_REDIS_URL needs the extra `redis` of wayscloud-contacts-mcp") from None
        limits = {"max_connections": _CONNECTIONS, "timeout": _PATIENCE}
        waits = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
        try:
            pool = BlockingConnectionPool.from_url(url, **limits, **waits)
            pool.connection_class(**pool.connection_kwargs)  # takes no option that there is not, and connects nowhere
        except (ValueError, TypeError):  # the words quote the address, and a password with it
            raise ValueError("CONTACTS_MCP_REDIS_URL should be an address such as redis://host:6379/0") from None
        self._redis = Redis.from_pool(pool)

    async def spend(self, nonce: str, expires: float) -> bool:
        """See NonceStore."""
        from redis.exceptions import RedisError

        lifetime = max(0.0, expires - time.time()) + _MARGIN
        try:
            return bool(await self._redis.set(_PREFIX + nonce, b"", nx=True, px=int(lifetime * 1000)))
        except (RedisError, OSError, TimeoutError, UnicodeError) as exc:
            _log.warning("Redis cannot be asked (%s), so no confirmation counts", type(exc).__name__)
            raise NonceStoreUnavailable from None

    async def check_ready(self) -> None:
        """Raise NonceStoreUnavailable where Redis does not answer."""
        from redis.exceptions import RedisError

        try:
            await self._redis.get(_PREFIX)  # `ping` is not typed
        except (RedisError, OSError, TimeoutError, UnicodeError):
            raise NonceStoreUnavailable from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
