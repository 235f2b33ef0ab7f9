"""ClientPool keeps a client for each credential."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from contacts_mcp.client._client import ContactsClient
from contacts_mcp.client._credentials import Credential
from contacts_mcp.contract import errors


@dataclass(slots=True)
class _PooledClient:
    client: ContactsClient
    users: int = 0
    idle_since: float = 0.0


class ClientPool:
    """Keeps a client for each credential; clients share no connections and no state.

    At most `max_clients` are open. A client idle for `idle_seconds` is closed; one in use never is.
    """

    def __init__(
        self,
        open_client: Callable[[Credential], ContactsClient],
        *,
        max_clients: int = 256,
        idle_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_client = open_client
        self._max_clients = max_clients
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._pooled: OrderedDict[str, _PooledClient] = OrderedDict()  # least recently used first

    async def close_idle(self) -> None:
        """Close the clients that are idle for too long; call it periodically."""
        limit = self._clock() - self._idle_seconds
        await self._close(
            [key for key, pooled in self._pooled.items() if not pooled.users and pooled.idle_since <= limit]
        )

    async def aclose(self) -> None:
        """Close every client."""
        await self._close(list(self._pooled))

    def __len__(self) -> int:
        """Return how many clients are open."""
        return len(self._pooled)

    @asynccontextmanager
    async def lease(self, credential: Credential) -> AsyncIterator[ContactsClient]:
        """Use the client of a credential. Raises RateLimited if all clients are in use."""
        key = f"{credential.header_name} {credential.fingerprint}"
        evicted = [] if key in self._pooled else self._evict()
        if key not in self._pooled:
            self._pooled[key] = _PooledClient(self._open_client(credential))
        pooled = self._pooled[key]
        pooled.users += 1
        try:
            await self._close(evicted)
            yield pooled.client
        finally:
            pooled.users -= 1
            pooled.idle_since = self._clock()
            if key in self._pooled:
                self._pooled.move_to_end(key)

    def _evict(self) -> list[str]:
        """Return the key of the client to close before another is opened: the least recently used that is idle."""
        if len(self._pooled) < self._max_clients:
            return []
        for key, pooled in self._pooled.items():
            if not pooled.users:
                return [key]
        raise errors.RateLimited("too many different keys are in use at once", retry_after=1)

    async def _close(self, keys: list[str]) -> None:
        """Close clients; they leave the pool first, so that no caller gets one that is closing."""
        closing = [self._pooled.pop(key) for key in keys if key in self._pooled]
        with anyio.CancelScope(shield=True):
            for pooled in closing:
                await pooled.client.aclose()
