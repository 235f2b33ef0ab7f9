"""A client for each key, for servers whose callers bring their own."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from contacts_mcp.client._client import ContactsClient
from contacts_mcp.client._credential import Credential
from contacts_mcp.contract import AnswerT, Call, ProgressCallback, RateLimited

MAX_CLIENTS = 256
IDLE_SECONDS = 300.0


@dataclass(slots=True)
class _Place:
    client: ContactsClient
    users: int = 0
    left: float = 0.0


class ClientPool:
    """Clients by key, of which no two share a connection or any state.

    At most `max_clients` are open. A client idle for `idle_seconds` is closed; one in use never is.
    """

    def __init__(
        self,
        open_client: Callable[[Credential], ContactsClient],
        *,
        max_clients: int = MAX_CLIENTS,
        idle_seconds: float = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_client = open_client
        self._max_clients = max_clients
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._places: OrderedDict[str, _Place] = OrderedDict()  # the one that was left longest ago comes first

    async def send(
        self, credential: Credential, call: Call[AnswerT], report: ProgressCallback | None = None
    ) -> AnswerT:
        """Send a call with this key alone; see ContactsClient.send. Raises RateLimited where every client is in use."""
        async with self._lease(credential) as client:
            return await client.send(call, report)

    async def extensions(self, credential: Credential) -> frozenset[str]:
        """What the service offers whoever has this key; see ContactsClient.extensions."""
        async with self._lease(credential) as client:
            return await client.extensions()

    async def close_idle(self) -> None:
        """Close the clients that nobody has used for long; to be called now and then."""
        limit = self._clock() - self._idle_seconds
        await self._close([key for key, place in self._places.items() if not place.users and place.left <= limit])

    async def aclose(self) -> None:
        """Close every client."""
        await self._close(list(self._places))

    def __len__(self) -> int:
        """How many clients are open."""
        return len(self._places)

    @asynccontextmanager
    async def _lease(self, credential: Credential) -> AsyncIterator[ContactsClient]:
        key = f"{credential.header_name} {credential.fingerprint}"
        surplus = [] if key in self._places else self._surplus()
        if key not in self._places:
            self._places[key] = _Place(self._open_client(credential))
        place = self._places[key]
        place.users += 1
        try:
            await self._close(surplus)
            yield place.client
        finally:
            place.users -= 1
            place.left = self._clock()
            if key in self._places:
                self._places.move_to_end(key)

    def _surplus(self) -> list[str]:
        """Whom to close before one more is opened: whoever was left longest ago."""
        if len(self._places) < self._max_clients:
            return []
        for key, place in self._places.items():
            if not place.users:
                return [key]
        raise RateLimited("too many different keys are in use at once", retry_after=1)

    async def _close(self, keys: list[str]) -> None:
        """Close clients; they are forgotten at once, so that nobody is given one that is closing."""
        places = [self._places.pop(key) for key in keys if key in self._places]
        with anyio.CancelScope(shield=True):
            for place in places:
                await place.client.aclose()
