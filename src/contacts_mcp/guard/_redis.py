"""Used answers and approvals in Redis, shared by several servers."""

import logging
import time

from contacts_mcp.guard._approvals import ApprovalStoreUnavailable
from contacts_mcp.guard._nonces import NonceStoreUnavailable

_NONCE_PREFIX, _APPROVAL_PREFIX = "contacts-mcp:spent:", "contacts-mcp:approval:"
_APPROVAL_NAMES = "contacts-mcp:approvals"
"""A sorted set of the names of approvals, by expiry: to look for keys by their prefix, Redis would read all keys."""
_TIMEOUT_SECONDS = 2.0  # short, because a person waits for the confirmation to count
_MAX_CONNECTIONS = 16
_QUEUE_SECONDS = 10.0  # for a free connection: many callers at once do not mean that Redis is away
_CLOCK_SKEW_SECONDS = 60.0  # between two replicas; Redis counts a key's lifetime by its own clock

_log = logging.getLogger(__name__)


class RedisStore:
    """A nonce store and an approval store in Redis, shared by several servers. Needs the extra `redis`.

    A nonce whose entry got no reply counts as used, since Redis may have stored it. Raises ValueError if the URL is
    invalid or the extra is missing; the message never quotes the URL.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.exceptions import RedisError
        except ModuleNotFoundError:
            raise ValueError("CONTACTS_MCP_REDIS_URL needs the extra `redis` of wayscloud-contacts-mcp") from None
        limits = {"max_connections": _MAX_CONNECTIONS, "timeout": _QUEUE_SECONDS}
        timeouts = {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS}
        try:
            pool = BlockingConnectionPool.from_url(url, **limits, **timeouts)
            pool.connection_class(**pool.connection_kwargs)  # rejects unknown options, without connecting
        except (ValueError, TypeError):  # the message quotes the URL, which may hold a password
            raise ValueError("CONTACTS_MCP_REDIS_URL must be a URL such as redis://host:6379/0") from None
        self._redis = Redis.from_pool(pool)
        self._errors = (RedisError, OSError, TimeoutError, UnicodeError)

    async def spend(self, nonce: str, expires: float) -> bool:
        """See NonceStore."""
        try:
            return bool(await self._redis.set(_NONCE_PREFIX + nonce, "", nx=True, px=_lifetime_ms(expires)))
        except self._errors as exc:
            _log.warning("Redis does not answer (%s), so no confirmation counts", type(exc).__name__)
            raise NonceStoreUnavailable from None

    async def create(self, name: str, content: str, expires: float) -> bool:
        """See ApprovalStore."""
        try:
            async with self._redis.pipeline(transaction=True) as commands:  # one round trip, all of them or none
                commands.set(_APPROVAL_PREFIX + name, content, nx=True, px=_lifetime_ms(expires))
                commands.zremrangebyscore(_APPROVAL_NAMES, 0, time.time() - _CLOCK_SKEW_SECONDS)
                commands.zadd(_APPROVAL_NAMES, {name: expires})
                is_first, *_ = await commands.execute()
        except self._errors as exc:
            raise _unavailable(exc) from None
        return bool(is_first)

    async def read(self, name: str) -> str | None:
        """See ApprovalStore."""
        try:
            content = await self._redis.get(_APPROVAL_PREFIX + name)
        except self._errors as exc:
            raise _unavailable(exc) from None
        return None if content is None else _text(content)

    async def names(self, prefix: str) -> list[str]:
        """See ApprovalStore."""
        try:
            names = await self._redis.zrange(_APPROVAL_NAMES, 0, -1)
        except self._errors as exc:
            raise _unavailable(exc) from None
        return [name for name in map(_text, names) if name.startswith(prefix)]

    async def check_ready(self) -> None:
        """Raise NonceStoreUnavailable if Redis does not answer."""
        try:
            await self._redis.get(_NONCE_PREFIX)  # `ping` is not typed
        except self._errors:
            raise NonceStoreUnavailable from None

    async def aclose(self) -> None:
        await self._redis.aclose()


def _lifetime_ms(expires: float) -> int:
    return int((max(0.0, expires - time.time()) + _CLOCK_SKEW_SECONDS) * 1000)


def _unavailable(exc: Exception) -> ApprovalStoreUnavailable:
    _log.warning("Redis does not answer (%s), so no decision counts", type(exc).__name__)
    return ApprovalStoreUnavailable()


def _text(value: object) -> str:
    """Return a value of Redis as text; the client decodes none by itself."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
