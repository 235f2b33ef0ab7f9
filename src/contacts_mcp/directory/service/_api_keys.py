"""Authentication of the directory service: callers with an API key, as often and for what their key allows."""

import logging
import math
from collections.abc import Callable
from http import HTTPStatus

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.api import TENANT_SCOPE_KEY, Tenant
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.service.keyring import KeyRing
from contacts_mcp.directory.service.pages import OPEN
from contacts_mcp.directory.store import ApiKey
from contacts_mcp.middleware import Refusal, presented_keys
from contacts_mcp.token_bucket import TokenBucket

_REALM = 'Bearer realm="contacts"'

_log = logging.getLogger(__name__)


def unavailable(error: DirectoryUnavailable) -> JSONResponse:
    """Status 503 or 507. Only the log says where the database is and what to do: that is for the operator."""
    _log.error("%s", error)
    return JSONResponse({"detail": "The directory cannot be used now, and nothing was changed"}, error.status)


class ApiKeyMiddleware:
    """Refuse a request without a valid key (401), above the key's rate (429), or outside the key's scopes (403).

    A key comes as `X-API-Key: …` or as `Authorization: Bearer …`. Each process counts the requests of each key, also
    those that are refused afterwards; there are never more counters than keys. Pages in `OPEN` need no key.
    """

    def __init__(
        self, app: ASGIApp, database: Database, ring: KeyRing, per_minute: int, clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._database = database
        self._ring = ring
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an authenticated request on, with its tenant in the scope."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            try:
                key = await self._authenticate(scope)
            except DirectoryUnavailable as error:
                await unavailable(error)(scope, receive, send)
                return
            self._count(key)
            needed = "read" if scope["method"] == "GET" else "write"
            if needed not in key.scopes:
                raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", f"This key does not have the scope '{needed}'")
            scope[TENANT_SCOPE_KEY] = Tenant(self._database, key.tenant, f"key {key.prefix}")
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> ApiKey:
        presented = {secret for _, secret in presented_keys(scope)}
        if not presented:
            raise _unauthorized("Send a key, as X-API-Key or as Authorization: Bearer", _REALM)
        key = await self._ring.find(presented.pop()) if len(presented) == 1 else None
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
