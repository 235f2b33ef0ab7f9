"""Who may come in: callers with a key, as often as they may, to do what their key is for."""

import math
from collections.abc import Callable, Iterator
from http import HTTPStatus

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory.api import TENANT_SCOPE_KEY, Tenant
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.service.faults import unavailable
from contacts_mcp.directory.service.keyring import KeyRing
from contacts_mcp.directory.service.pages import OPEN
from contacts_mcp.directory.store import ApiKey
from contacts_mcp.token_bucket import TokenBucket

_REALM = 'Bearer realm="contacts"'


class Door:
    """Answers 401 to whoever shows no key that works, 429 to whoever comes too often, 403 to whoever may not do it.

    A key comes as `X-API-Key: …` or as `Authorization: Bearer …`. Requests are counted for each key, and in each
    process, those that are turned down afterwards as well; there are never more counters than keys. The pages in `OPEN`
    are for everybody.
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
        """Let a request in, or turn it down."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Let a request in, and tell its part of the database; else say why not."""
        try:
            key = await self._admit(scope)
        except HTTPException as refusal:
            return JSONResponse({"detail": refusal.detail}, refusal.status_code, refusal.headers)
        except DirectoryUnavailable as error:
            return unavailable(error)
        scope[TENANT_SCOPE_KEY] = Tenant(self._database, key.tenant, f"key {key.prefix}")
        return None

    async def _admit(self, scope: Scope) -> ApiKey:
        key = await self._identify(scope)
        self._count(key)
        needed = "read" if scope["method"] == "GET" else "write"
        if needed not in key.scopes:
            raise HTTPException(HTTPStatus.FORBIDDEN, f"This key does not have the scope '{needed}'")
        return key

    async def _identify(self, scope: Scope) -> ApiKey:
        presented = set(_presented(scope))
        if not presented:
            how = "Send a key, as X-API-Key or as Authorization: Bearer"
            raise HTTPException(HTTPStatus.UNAUTHORIZED, how, {"WWW-Authenticate": _REALM})
        key = await self._ring.find(presented.pop()) if len(presented) == 1 else None
        if key is None:
            challenge = f'{_REALM}, error="invalid_token"'
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "The key is not valid", {"WWW-Authenticate": challenge})
        return key

    def _count(self, key: ApiKey) -> None:
        now = self._clock()
        bucket = self._buckets.get(key.prefix)
        if bucket is None:
            bucket = self._buckets[key.prefix] = TokenBucket(self._per_minute, now)
        if wait := bucket.wait(now):
            limit = f"This key may make {self._per_minute} requests a minute"
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, limit, {"Retry-After": str(max(1, math.ceil(wait)))})


def _presented(scope: Scope) -> Iterator[str]:
    """Whatever is sent as a key, in either header."""
    for name, value in scope["headers"]:
        text = value.decode("latin-1").strip()
        if name == b"x-api-key":
            yield text
        elif name == b"authorization":
            scheme, _, credentials = text.partition(" ")
            yield credentials.strip() if scheme.lower() == "bearer" else ""
