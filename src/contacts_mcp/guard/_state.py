"""The state of a question: sealed into a token that the client carries, and usable once.

The seal makes state unreadable and unforgeable for the client. A nonce store makes each answer count once, on one
server or on all replicas that share the store.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState
from pydantic import ConfigDict, TypeAdapter

from contacts_mcp.contract import ContactsError

_log = logging.getLogger(__name__)

Channel = Literal["form", "token"]

_REDIS_KEY_PREFIX = "contacts-mcp:spent:"
_REDIS_TIMEOUT_SECONDS = 2.0
"""Short, because a person waits for the confirmation to count."""
_MAX_REDIS_CONNECTIONS = 16
_CLOCK_SKEW_SECONDS = 60.0
"""How far the clocks of two replicas may differ; Redis counts a key's lifetime by its own clock."""


class InvalidState(Exception):
    """The state was not sealed here, was changed, or has expired."""


@dataclass(frozen=True, slots=True)
class QuestionState:
    """What an answer is bound to: `arguments` and `target` are hashes, `expires` is in seconds since 1970."""

    channel: Channel
    tool: str
    arguments: str
    target: str
    principal: str
    nonce: str
    expires: float

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, defer_build=True)  # refuses another version's state


_STATE = TypeAdapter(QuestionState)


class Seal:
    """Seals state with AES-256-GCM (the SDK's codec).

    `keys` are secrets of at least 32 bytes that replicas share: the first one seals, all of them unseal. Without keys
    the process generates its own, and no other process can unseal its state.
    """

    def __init__(
        self, lifetime_seconds: float, keys: Sequence[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        self._codec = AESGCMRequestStateCodec(list(dict.fromkeys(keys)) or [os.urandom(32)])
        self.lifetime_seconds = lifetime_seconds
        self._clock = clock

    def seal(self, channel: Channel, tool: str, arguments: str, target: str, principal: str) -> str:
        """Seal the state of a new question."""
        expires = self._clock() + self.lifetime_seconds
        state = QuestionState(channel, tool, arguments, target, principal, secrets.token_hex(16), expires)
        return self._codec.seal(_STATE.dump_json(state))

    def unseal(self, sealed: str) -> QuestionState:
        """Return the sealed state. Raises InvalidState if it is forged, from another version or expired."""
        try:
            state = _STATE.validate_json(self._codec.unseal(sealed))
        except (InvalidRequestState, ValueError) as exc:
            raise InvalidState from exc
        if state.expires <= self._clock():
            raise InvalidState
        return state


class NonceStoreUnavailable(ContactsError):
    """The store cannot tell whether an answer was used before, so the answer does not count."""

    code = "nonce_store_unavailable"
    advice = "nothing was changed; try again later"

    def __init__(self) -> None:
        super().__init__("cannot check whether the answer was used before")


class NonceStore(Protocol):
    """Accepts each nonce once, on this server or on all servers that share the store."""

    async def spend(self, nonce: str, expires: float) -> bool:
        """Whether this is the nonce's first use. `expires` is in seconds since 1970.

        Raises:
            NonceStoreUnavailable: the store cannot tell.
        """
        ...


class MemoryNonceStore:
    """The nonce store of a single process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._spent: dict[str, float] = {}
        self._clock = clock

    async def spend(self, nonce: str, expires: float) -> bool:
        """See NonceStore. Nothing is awaited between the look-up and the entry, so that two calls cannot both win."""
        now = self._clock()
        # Entries are in order of insertion, so only expired ones are visited; one behind a later expiry waits for it.
        while self._spent and (oldest := next(iter(self._spent.items())))[1] <= now:
            del self._spent[oldest[0]]
        if nonce in self._spent:
            return False
        self._spent[nonce] = expires
        return True


class RedisNonceStore:
    """A nonce store in Redis, shared by several servers. Needs the extra `redis`.

    A nonce whose entry got no reply counts as used, since Redis may have stored it.

    Raises:
        ValueError: the URL is invalid, or the extra is missing; the message never quotes the URL.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.exceptions import RedisError
        except ModuleNotFoundError:
            raise ValueError("CONTACTS_MCP_REDIS_URL needs the extra `redis` of wayscloud-contacts-mcp") from None
        limits = {"max_connections": _MAX_REDIS_CONNECTIONS, "timeout": _REDIS_TIMEOUT_SECONDS}
        timeouts = {"socket_timeout": _REDIS_TIMEOUT_SECONDS, "socket_connect_timeout": _REDIS_TIMEOUT_SECONDS}
        try:
            pool = BlockingConnectionPool.from_url(url, **limits, **timeouts)
            pool.connection_class(**pool.connection_kwargs)  # rejects unknown options, without connecting
        except (ValueError, TypeError):  # the message quotes the URL, which may hold a password
            raise ValueError("CONTACTS_MCP_REDIS_URL must be a URL such as redis://host:6379/0") from None
        self._redis = Redis.from_pool(pool)
        self._errors = (RedisError, OSError, TimeoutError, UnicodeError)

    async def spend(self, nonce: str, expires: float) -> bool:
        """See NonceStore."""
        lifetime = max(0.0, expires - time.time()) + _CLOCK_SKEW_SECONDS
        try:
            return bool(await self._redis.set(_REDIS_KEY_PREFIX + nonce, b"", nx=True, px=int(lifetime * 1000)))
        except self._errors as exc:
            _log.warning("Redis does not answer (%s), so no confirmation counts", type(exc).__name__)
            raise NonceStoreUnavailable from None

    async def check_ready(self) -> None:
        """Raise NonceStoreUnavailable if Redis does not answer."""
        try:
            await self._redis.get(_REDIS_KEY_PREFIX)  # `ping` is not typed
        except self._errors:
            raise NonceStoreUnavailable from None

    async def aclose(self) -> None:
        await self._redis.aclose()
