"""Authentication of the directory service: API keys, their scopes and their rate limits."""

import asyncio
import logging
import math
from collections.abc import Callable
from http import HTTPStatus

from cachetools import LRUCache
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.directory import KEY_CACHE_SECONDS
from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.api import TENANT_SCOPE_KEY, Tenant
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.store import ApiKey, find_key, key_prefix, record_use
from contacts_mcp.middleware import Refusal, presented_keys
from contacts_mcp.token_bucket import TokenBucket

OPEN_PATHS = ("/openapi.json", "/docs", "/healthz", "/readyz")
"""Paths that need no API key."""

_DESCRIPTION = ("GET", "/v1/directory")  # tells the scopes of every key, and shows no contact
_MAX_CACHED_KEYS = 10_000
_USE_INTERVAL_SECONDS = 60.0
_REALM = 'Bearer realm="contacts"'

_log = logging.getLogger(__name__)


def unavailable(error: DirectoryUnavailable) -> JSONResponse:
    """Status 503 or 507. Only the log says where the database is and what to do: that is for the operator."""
    _log.error("%s", error)
    unchanged = ", and nothing was changed" if error.nothing_changed else ""
    return JSONResponse({"detail": f"The directory cannot be used now{unchanged}"}, error.status, error.headers)


class KeyCache:
    """Reads API keys from the database and caches them for KEY_CACHE_SECONDS, unknown keys included.

    A key that any process revokes works for no longer than that.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._cached: LRUCache[str, tuple[float, ApiKey | None]] = LRUCache(_MAX_CACHED_KEYS)

    async def find(self, presented: str) -> ApiKey | None:
        """Return the key that a caller presented, or None if it is not valid. Raises DirectoryUnavailable."""
        prefix = key_prefix(presented)
        if prefix is None:
            return None
        now = self._clock()
        read_at, key = self._cached.get(prefix, (-math.inf, None))
        if now - read_at >= KEY_CACHE_SECONDS:
            key = await self._database.look_up(find_key, prefix)
            self._cached[prefix] = now, key  # the time before reading, so that no key is cached for longer
        return key if key and key.matches(presented) and key.revoked_at is None else None

    def clear(self) -> None:
        """Read each key from the database again at its next use."""
        self._cached.clear()


class KeyUses:
    """Stores when keys were last used: in the background, and at most once a minute for each key."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._noted_at: dict[str, float] = {}  # never more than there are keys
        self._writes: set[asyncio.Task[None]] = set()

    def note(self, key: ApiKey) -> None:
        """Note that a key is used now. The request does not wait for the write, and does not fail with it."""
        now = self._clock()
        if not key.is_use_due or now - self._noted_at.get(key.prefix, -math.inf) < _USE_INTERVAL_SECONDS:
            return
        self._noted_at[key.prefix] = now
        write = asyncio.create_task(self._store(key.prefix))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    async def _store(self, prefix: str) -> None:
        try:
            await self._database.write(record_use, prefix)
        except DirectoryUnavailable as error:
            _log.info("the last use of the key %s is not stored: %s", prefix, error)


class ApiKeyMiddleware:
    """Refuse a request without a valid key (401), above the key's rate (429), or outside the key's scopes (403).

    A key comes as `X-API-Key: …` or as `Authorization: Bearer …`. Each process counts the requests of each key, also
    those that are refused afterwards; there are never more counters than keys. OPEN_PATHS need no key.
    """

    def __init__(
        self, app: ASGIApp, database: Database, keys: KeyCache, per_minute: int, clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._database = database
        self._keys = keys
        self._uses = KeyUses(database, clock)
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            try:
                key = await self._authenticate(scope)
            except DirectoryUnavailable as error:
                await unavailable(error)(scope, receive, send)
                return
            self._uses.note(key)
            self._count(key)
            needed = "read" if scope["method"] == "GET" else "write"
            if needed not in key.scopes and (scope["method"], scope["path"]) != _DESCRIPTION:
                raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", f"This key does not have the scope '{needed}'")
            scope[TENANT_SCOPE_KEY] = Tenant(
                self._database, key.tenant, f"key {key.prefix}", key.scopes, key.tenant_name
            )
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> ApiKey:
        presented = {secret for _, secret in presented_keys(scope)}
        if not presented:
            raise _unauthorized("Send a key, as X-API-Key or as Authorization: Bearer", _REALM)
        key = await self._keys.find(presented.pop()) if len(presented) == 1 else None
        if key is None:
            raise _unauthorized("The key is not valid", f'{_REALM}, error="invalid_token"')
        return key

    def _count(self, key: ApiKey) -> None:
        now = self._clock()
        bucket = self._buckets.get(key.prefix)
        if bucket is None:
            bucket = self._buckets[key.prefix] = TokenBucket(self._per_minute, now)
        if wait := bucket.wait(now):
            message = f"This key may make {self._per_minute} requests a minute"
            headers = {"Retry-After": str(max(1, math.ceil(wait)))}
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", message, headers)


def _unauthorized(message: str, challenge: str) -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", message, {"WWW-Authenticate": challenge})
