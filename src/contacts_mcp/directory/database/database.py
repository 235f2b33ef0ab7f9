"""Transactions: many readers, as many writers as the engine takes, and each transaction carried to its end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory.database.engine import Engine, Faults, Work
from contacts_mcp.directory.database.sqlite_faults import SqliteErrors

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """The database at `place`, opened by the first transaction.

    A piece of work is a function of a connection: it runs in one transaction, is rolled back where it raises, and may
    run again from the start where another writer was in the way. Once begun, a transaction is carried to its end in
    a task of its own, even where its caller is cancelled: no lock and no connection is left behind.
    """

    def __init__(self, place: Location, follow: Callable[[Engine], Awaitable[None]] | None = None) -> None:
        """`follow` is called with what was opened, before anybody uses it, and after each erasure."""
        self._place = place
        self._follow = follow
        self._faults = _faults_of(place)
        self._engine: Engine | None = None
        self._opening = asyncio.Lock()
        self._writing = asyncio.Semaphore(0)
        self._running: set[asyncio.Task[Any]] = set()
        self._scrubbing: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a snapshot. Raises DirectoryUnavailable, and what `work` raises."""
        engine = await self._open()
        return await asyncio.shield(self._start(self._transact(engine.read, work, *args, **kwargs)))

    async def ask(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what `read` does, at the least cost where `work` is a single statement, as it mostly should be."""
        engine = await self._open()
        return await asyncio.shield(self._start(self._transact(engine.ask, work, *args, **kwargs)))

    async def look_up(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what `ask` does, for less still where the statement is carried out in one way whatever its values are."""
        engine = await self._open()
        return await asyncio.shield(self._start(self._transact(engine.look_up, work, *args, **kwargs)))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as a writer; when this returns, its changes are on the disk. Raises as `read` does."""
        engine = await self._open()
        return await self._in_turn(self._transact(engine.write, work, *args, **kwargs))

    async def erase(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as `write` does, then remove from the disk what it deleted. Raises as `read` does."""
        result = await self.write(work, *args, **kwargs)
        await self._scrub()
        return result

    async def aclose(self) -> None:
        """Wait for what is under way, then close every connection. What comes later is refused."""
        await asyncio.shield(asyncio.create_task(self._shut()))

    async def _shut(self) -> None:
        async with self._opening:
            self._closed = True
            engine, self._engine = self._engine, None  # from here on nobody can start
            if engine is None:
                return
            for _ in range(engine.writers):  # turns are fair: writers who wait for one already go first
                await self._writing.acquire()
            await asyncio.gather(*self._running, return_exceptions=True)
            await engine.close()

    async def _open(self) -> Engine:
        if self._engine is not None:
            return self._engine
        async with self._opening:
            if self._closed:
                raise DirectoryUnavailable("The directory is closed.")
            if self._engine is None:
                try:
                    engine = await self._opened()
                except Exception as exc:
                    self._explain(exc)
                    raise
                self._writing = asyncio.Semaphore(engine.writers)
                self._engine = engine
            return self._engine

    async def _opened(self) -> Engine:
        engine = await open_engine(self._place)
        try:
            if self._follow:
                await self._follow(engine)
        except BaseException:
            await engine.close()
            raise
        return engine

    async def _in_turn(self, transaction: Coroutine[Any, Any, T]) -> T:
        try:
            await self._writing.acquire()
        except BaseException:
            transaction.close()
            raise
        task = self._start(transaction)
        # The turn belongs to the transaction, not to the caller, who may be cancelled first.
        task.add_done_callback(lambda _: self._writing.release())
        return await asyncio.shield(task)

    def _start(self, transaction: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(transaction)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _transact(
        self,
        transact: Callable[[Work[T]], Awaitable[T]],
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        for tries_left in reversed(range(self._faults.tries)):
            try:
                return await transact(lambda connection: work(connection, *args, **kwargs))
            except Exception as exc:
                if tries_left and self._faults.is_transient(exc):
                    continue
                self._explain(exc)
                raise
        raise AssertionError  # the last try returns or raises

    def _explain(self, error: Exception) -> None:
        """Raise what an error means to somebody who keeps contacts, where it means something to them."""
        if known := self._faults.explain(error):
            raise known from error

    async def _scrub(self) -> None:
        """Take part in a scrub that begins after now: however many ask while one is under way, one more is enough."""
        if self._scrubbing is None:
            engine = await self._open()
            self._scrubbing = self._start(self._in_turn(self._begin_scrub(engine)))
        await asyncio.shield(self._scrubbing)

    async def _begin_scrub(self, engine: Engine) -> None:
        self._scrubbing = None  # whoever erases from here on needs another one
        if self._follow:
            await self._follow(engine)
        await engine.scrub()


async def open_engine(place: Location) -> Engine:
    """Open what is at `place`, and create its tables where there are none. Raises DirectoryUnavailable."""
    if isinstance(place, PostgresServer):
        try:
            from contacts_mcp.directory.database.postgres import PostgresEngine
        except ModuleNotFoundError as exc:
            raise DirectoryUnavailable(
                f"The database {place} needs the driver {exc.name}; install wayscloud-contacts-mcp[postgres]."
            ) from exc

        return await PostgresEngine.open(place)
    from contacts_mcp.directory.database.sqlite import SqliteEngine

    return await SqliteEngine.open(place)


def _faults_of(place: Location) -> Faults:
    if isinstance(place, PostgresServer):
        from contacts_mcp.directory.database.postgres_faults import PostgresErrors

        return PostgresErrors(place)
    return SqliteErrors(place)
