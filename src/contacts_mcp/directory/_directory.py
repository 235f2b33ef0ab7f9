"""The public face of the directory: its ASGI app, its API keys, and its maintenance."""

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from contacts_mcp.directory import DEFAULT_RATE_LIMIT, store
from contacts_mcp.directory._location import Location, PostgresServer, parse_location
from contacts_mcp.directory.store import ApiKey

if TYPE_CHECKING:
    from fastapi import FastAPI, Response
    from sqlalchemy import Connection

    from contacts_mcp.directory.api import InProcessApi
    from contacts_mcp.directory.maintenance import Maintenance


__all__ = ["ApiKey", "Directory"]


class Directory:
    """An embedded Contacts API on a SQLite file, which is created with its folders if missing, or on PostgreSQL.

    `location` is a path, or a text: a path, or a URL such as `postgresql://user@host/contacts`. Raises TypeError or
    ValueError if it is neither.

    `answer` answers requests of this process, and `app` those of an ASGI server or of `httpx.ASGITransport`. The first
    request opens the database; while it cannot be used, every request gets a 503 and the next one tries again. One
    Directory belongs to one event loop; several, in one process or in many, may share a location. Without `create`, a
    directory that does not exist is refused instead of created.

    With `keys`, the app is a service of its own, for any ASGI server: callers send an API key, each key may make `rate`
    requests a minute (0: no limit), measured by `clock`, and bodies are limited. Without, every caller is the owner.

    A bulk update can be undone for a day, measured by `now`. The values that it replaced are encrypted with a key in a
    file beside the directory's; on PostgreSQL with the first of `undo_secrets` (all of them decrypt), or it cannot be
    undone.

    Every method that uses the database raises DirectoryUnavailable if that is not possible. FastAPI and the code for
    maintenance are imported on first use.
    """

    def __init__(
        self,
        location: Location | str | os.PathLike[str],
        *,
        create: bool = True,
        keys: bool = False,
        rate: int = DEFAULT_RATE_LIMIT,
        clock: Callable[[], float] = time.monotonic,
        undo_secrets: Sequence[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.location = _to_location(location)
        self._database = store.open_database(self.location, create=create, now=now)
        undo_keys = _find_undo_keys(self.location, undo_secrets)
        self._undo = None if undo_keys is None else store.UndoOffer(undo_keys, now)
        self._has_keys = keys
        self._rate = rate
        self._clock = clock

    @cached_property
    def app(self) -> "FastAPI":
        """The ASGI app."""
        if self._has_keys:
            from contacts_mcp.directory.service import build_service

            return build_service(self._database, self._rate, self._clock, self._undo)
        from contacts_mcp.directory.api import Tenant, build_app

        return build_app(self._database, Tenant(self._database), undo=self._undo)

    async def answer(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: Mapping[str, Any] | None
    ) -> "Response | None":
        """Return the owner's response to a request, without HTTP; see `contacts_mcp.contract.Request`.

        None if the request has to be sent to `app`, which refuses it, or answers the callers of a service.
        """
        return None if self._has_keys else await self._api.answer(method, path, query, body)

    @cached_property
    def _api(self) -> "InProcessApi":
        from contacts_mcp.directory.api import InProcessApi, Tenant

        return InProcessApi(Tenant(self._database), self._undo)

    async def app_of(self, tenant: str) -> "FastAPI":
        """Return an ASGI app whose every caller is this tenant. Closing it closes this directory.

        Raises:
            DirectoryNotFound: there is no such tenant.
        """
        from contacts_mcp.directory.api import Tenant, build_app

        found = Tenant(self._database, await self._database.read(store.find_tenant, tenant))
        return build_app(self._database, found, undo=self._undo)

    def reload_keys(self) -> str:
        """Have the service read each API key again at its next use, and return that in words."""
        self.app.state.keys.clear()
        return "API keys are read again"

    @property
    def is_new(self) -> bool:
        """Whether this object has created the directory."""
        return self._database.is_new

    @cached_property
    def maintenance(self) -> "Maintenance":
        """An operator's commands for the directory."""
        from contacts_mcp.directory.maintenance import Maintenance

        return Maintenance(self.location, self._database)

    async def aclose(self) -> None:
        """Finish the running requests and close the database. Later requests get a 503. Closing again is no error."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def spend(self, nonce: str, expires: float) -> bool:
        """Mark a nonce as used until `expires` (seconds since 1970); False if any process has used it before."""
        return await self._database.write(store.spend_nonce, nonce, expires)

    async def create_approval(self, name: str, content: str, expires: float) -> bool:
        """Store a record until `expires` (seconds since 1970); False if any process has stored one of this name."""
        return await self._database.write(store.create_approval, name, content, expires)

    async def read_approval(self, name: str) -> str | None:
        """Return the content of a record that `create_approval` stored; None if there is none."""
        return await self._database.look_up(store.read_approval, name)

    async def approval_names(self, prefix: str) -> Sequence[str]:
        """Return the names of the records of `create_approval` that begin with `prefix`."""
        return await self._database.look_up(store.approval_names, prefix)

    async def latest_receipts(self, tenant: str, before: int, limit: int) -> tuple[Sequence[Mapping[str, Any]], int]:
        """Return a tenant's receipts with numbers below `before` (0: all), the newest first, and their total number."""

        def read(connection: "Connection") -> tuple[Sequence[Mapping[str, Any]], int]:
            return store.read_latest_receipts(connection, store.find_tenant(connection, tenant), before, limit)

        return await self._database.read(read)

    async def create_key(
        self, name: str, tenant: str = "owner", scopes: Collection[str] = store.DEFAULT_SCOPES
    ) -> tuple[str, ApiKey]:
        """Create an API key for a tenant, which is created if it is new. Returns the key, which is not stored, first.

        Raises:
            ValueError: the name or a scope is not valid.
        """
        return await self._database.write(store.create_key, name, tenant, scopes)

    check_key = staticmethod(store.check_key)

    async def list_keys(self) -> Sequence[ApiKey]:
        """List all API keys, revoked ones included."""
        return await self._database.read(store.list_keys)

    async def list_tenants(self) -> Sequence[str]:
        """List the names of all tenants."""
        return await self._database.read(store.list_tenants)

    async def find_keys(self, beginning: str) -> Sequence[ApiKey]:
        """Find the keys whose prefix begins like this, or the one key if `beginning` is its prefix or all of it."""
        return await self._database.read(store.find_keys, beginning)

    async def revoke_key(self, prefix: str) -> ApiKey:
        """Revoke an API key. It may work for KEY_CACHE_SECONDS more, in processes that have just used it.

        Raises:
            DirectoryNotFound: there is no such key.
        """
        return await self._database.write(store.revoke_key, prefix)


def _find_undo_keys(location: Location, secrets: Sequence[str]) -> store.UndoKeys | None:
    if not isinstance(location, PostgresServer):
        return store.KeyFile(location)
    return store.GivenKeys(secrets) if secrets else None


def _to_location(value: Location | str | os.PathLike[str]) -> Location:
    if isinstance(value, PostgresServer | Path):
        return value
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(
            f"a directory's location must be a path or a postgresql:// URL (str or Path), not {type(value).__name__}"
        )
    if not text.strip():
        raise ValueError("a directory's location must not be empty")
    return parse_location(text)
