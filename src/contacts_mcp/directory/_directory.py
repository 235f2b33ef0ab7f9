"""The directory as its users hold it: a place in, an ASGI app out."""

import time
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Self

from fastapi import FastAPI

from contacts_mcp.directory._location import Location
from contacts_mcp.directory._opening import open_database
from contacts_mcp.directory.api import build_app
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.store import SCOPES, ApiKey, create_key, list_keys, revoke_key, spend_nonce

RATE = 1_200
"""Requests that one key may make in a minute, unless told otherwise."""


class Directory:
    """An embedded Contacts API over a SQLite file, created with its folders where missing, or a PostgreSQL database.

    `app` serves it: in process through `httpx.ASGITransport`, or by any ASGI server. The place is opened by the first
    request; where it cannot be used, each request answers 503 and the next one tries again. One directory belongs to
    one event loop; several directories, in one process or in many, may share a place.

    With `keys`, the app is a service of its own: callers show a key, and each may make `rate` requests a minute (0: any
    number), counted by `clock`. Without, whoever reaches the app is the owner.
    """

    def __init__(
        self, place: Location, *, keys: bool = False, rate: int = RATE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = open_database(place)
        self.app = _service(self._database, rate, clock) if keys else build_app(self._database)

    async def spend(self, nonce: str, expires: float) -> bool:
        """Whether `nonce` is presented for the first time, in any process, before `expires` (seconds since 1970).

        Raises:
            DirectoryUnavailable: the file cannot be used.
        """
        return await self._database.write(spend_nonce, nonce, expires)

    async def create_key(
        self, name: str, tenant: str = "owner", scopes: Collection[str] = SCOPES
    ) -> tuple[str, ApiKey]:
        """Make a key for a tenant, who may be new: its text, which is not kept, and what is kept of it.

        Raises:
            ValueError: a name that cannot be used, or scopes that there are not.
            DirectoryUnavailable: the database cannot be used.
        """
        return await self._database.write(create_key, name, tenant, scopes)

    async def keys(self) -> Sequence[ApiKey]:
        """Every key there is or was. Raises DirectoryUnavailable."""
        return await self._database.read(list_keys)

    async def revoke_key(self, prefix: str) -> ApiKey:
        """Have a key work no more: at once, but where it was used in the last three seconds.

        Raises:
            DirectoryNotFound: there is no such key.
            DirectoryUnavailable: the database cannot be used.
        """
        return await self._database.write(revoke_key, prefix)

    async def aclose(self) -> None:
        """Finish the requests under way and close the file. Later requests answer 503. Closing twice is no error."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _service(database: Database, rate: int, clock: Callable[[], float]) -> FastAPI:
    from contacts_mcp.directory.service import build_service  # an embedded directory has no use for it

    return build_service(database, rate, clock)
