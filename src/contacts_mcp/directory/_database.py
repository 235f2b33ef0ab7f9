"""Transactions: many readers, one writer, and each transaction carried to its end."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from contacts_mcp.directory import _sqlite, _sqlite_file
from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._sqlite_faults import DriverError, is_busy, unavailable

_TRIES = 3

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """The database at `path`, opened by the first transaction.

    A piece of work is a function of a connection: it runs in one transaction, is rolled back where it raises, and may
    run again from the start where another process was in the way. Once begun, a transaction is carried to its end in
    a task of its own, even where its caller is cancelled: no lock and no connection is left behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engines: _sqlite.Engines | None = None
        self._opening = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a snapshot. Raises DirectoryUnavailable, and what `work` raises."""
        engines = await self._open()
        return await asyncio.shield(self._start(self._transact(engines.reader, work, *args, **kwargs)))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as the only writer; when this returns, its changes are on the disk. Raises as `read` does."""
        engines = await self._open()
        return await self._alone(self._transact(engines.writer, work, *args, **kwargs))

    async def erase(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as `write` does, then remove from the files what it deleted. Raises as `read` does."""
        engines = await self._open()
        return await self._alone(self._transact_and_scrub(engines, work, *args, **kwargs))

    async def aclose(self) -> None:
        """Wait for what is under way, then close every connection. What comes later is refused."""
        await asyncio.shield(asyncio.create_task(self._shut()))

    async def _shut(self) -> None:
        async with self._opening:
            self._closed = True
            engines, self._engines = self._engines, None  # from here on nobody can start
            async with self._writing:  # the lock is fair: writers who wait for it already go first
                await asyncio.gather(*self._running, return_exceptions=True)
                if engines is not None:
                    await engines.dispose()

    async def _open(self) -> _sqlite.Engines:
        if self._engines is not None:
            return self._engines
        async with self._opening:
            if self._closed:
                raise DirectoryUnavailable("The directory is closed.")
            if self._engines is None:
                # In a thread, since another process may be creating the same file and has to be waited for.
                await asyncio.to_thread(_sqlite_file.prepare, self._path)
                self._engines = _sqlite.engines(self._path)
            return self._engines

    async def _alone(self, transaction: Coroutine[Any, Any, T]) -> T:
        try:
            await self._writing.acquire()
        except BaseException:
            transaction.close()
            raise
        task = self._start(transaction)
        # The lock belongs to the transaction, not to the caller, who may be cancelled first.
        task.add_done_callback(lambda _: self._writing.release())
        return await asyncio.shield(task)

    def _start(self, transaction: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(transaction)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _transact(
        self, engine: _sqlite.Engine, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        for tries_left in reversed(range(_TRIES)):
            try:
                return await engine.run(lambda connection: work(connection, *args, **kwargs))
            except (DBAPIError, DriverError) as exc:
                cause = exc.orig if isinstance(exc, DBAPIError) else exc
                if not (tries_left and is_busy(cause)):
                    raise (unavailable(cause, self._path) or exc) from exc
        raise AssertionError  # the last try returns or raises

    async def _transact_and_scrub(
        self, engines: _sqlite.Engines, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        result = await self._transact(engines.writer, work, *args, **kwargs)
        await _sqlite.scrub(engines.writer)
        return result
