"""Run transactions: any number of readers, and as many writers as the engine allows. Each runs to its end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory.database._schema import Prepared, require_current_revision

P = ParamSpec("P")
T = TypeVar("T")

Work = Callable[[Connection], T]
"""The body of one transaction. It runs again from the start after a conflict with another transaction."""

MAX_COMPILED_STATEMENTS = 100
"""How many compiled statements an engine keeps: one of a search takes up to 140 KB, and its shapes are many."""

GENERIC_PLANS = "generic_plans"
"""Execution option of connections on which the server plans each statement once, for all values."""


_log = logging.getLogger(__name__)


class Engine(Protocol):
    """A database. Each `Work` is one transaction, which is rolled back if the work raises.

    Attributes:
        name: how messages refer to the database, such as `file /path` (without a password).
        max_writers: number of transactions that can write at the same time.
        max_attempts: how often work is tried before a transient error is raised.
        waits_for_locks: whether each attempt has waited for locks of other processes as long as is reasonable.
    """

    name: str
    max_writers: int
    max_attempts: int
    waits_for_locks: bool

    async def prepare(self, *, create: bool = True) -> Prepared:
        """Return the revision; if there are no tables, create them or refuse that. Raises DirectoryUnavailable."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""
        ...

    async def query(self, work: Work[T]) -> T:
        """Run `work` on a snapshot; cheapest if it executes a single statement."""
        ...

    async def look_up(self, work: Work[T]) -> T:
        """Run `work` like `query`; cheapest if the plan of the statement does not depend on its values."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run `work` as a writer; when this returns, its changes are on the disk."""
        ...

    async def scrub(self) -> None:
        """Remove deleted rows from the disk. If something prevents that, it is logged."""

    async def aclose(self) -> None:
        """Close every connection. None may be in use."""

    def is_transient(self, error: BaseException) -> bool:
        """Whether the error is a conflict with another transaction, so that the same work may succeed now."""
        ...

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        """Return what a driver's error means for the operator and what to do; None if it is a bug of this program."""


class Database:
    """A database that is opened by its first transaction.

    A transaction is a function of a connection. It is rolled back if it raises, and runs again from the start after
    a conflict with another writer. It runs to its end in a task of its own, even if its caller is cancelled, so that no
    lock and no connection is left behind.
    """

    def __init__(
        self, location: Location, sync: Callable[[Engine], Awaitable[None]] | None = None, *, create: bool = True
    ) -> None:
        """`sync` is called before the first transaction and after each erasure, to bring up to date what depends on it.

        A missing database is created, and logged; without `create`, every transaction raises DirectoryUnavailable.
        """
        self.is_new = False
        self._create = create
        self._location = location
        self._sync = sync
        self._engine: Engine | None = None
        self._opening: _Opening | None = None
        self._writing = asyncio.Semaphore(0)
        self._running: set[asyncio.Task[Any]] = set()
        self._scrubbing: asyncio.Task[None] | None = None
        self._is_closed = False

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a snapshot. Raises DirectoryUnavailable, and what `work` raises."""
        engine = self._engine or await self._open()
        return await asyncio.shield(self._start(_transact(engine, engine.read, work, *args, **kwargs)))

    async def query(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` like `read`; cheapest if it executes a single statement."""
        engine = self._engine or await self._open()
        return await asyncio.shield(self._start(_transact(engine, engine.query, work, *args, **kwargs)))

    async def look_up(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` like `query`; cheapest if the plan of the statement does not depend on its values."""
        engine = self._engine or await self._open()
        return await asyncio.shield(self._start(_transact(engine, engine.look_up, work, *args, **kwargs)))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as a writer; when this returns, its changes are on the disk. Raises as `read` does."""
        engine = self._engine or await self._open()
        await self._writing.acquire()
        task = self._start(_transact(engine, engine.write, work, *args, **kwargs))
        # The task releases the semaphore, not the caller, who may be cancelled first.
        task.add_done_callback(lambda _: self._writing.release())
        return await asyncio.shield(task)

    async def erase(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as `write` does, then remove from the disk what it deleted. Raises as `read` does."""
        result = await self.write(work, *args, **kwargs)
        try:
            await self._scrub()
        except DirectoryUnavailable as exc:
            exc.nothing_changed = False
            raise
        return result

    async def aclose(self) -> None:
        """Wait for running transactions, then close every connection. Later transactions are refused."""
        await asyncio.shield(asyncio.create_task(self._close()))

    async def _close(self) -> None:
        self._is_closed = True
        if self._opening:
            await self._opening.end()
        engine, self._engine = self._engine, None  # no transaction can start from here on
        if engine is None:
            return
        for _ in range(engine.max_writers):  # the semaphore is fair: writers that already wait go first
            await self._writing.acquire()
        await asyncio.gather(*self._running, return_exceptions=True)
        await engine.aclose()

    async def _open(self) -> Engine:
        """Open the database, or raise DirectoryUnavailable. All callers that wait share one attempt.

        If each made its own in turn, the last would wait longer than callers do, who could not tell whether a change
        was made.
        """
        if self._is_closed:
            raise _not_opened("The directory is closed.")
        if self._engine:
            return self._engine
        if self._opening is None or self._opening.is_over:
            self._opening = _Opening(self._open_engine())
        try:
            await self._opening.wait()
        except DirectoryUnavailable as exc:
            raise _not_opened(str(exc), exc.status) from exc.__cause__
        return self._engine or await self._open()  # it was closed meanwhile

    async def _open_engine(self) -> None:
        engine = build_engine(self._location)
        try:
            revision, is_new = await engine.prepare(create=self._create)
            require_current_revision(engine.name, revision, self._location)
            if is_new:
                self.is_new = True
                _log.info("Created a new directory in the %s", engine.name)
            if self._sync:
                await self._sync(engine)
        except DirectoryUnavailable:
            await engine.aclose()
            raise
        except Exception as exc:
            await engine.aclose()
            raise engine.explain(exc) or DirectoryUnavailable(
                f"The {engine.name} cannot be opened ({type(exc).__name__}); check it, or choose another."
            ) from exc
        except BaseException:
            await engine.aclose()
            raise
        self._writing = asyncio.Semaphore(engine.max_writers)
        self._engine = engine

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _scrub(self) -> None:
        """Wait for a scrub that starts after now. Callers that come while one runs share the next one."""
        if self._scrubbing is None:
            engine = self._engine or await self._open()
            self._scrubbing = self._start(self._scrub_in_turn(engine))
        await asyncio.shield(self._scrubbing)

    async def _scrub_in_turn(self, engine: Engine) -> None:
        async with self._writing:
            self._scrubbing = None  # an erasure from here on needs another scrub
            if self._sync:
                await self._sync(engine)
            await engine.scrub()


class _Opening:
    """One attempt to open a database, for any number of callers; it ends early if none waits for it any more."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.create_task(work)
        self._waiters = 0
        self.is_over = False

    async def wait(self) -> None:
        """Wait until the attempt has ended, and raise what it raises."""
        self._waiters += 1
        try:
            await asyncio.shield(self._task)
        finally:
            self._waiters -= 1
            if not self._waiters:
                self.is_over = True
                self._task.cancel()

    async def end(self) -> None:
        """Wait until the attempt has ended in any way."""
        await asyncio.wait({self._task})


def _not_opened(message: str, status: int = 503) -> DirectoryUnavailable:
    error = DirectoryUnavailable(message, status=status)
    error.nothing_changed = error.is_lasting = True
    return error


def build_engine(location: Location) -> Engine:
    """Return the engine for a location; it makes no connection yet.

    Raises:
        DirectoryUnavailable: the PostgreSQL driver is not installed.
    """
    if isinstance(location, PostgresServer):
        try:
            from contacts_mcp.directory.database._postgres import PostgresEngine

            return PostgresEngine(location)
        except ModuleNotFoundError as exc:
            raise DirectoryUnavailable(
                f"The database {location} needs the driver {exc.name}; install wayscloud-contacts-mcp[postgres]."
            ) from exc
    from contacts_mcp.directory.database._sqlite import SqliteEngine

    return SqliteEngine(location)  # pyright: ignore[reportReturnType] - it does not see that `query = read` is generic


async def _transact(
    engine: Engine,
    run: Callable[[Work[T]], Awaitable[T]],
    work: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    may_commit = False

    def body(connection: Connection) -> T:
        nonlocal may_commit
        result = work(connection, *args, **kwargs)
        may_commit = True
        return result

    for attempts_left in reversed(range(engine.max_attempts)):
        may_commit = False  # an attempt that is repeated was rolled back
        try:
            return await run(body)
        except Exception as exc:
            if attempts_left and engine.is_transient(exc):
                continue
            if explained := engine.explain(exc):
                explained.nothing_changed = not may_commit
                explained.is_lasting = engine.waits_for_locks and engine.is_transient(exc)
                raise explained from exc
            raise
    raise AssertionError  # the last attempt returns or raises
