"""The ledger of several servers that share a Redis."""

from contacts_mcp.guard._ledger import LedgerUnavailable

_PREFIX = "contacts-mcp:spent:"
_PATIENCE = 2.0
"""Seconds for Redis to answer; until it does, somebody waits for their confirmation to count."""


class RedisLedger:
    """Used answers in Redis, each forgotten when it could no longer be replayed. Needs the extra `redis`.

    An answer whose entry got no reply counts as used: it may have been entered.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import Redis
        except ModuleNotFoundError:
            raise ValueError("CONTACTS_MCP_REDIS_URL needs the extra `redis` of wayscloud-contacts-mcp") from None
        try:
            self._redis = Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
        except ValueError:  # its words quote the address, and a password with it
            raise ValueError("CONTACTS_MCP_REDIS_URL should be an address such as redis://host:6379/0") from None

    async def spend(self, nonce: str, expires: float) -> bool:
        """See Ledger."""
        from redis.exceptions import RedisError

        try:
            return bool(await self._redis.set(_PREFIX + nonce, b"", nx=True, pxat=int(expires * 1000)))
        except (RedisError, OSError, TimeoutError):
            raise LedgerUnavailable from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
