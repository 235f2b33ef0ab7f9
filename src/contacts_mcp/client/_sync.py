"""SyncContactsClient: the client for scripts and notebooks, without `async`.

It runs a ContactsClient on an event loop in a thread of its own, so it also works where a loop is running already, as
in Jupyter. Each method waits for the method of the same name.
"""

import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar, Unpack

import anyio.to_thread
from anyio import CancelScope
from anyio.from_thread import BlockingPortal, start_blocking_portal

from contacts_mcp.client._client import ClientOptions, ContactsClient
from contacts_mcp.client._pages import ContactPages
from contacts_mcp.contract import AnswerT, Call, Contact, ListContacts, ProgressCallback

SyncProgressCallback = Callable[[float, float | None, str | None], None]
"""Reports a long call's progress: how many are done, of how many (None if unknown), and a message."""

_T = TypeVar("_T")


class SyncContactsClient:
    """Sends calls to the Contacts API and waits for the answers. Use it as a context manager, or `close()` it.

    It takes the arguments of ContactsClient. Several threads may share it. Ctrl-C cancels the call that it interrupts.
    A client that is not closed is closed when it is garbage-collected, or when the process ends.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self._start(partial(ContactsClient, **options))

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, home: Path | None = None, **options: Unpack[ClientOptions]
    ) -> Self:
        """Make a client of the directory or platform that the environment names; see ContactsClient."""
        return cls._from(partial(ContactsClient.from_environment, environ, home, **options))

    @classmethod
    def for_directory(cls, location: str | os.PathLike[str], **options: Unpack[ClientOptions]) -> Self:
        """Make a client of an embedded directory; see ContactsClient."""
        return cls._from(partial(ContactsClient.for_directory, location, **options))

    def send(self, call: Call[AnswerT], report: SyncProgressCallback | None = None) -> AnswerT:
        """Send a call and return the service's answer. Raises a subclass of ContactsError if the call failed.

        `report` gets the progress of a call that takes many requests; it is called in another thread.
        """
        return self._wait(partial(self._client.send, call, _to_async(report)))

    def extensions(self) -> frozenset[str]:
        """Return what the service offers beyond the API documentation, such as `scan` and `batch`.

        Raises a ContactsError if the service gave no answer.
        """
        return self._wait(self._client.extensions)

    def scopes(self) -> frozenset[str] | None:
        """Return what the key allows, some of `read`, `write` and `approve`; None if the service does not tell.

        The service is asked as for `extensions`.
        """
        return self._wait(self._client.scopes)

    def tenant(self) -> str | None:
        """Return the name of the tenant whose contacts the key opens; None if the service does not tell.

        The service is asked as for `extensions`.
        """
        return self._wait(self._client.tenant)

    def iterate(self, call: ListContacts | None = None) -> Iterator[Contact]:
        """Iterate over contacts from the call's page to the last, each once; fetches a page when it is needed.

        Without a call it iterates over all contacts.
        """
        pages = ContactPages(call)
        while rows := self._wait(partial(pages.fetch_next, self._client.send)):
            yield from rows

    def list_all(self, call: ListContacts | None = None) -> list[Contact]:
        """Return the contacts that `iterate` yields, as a list."""
        return list(self.iterate(call))

    def close(self) -> None:
        """Close the connections and end the thread. Closing again is no error."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._client).replace("ContactsClient", "SyncContactsClient", 1)

    @classmethod
    def _from(cls, make_client: Callable[[], ContactsClient]) -> Self:
        client = cls.__new__(cls)
        client._start(make_client)  # noqa: SLF001
        return client

    def _start(self, make_client: Callable[[], ContactsClient]) -> None:
        """Start the thread, and make the client in it: a client belongs to one event loop."""
        with ExitStack() as resources:
            self._portal = resources.enter_context(start_blocking_portal(name="contacts-client"))
            self._client = self._portal.call(make_client)
            thread_id = self._portal.call(threading.get_ident)
            self._close = weakref.finalize(self, _close, self._portal, self._client, thread_id, resources.pop_all())

    def _wait(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """Run a function in the thread and wait for its result; cancel it if the wait is interrupted."""
        if not self._close.alive:
            raise RuntimeError("this client is closed; make a new one")
        scopes: list[CancelScope] = []

        async def run() -> _T:
            with CancelScope() as scope:
                scopes.append(scope)
                return await function()
            raise CancelledError

        def cancel() -> None:
            for scope in scopes:
                scope.cancel()

        try:
            return self._portal.start_task_soon(run).result()
        except BaseException:  # Ctrl-C may come before there is a future to cancel
            self._portal.start_task_soon(cancel)
            raise


def _close(portal: BlockingPortal, client: ContactsClient, thread_id: int, resources: ExitStack) -> None:
    """Close a client and end its thread."""
    if threading.get_ident() == thread_id:  # garbage collection can run in any thread; this one cannot wait for itself
        threading.Thread(target=_close, args=(portal, client, 0, resources)).start()
        return
    with resources, suppress(RuntimeError):  # the process ends: a database can start no thread to close itself
        portal.call(client.aclose)


def _to_async(report: SyncProgressCallback | None) -> ProgressCallback | None:
    """Run a callback in a worker thread, so that it can wait or use the client."""
    if report is None:
        return None

    async def report_in_thread(done: float, total: float | None, message: str | None) -> None:
        await anyio.to_thread.run_sync(report, done, total, message)

    return report_in_thread
