"""The connections to a backend.

A connection imports and opens its client at the first call, so that a host sees the tools without waiting for it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from contacts_mcp.app._backends import Embedded, Platform, choose_backend
from contacts_mcp.client import Credential
from contacts_mcp.contract import AnswerT, AuthenticationFailed, Call, ContactsError, ListContacts, ProgressCallback
from contacts_mcp.directory import list_extensions
from contacts_mcp.guard import ApprovalStoreUnavailable, NonceStoreUnavailable
from contacts_mcp.server import Caller, KeyRights
from contacts_mcp.settings import Settings
from contacts_mcp.tools import Sender

if TYPE_CHECKING:
    from contacts_mcp.client import ClientPool, ContactsClient
    from contacts_mcp.directory import Directory

_PROBE = ListContacts(per_page=1)
_MAX_UNVERIFIED_CLIENTS = 16
_OWNER = "owner"  # whose contacts a server works on that opens a directory itself
_CLOSE_IDLE_INTERVAL_SECONDS = 60.0

T = TypeVar("T")


class ReceiptsUnavailable(ContactsError):
    """The directory cannot be read."""

    code = "unreachable"
    advice = "try again later"

    def __init__(self) -> None:
        super().__init__("the directory with the receipts cannot be read")


class Connection:
    """One client that all callers share; `open_client` imports it, in a thread.

    `tells_scopes` says whether the service tells what the key allows, and `known_extensions` what it offers if it is
    not asked.
    """

    known_extensions: Collection[str] = ()

    def __init__(
        self, open_client: "Callable[[], AbstractAsyncContextManager[ContactsClient]]", *, tells_scopes: bool = False
    ) -> None:
        self._open_client = open_client
        self.tells_scopes = tells_scopes
        self._client: ContactsClient | None = None
        self._opening = anyio.Lock()
        self._resources = AsyncExitStack()

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send a call; see ContactsClient.send."""
        client = await self._open()
        return await client.send(call, report)

    async def extensions(self) -> frozenset[str]:
        """Return what the service offers beyond the documented API."""
        client = await self._open()
        return await client.extensions()

    async def scopes(self) -> frozenset[str] | None:
        """Return what the key allows; None if the service does not tell."""
        client = await self._open()
        return await client.scopes()

    async def key_rights(self) -> KeyRights:
        """Return what the service tells of the key. Raises a ContactsError."""
        return await _rights_of(await self._open())

    async def check_ready(self) -> None:
        """Raise a ContactsError if the backend does not answer."""
        await self.send(_PROBE)

    @asynccontextmanager
    async def lifespan(self, _server: object = None) -> AsyncIterator[None]:
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._resources.aclose()

    async def _open(self) -> "ContactsClient":
        if self._client is not None:
            return self._client
        async with self._opening:
            client: ContactsClient | None
            while (client := self._client) is None:
                open_client = self._open_client
                opening = await anyio.to_thread.run_sync(open_client)
                opened = await self._resources.enter_async_context(opening)
                if self._open_client is open_client:  # else its key was replaced meanwhile
                    self._client = opened
            return client


class PlatformConnection(Connection):
    """The platform with the server's own key."""

    def __init__(self, base_url: str, credential: Credential) -> None:
        super().__init__(partial(_open_platform, base_url, credential), tells_scopes=credential.is_of_directory)
        self._base_url = base_url
        self._credential = credential

    def replace_key(self, credential: Credential) -> bool:
        """Use another key for calls that begin from now on. Return False if it is the same."""
        if credential == self._credential:
            return False
        self._credential, self.tells_scopes = credential, credential.is_of_directory
        self._open_client, self._client = partial(_open_platform, self._base_url, credential), None
        return True


class DirectoryConnection(Connection):
    """The embedded directory, which also stores used nonces and approvals for all servers that share it."""

    def __init__(self, backend: Embedded, *, create: bool = True, undo_secrets: Sequence[str] = ()) -> None:
        super().__init__(lambda: self._open_directory(backend, create, undo_secrets))
        self._directory: Directory | None = None
        self.known_extensions = list_extensions(backend.database, has_keys=bool(undo_secrets))

    async def spend(self, nonce: str, expires: float) -> bool:
        """Mark a nonce as used, for all servers that share the directory; see guard.NonceStore."""
        return await self._run(lambda directory: directory.spend(nonce, expires), NonceStoreUnavailable)

    async def create(self, name: str, content: str, expires: float) -> bool:
        """See guard.ApprovalStore."""
        return await self._run(
            lambda directory: directory.create_approval(name, content, expires), ApprovalStoreUnavailable
        )

    async def read(self, name: str) -> str | None:
        """See guard.ApprovalStore."""
        return await self._run(lambda directory: directory.read_approval(name), ApprovalStoreUnavailable)

    async def names(self, prefix: str) -> list[str]:
        """See guard.ApprovalStore."""
        return list(await self._run(lambda directory: directory.approval_names(prefix), ApprovalStoreUnavailable))

    async def latest_receipts(self, before: int, limit: int) -> tuple[Sequence[Mapping[str, Any]], int]:
        """Return receipts of the owner's erasures; see Directory.latest_receipts. Raises ReceiptsUnavailable."""
        return await self._run(lambda directory: directory.latest_receipts(_OWNER, before, limit), ReceiptsUnavailable)

    async def _run(self, work: "Callable[[Directory], Awaitable[T]]", error: Callable[[], ContactsError]) -> T:
        """Run `work` on the directory; raise `error` if it is unavailable."""
        from contacts_mcp.directory import DirectoryUnavailable

        try:
            await self._open()
            assert self._directory
            return await work(self._directory)
        except DirectoryUnavailable:
            raise error() from None

    async def rights_of(self, secret: str) -> KeyRights:
        """Return the rights of a key of this directory's owner; none if there is no such key, or it was revoked.

        Raises ApprovalStoreUnavailable.
        """
        keys = await self._run(lambda directory: directory.find_keys(secret), ApprovalStoreUnavailable)
        valid = [key for key in keys if key.matches(secret) and key.revoked_at is None and key.tenant_name == _OWNER]
        return KeyRights(may_approve=any("approve" in key.scopes for key in valid))

    def _open_directory(
        self, backend: Embedded, create: bool, undo_secrets: Sequence[str]
    ) -> "AbstractAsyncContextManager[ContactsClient]":
        from contacts_mcp.directory import Directory

        self._directory = Directory(backend.database, create=create, undo_secrets=undo_secrets)
        return _client_of(self._directory)


class PerCallerConnection(Connection):
    """The platform with each caller's own key; only `check_ready` sends calls without one."""

    def __init__(self, base_url: str) -> None:
        from contacts_mcp.client import ClientPool

        open_client = partial(_open_platform, base_url)
        super().__init__(open_client)
        self._verified = ClientPool(open_client)
        self._unverified = ClientPool(open_client, max_clients=_MAX_UNVERIFIED_CLIENTS)

    def sender_for(self, caller: Caller) -> Sender:
        """Return a sender that uses the caller's key. Raises LookupError if the caller has none."""
        if caller.credential is None:
            raise LookupError("a caller without a key")
        return _CallerSender(self._verified, caller.credential)

    async def check(self, credential: Credential) -> KeyRights:
        """Return what the service tells of a key. Raises the error that it answers to a call with this key, if any."""
        async with self._unverified.lease(credential) as client:
            await client.send(_PROBE)
            return await _rights_of(client) if credential.is_of_directory else KeyRights()

    async def check_ready(self) -> None:
        """Raise a ContactsError if the platform does not answer; that it asks for a key is an answer."""
        try:
            await super().check_ready()
        except AuthenticationFailed:
            return

    @asynccontextmanager
    async def lifespan(self, _server: object = None) -> AsyncIterator[None]:
        """Close idle clients every minute, and all of them when the server ends."""
        pools = (self._verified, self._unverified)
        for pool in pools:
            self._resources.push_async_callback(pool.aclose)
        async with super().lifespan(), anyio.create_task_group() as tasks:
            tasks.start_soon(_close_idle, pools)
            yield
            tasks.cancel_scope.cancel()


async def _rights_of(client: "ContactsClient") -> KeyRights:
    tenant, scopes = await client.tenant(), await client.scopes() or ()
    return KeyRights(f"tenant {tenant}" if tenant else "", may_approve="approve" in scopes)


async def _close_idle(pools: Collection["ClientPool"]) -> None:
    while True:
        await anyio.sleep(_CLOSE_IDLE_INTERVAL_SECONDS)
        for pool in pools:
            await pool.close_idle()


@dataclass(frozen=True, slots=True)
class _CallerSender:
    """Sends calls with one caller's key."""

    pool: "ClientPool"
    credential: Credential

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        async with self.pool.lease(self.credential) as client:
            return await client.send(call, report)

    async def extensions(self) -> frozenset[str]:
        async with self.pool.lease(self.credential) as client:
            return await client.extensions()

    async def scopes(self) -> frozenset[str] | None:
        async with self.pool.lease(self.credential) as client:
            return await client.scopes()


def connect(backend: Platform | Embedded, *, create: bool = True, undo_secrets: Sequence[str] = ()) -> Connection:
    """Return a connection to a backend, which its first call opens; without `create` no directory is created.

    With `undo_secrets`, bulk updates of a directory on PostgreSQL can be undone.
    """
    if isinstance(backend, Embedded):
        return DirectoryConnection(backend, create=create, undo_secrets=undo_secrets)
    if backend.credential is None:
        return PerCallerConnection(backend.base_url)
    return PlatformConnection(backend.base_url, backend.credential)


def credential_reload(connection: Connection, settings: Settings, home: Path) -> Callable[[], str | None]:
    """Return a function that uses the key in the WAYSCloud CLI's file, which may have changed.

    It returns what it did in words, None if nothing. It raises ValueError if there is no valid key any more: then the
    one that was read before stays in use.
    """

    def reload() -> str | None:
        if not isinstance(connection, PlatformConnection):
            return None
        kept = "the WAYSCloud key that was read before stays in use"
        try:
            backend = choose_backend(settings, home)
        except ValueError as exc:
            raise ValueError(f"{exc}; {kept}") from exc
        if not isinstance(backend, Platform) or backend.credential is None:
            raise ValueError(f"no WAYSCloud key was found; {kept}")
        return "the WAYSCloud key was read again" if connection.replace_key(backend.credential) else None

    return reload


def _open_platform(base_url: str, credential: Credential | None = None) -> "ContactsClient":
    from contacts_mcp.client import ContactsClient

    return ContactsClient(credential=credential, base_url=base_url)


@asynccontextmanager
async def _client_of(directory: "Directory") -> "AsyncIterator[ContactsClient]":
    """Run a directory, and a client that calls it in this process."""
    from contacts_mcp.client import ContactsClient

    async with directory, ContactsClient(directory=directory) as client:
        yield client
