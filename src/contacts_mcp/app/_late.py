"""Backends that are imported and opened on first use: no host waits for one before it sees the tools."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
import anyio.to_thread

from contacts_mcp.app._backends import Embedded, OwnKeys, Platform
from contacts_mcp.contract import AnswerT, AuthenticationFailed, Call, ListContacts, ProgressCallback
from contacts_mcp.guard import NonceStoreUnavailable
from contacts_mcp.server import Caller
from contacts_mcp.tools import Sender

if TYPE_CHECKING:
    from contacts_mcp.client import ClientPool, ContactsClient, Credential
    from contacts_mcp.directory import Directory

T = TypeVar("T")

_PROBE = ListContacts(per_page=1)
_STRANGERS = 16
"""Keys at once of which the service is asked whether it takes them."""
_TENDED = 60.0
"""Seconds between two looks for clients that nobody uses any more."""


class Lazy(Generic[T]):
    """Opened by the first call, closed when the server ends."""

    def __init__(self, opener: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opener = opener
        self._opened: T | None = None
        self._opening = anyio.Lock()
        self._resources = AsyncExitStack()

    async def __call__(self) -> T:
        """What there is to work with, imported in a thread, so that the server answers meanwhile."""
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    opener = await anyio.to_thread.run_sync(self._opener)
                    self._opened = await self._resources.enter_async_context(opener)
        return self._opened

    @property
    def opened(self) -> T | None:
        """The same, where it was opened already."""
        return self._opened

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Close what was opened when the server ends."""
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._resources.aclose()


class SharedClient:
    """One client for every caller: the platform with the server's own key."""

    def __init__(self, backend: Platform) -> None:
        self._client = Lazy(lambda: _platform(backend))

    def sender_for(self, _caller: Caller) -> Sender:
        """Every caller works with the server's key."""
        return self

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send a call; see ContactsClient.send."""
        client = await self._client()
        return await client.send(call, report)

    async def extensions(self) -> frozenset[str]:
        """What the service offers beyond the API's page."""
        client = await self._client()
        return await client.extensions()

    async def check_ready(self) -> None:
        """Raise a ContactsError where the platform cannot be worked with."""
        await self.send(_PROBE)

    @asynccontextmanager
    async def lifespan(self, _server: object = None) -> AsyncIterator[None]:
        """Hold what is opened until the server ends."""
        async with self._client.lifespan():
            yield


class OneDirectory:
    """The embedded directory, which every caller shares; it also remembers which answers were used."""

    def __init__(self, backend: Embedded) -> None:
        self._both = Lazy(lambda: _embedded(backend))

    def sender_for(self, _caller: Caller) -> Sender:
        """Every caller works on the one directory."""
        return self

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send a call; see ContactsClient.send."""
        client, _ = await self._both()
        return await client.send(call, report)

    async def extensions(self) -> frozenset[str]:
        """What the directory offers beyond the API's page."""
        client, _ = await self._both()
        return await client.extensions()

    async def spend(self, nonce: str, expires: float) -> bool:
        """See guard.NonceStore: single use among all servers that share the file."""
        from contacts_mcp.directory import DirectoryUnavailable

        _, directory = await self._both()
        try:
            return await directory.spend(nonce, expires)
        except DirectoryUnavailable:
            raise NonceStoreUnavailable from None

    async def check_ready(self) -> None:
        """Raise a ContactsError where the file cannot be worked with."""
        await self.send(_PROBE)

    @asynccontextmanager
    async def lifespan(self, _server: object = None) -> AsyncIterator[None]:
        """Hold what is opened until the server ends."""
        async with self._both.lifespan():
            yield


class PerCallerClients:
    """The platform with each caller's own key."""

    def __init__(self, backend: OwnKeys) -> None:
        self._pools = Lazy(lambda: _pools(backend))

    def sender_for(self, caller: Caller) -> Sender:
        """Send with the caller's key alone. A caller without one was let in by mistake: LookupError."""
        if caller.credential is None:
            raise LookupError("a caller without a key")
        return _WithKey(self._pools, caller.credential)

    async def check(self, credential: "Credential") -> None:
        """Raise what the platform answers to a call with this key."""
        pools = await self._pools()
        await pools.strangers.send(credential, _PROBE)

    async def check_ready(self) -> None:
        """Raise a ContactsError where the platform does not answer; without a key its answer is that it wants one."""
        pools = await self._pools()
        try:
            await pools.nobody.send(_PROBE)
        except AuthenticationFailed:
            return

    @asynccontextmanager
    async def lifespan(self, _server: object = None) -> AsyncIterator[None]:
        """Hold what is opened until the server ends, and close clients meanwhile that nobody uses."""
        async with self._pools.lifespan(), anyio.create_task_group() as tasks:
            tasks.start_soon(self._tend)
            yield
            tasks.cancel_scope.cancel()

    async def _tend(self) -> None:
        while True:
            await anyio.sleep(_TENDED)
            if pools := self._pools.opened:
                await pools.callers.close_idle()
                await pools.strangers.close_idle()


class _Pools:
    def __init__(self, callers: "ClientPool", strangers: "ClientPool", nobody: "ContactsClient") -> None:
        self.callers = callers
        self.strangers = strangers
        self.nobody = nobody


class _WithKey:
    def __init__(self, pools: Lazy[_Pools], credential: "Credential") -> None:
        self._pools = pools
        self._credential = credential

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        pools = await self._pools()
        return await pools.callers.send(self._credential, call, report)

    async def extensions(self) -> frozenset[str]:
        pools = await self._pools()
        return await pools.callers.extensions(self._credential)


Connection = SharedClient | OneDirectory | PerCallerClients


def connect(backend: Platform | Embedded | OwnKeys) -> Connection:
    """The way to a backend, not yet gone."""
    if isinstance(backend, Platform):
        return SharedClient(backend)
    return OneDirectory(backend) if isinstance(backend, Embedded) else PerCallerClients(backend)


def _platform(backend: Platform) -> AbstractAsyncContextManager["ContactsClient"]:
    from contacts_mcp.client import ContactsClient

    return ContactsClient(credential=backend.credential, base_url=backend.base_url)


def _embedded(backend: Embedded) -> AbstractAsyncContextManager[tuple["ContactsClient", "Directory"]]:
    from contacts_mcp.directory import Directory

    return _without_a_wire(Directory(backend.database))


@asynccontextmanager
async def _without_a_wire(directory: "Directory") -> AsyncIterator[tuple["ContactsClient", "Directory"]]:
    """The client over the embedded directory: the same wire format, without a wire."""
    import httpx

    from contacts_mcp.client import ContactsClient

    transport = httpx.ASGITransport(directory.app, raise_app_exceptions=False)
    async with directory, ContactsClient(base_url="http://embedded", transport=transport) as client:
        yield client, directory


def _pools(backend: OwnKeys) -> AbstractAsyncContextManager[_Pools]:
    from contacts_mcp.client import ClientPool, ContactsClient

    def open_client(credential: "Credential") -> ContactsClient:
        return ContactsClient(credential=credential, base_url=backend.base_url)

    return _held(
        _Pools(
            ClientPool(open_client),
            ClientPool(open_client, max_clients=_STRANGERS),
            ContactsClient(base_url=backend.base_url),
        )
    )


@asynccontextmanager
async def _held(pools: _Pools) -> AsyncIterator[_Pools]:
    async with pools.nobody:
        try:
            yield pools
        finally:
            await pools.callers.aclose()
            await pools.strangers.aclose()
