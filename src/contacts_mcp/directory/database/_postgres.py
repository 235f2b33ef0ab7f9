"""PostgreSQL: connections, isolation, removal of dead rows, and what its errors mean."""

import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, event, text
from sqlalchemy import Engine as SyncEngine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import PostgresServer
from contacts_mcp.directory._postgres_url import Host, parse_url
from contacts_mcp.directory.database._database import GENERIC_PLANS, MAX_COMPILED_STATEMENTS, Work
from contacts_mcp.directory.database._postgres_connect import Connector
from contacts_mcp.directory.database._postgres_pooler import ConnectionRefused
from contacts_mcp.directory.database._postgres_standby import (
    StandbyWatch,
    has_caught_up,
    read_applied_position,
    read_flushed_position,
)
from contacts_mcp.directory.database._schema import REVISION, REVISION_TABLE, Prepared, create_statements, not_created

_POOL_SIZE = 5
_POOL_TIMEOUT_SECONDS = 20
_CREATE_LOCK = 0x57434354  # advisory lock of the process that creates the tables
_SESSION = {"jit": "off"}  # compiling takes longer than any of these queries
_CUSTOM_PLANS = {"plan_cache_mode": "force_custom_plan"}  # the best index depends on how frequent the word is
_GENERIC_PLANS = {
    "plan_cache_mode": "force_generic_plan",  # a lookup by key always uses the index of the key
    "enable_seqscan": "off",  # even if the table was empty when the statement was planned
}
_PERSONAL_COLUMNS = {
    "contacts": "name, company_name, phone_number, phone_digits, email, words, notes",
    "contact_terms": "term",
    "spellings": "form, word",
    "counters": "term",
}
"""Columns whose values the planner's statistics would keep after an erasure."""
_PLACEHOLDERS = {
    "contact_terms": "(tenant, kind, term, contact_seq, signature) VALUES (0, '', '', 0, 0)",
    "spellings": "(tenant, form, word) VALUES (0, '', '')",
    "counters": "(tenant, kind, term, slot, live) VALUES (0, '', '', 0, 0)",
}
"""Rows for tables that an erasure may leave empty: ANALYZE keeps the old statistics of an empty table."""
_VACUUMED = ("contacts", "contact_terms", "spellings", "counters", "memberships", "idempotency_keys", "undo_entries")

_DOES_NOT_ANSWER = (503, "does not answer", "check that it runs and can be reached")
_ERRORS = (  # by the beginning of the SQLSTATE; the first match applies
    ("40", (503, "is busy with others and nothing was changed", "try again")),
    ("55P03", (503, "is busy with others and nothing was changed", "try again")),
    ("57014", (503, "took too long and nothing was changed", "try again")),
    ("57", (503, "is shutting down or starting", "try again")),
    ("53100", (507, "is on a full disk and nothing was changed", "free some space")),
    ("53", (503, "has no room for another connection", "try again, or raise its limits")),
    ("25006", (503, "is read-only and nothing was changed", "use the primary server")),
    ("28", (503, "does not accept this user or password", "correct the address")),
    ("3D", (503, "does not exist", "create it, or correct the address")),
    ("42501", (503, "does not let this user do that", "grant it rights on the schema and its tables")),
    ("58", (503, "cannot be read or written", "check the server's disk")),
    ("XX", (503, "is damaged", "see the server's log")),
    ("08", _DOES_NOT_ANSWER),
)

T = TypeVar("T")

_log = logging.getLogger(__name__)


class PostgresEngine:
    """A directory in a PostgreSQL database, with many readers and writers at a time.

    Readers see one snapshot. Writers lock the rows they read and mean to change, so that none is rolled back because of
    another, except in a deadlock, which PostgreSQL ends and the database retries.

    Planning a statement takes the server longer than a lookup. Writers, who read and change by key, and lookups
    therefore use connections that keep generic plans.
    """

    max_writers = _POOL_SIZE - 1  # one connection is left for lookups
    max_attempts = 5  # a deadlock is reported at once
    waits_for_locks = False

    def __init__(self, server: PostgresServer) -> None:
        """No connection is made before the first transaction. Raises ModuleNotFoundError without the driver."""
        self.name = f"database {server}"
        self._server = server
        self._primary = _Server(server)
        self._writer = self._primary.generic
        self._standby = _Server(server.replica) if server.replica else None
        self._watch = StandbyWatch(str(server.replica))

    async def prepare(self, *, create: bool = True) -> Prepared:
        if create:
            return await self.write(lambda connection: _prepare(connection, self.name))
        revision = await self._primary.query(lambda connection: _revision_of(connection, self.name))
        if revision is None:
            raise not_created(self._server)
        return Prepared(revision)

    async def read(self, work: Work[T]) -> T:
        return await self._read(lambda server: server.read(work))

    async def query(self, work: Work[T]) -> T:
        """Run `work` in autocommit mode: one statement is a snapshot by itself, and saves two of three round trips.

        If the work executes a second statement, it starts again on a snapshot.
        """
        return await self._read(lambda server: server.query(work))

    async def look_up(self, work: Work[T]) -> T:
        """Run `work` on the primary: a lookup costs no more than the question how far its log has come."""
        return await self._primary.look_up(work)

    async def _read(self, run: Callable[["_Server"], Awaitable[T]]) -> T:
        """Run a read on the standby if it has everything that was acknowledged before, and else on the primary."""
        if self._standby is None or self._watch.is_resting:
            return await run(self._primary)
        position = await self._primary.look_up(read_flushed_position)
        try:
            if await has_caught_up(position, partial(self._standby.look_up, read_applied_position)):
                return await run(self._standby)
        except Exception as exc:
            if self.explain(exc) is None:  # an answer, such as DirectoryNotFound
                raise
            self._watch.rest(exc)
        return await run(self._primary)

    async def write(self, work: Work[T]) -> T:
        """Run `work`, which locks the rows it reads and means to change."""
        return await _transact(self._writer, work)

    async def scrub(self) -> None:
        """Remove the dead rows and index entries of erased contacts, and their values from the planner's statistics.

        Rows that an open snapshot can still see stay until a later VACUUM. The server's own log, replicas and backups
        are up to its operator.
        """
        try:
            await self.write(_analyze)
            async with self._writer.connect() as connection:
                autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await autocommit.execute(text(f"VACUUM {', '.join(_VACUUMED)}"))
        except Exception as exc:
            if self.explain(exc) is None:
                raise
            _log.warning(
                "A contact is erased, but not yet removed from dead rows and statistics (%s)", type(exc).__name__
            )

    async def aclose(self) -> None:
        for server in (self._primary, self._standby):
            if server:
                await server.aclose()

    def is_transient(self, error: BaseException) -> bool:
        """Whether it is a conflict with another transaction, or the connection was lost before the commit."""
        return isinstance(error, _ConnectionLost) or _sqlstate(error) in ("40001", "40P01")

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        if isinstance(error, ConnectionRefused):
            return DirectoryUnavailable(f"The {self.name} {error.problem}; {error.advice}.")
        meaning = _meaning_of(error)
        if meaning is None:
            return None
        status, problem, advice = meaning
        return DirectoryUnavailable(f"The {self.name} {problem}; {advice}.", status=status)


class _Server:
    """The connections to one server."""

    def __init__(self, server: PostgresServer) -> None:
        self._poolers: set[Host] = set()
        self.generic = connect(server, self._poolers, **_GENERIC_PLANS)
        self._planner = connect(server, self._poolers, **_CUSTOM_PLANS)
        self._lookup = _single_statement(self.generic.execution_options(**{GENERIC_PLANS: True}))
        self._reader = self._planner.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._query = _single_statement(self._planner)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""
        return await _transact(self._reader, work)

    async def query(self, work: Work[T]) -> T:
        """Run `work` by itself if it is a single statement, planned for its values, and else on a snapshot."""
        return await self._single(self._query, work)

    async def look_up(self, work: Work[T]) -> T:
        """Run `work` by itself if it is a single statement, with a plan that is kept, and else on a snapshot."""
        return await self._single(self._lookup, work)

    async def aclose(self) -> None:
        await self.generic.dispose()
        await self._planner.dispose()

    async def _single(self, engine: AsyncEngine, work: Work[T]) -> T:
        if self._poolers:  # only the beginning of a transaction has a time limit and settings
            return await self.read(work)
        try:
            return await _transact(engine, work)
        except _SecondStatement:
            return await self.read(work)


def _analyze(connection: Connection) -> None:
    """Compute the statistics of personal columns again, from the rows that are left."""
    for table, columns in _PERSONAL_COLUMNS.items():
        is_empty = connection.scalar(text(f"SELECT NOT EXISTS (SELECT FROM {table})"))  # noqa: S608 - constants
        if is_empty and table in _PLACEHOLDERS:
            connection.execute(text(f"INSERT INTO {table} {_PLACEHOLDERS[table]}"))
        connection.execute(text(f"ANALYZE {table} ({columns})"))
        if is_empty and table in _PLACEHOLDERS:  # no other transaction sees the placeholder
            connection.execute(text(f"DELETE FROM {table} WHERE tenant = 0"))  # noqa: S608 - constants


class _SecondStatement(Exception):
    """The work executes more than one statement."""


class _ConnectionLost(Exception):
    """The connection was lost before the end of the transaction, which therefore has no effect."""


def connect(server: PostgresServer, poolers: set[Host] | None = None, **settings: str) -> AsyncEngine:
    """Return a SQLAlchemy engine whose sessions have these settings; it connects on demand.

    A host that turns out to be a pooler is added to `poolers`, if given, and has sessions without settings.
    """
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=Connector(
            parse_url(server.url, os.environ), _SESSION | settings, set() if poolers is None else poolers
        ),
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_SECONDS,
        query_cache_size=MAX_COMPILED_STATEMENTS,
        hide_parameters=True,  # errors may be logged, personal data may not
        isolation_level="READ COMMITTED",
    )


def _single_statement(connections: AsyncEngine) -> AsyncEngine:
    engine = connections.execution_options(isolation_level="AUTOCOMMIT")

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.info["has_executed"] = False

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _execute(connection: Connection, *_: object) -> None:
        if connection.info["has_executed"]:
            raise _SecondStatement
        connection.info["has_executed"] = True

    return engine


async def _transact(engine: AsyncEngine, work: Work[T]) -> T:
    # One greenlet for the whole transaction: `AsyncEngine.begin` switches for each step, which costs 0.1 ms.
    return await greenlet_spawn(_run_in_transaction, engine.sync_engine, work)


def _run_in_transaction(engine: SyncEngine, work: Work[T]) -> T:
    with engine.begin() as connection:
        try:
            return work(connection)
        except DBAPIError as exc:
            if exc.connection_invalidated:  # for example, the server was restarted
                raise _ConnectionLost from exc
            raise


def _prepare(connection: Connection, name: str) -> Prepared:
    if revision := _revision_of(connection, name):
        return Prepared(revision)
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CREATE_LOCK})
    revision = _revision_of(connection, name)  # another process may have created the tables meanwhile
    if not revision:
        _create_tables(connection, name)
    return Prepared(revision or REVISION, is_new=not revision)


def _revision_of(connection: Connection, name: str) -> str | None:
    """Return the revision of the directory, None if the database has none. Raises DirectoryUnavailable."""
    # `to_regclass` would answer from a cache, which does not learn here what another process has just created.
    query = text("SELECT relname FROM pg_class WHERE relname IN (:revision, 'contacts') AND pg_table_is_visible(oid)")
    found = set(connection.execute(query, {"revision": REVISION_TABLE}).scalars())
    if REVISION_TABLE in found:
        return str(connection.execute(text(f"SELECT version_num FROM {REVISION_TABLE}")).scalar_one())  # noqa: S608
    if "contacts" in found:
        raise DirectoryUnavailable(f"The {name} has a table `contacts` of another program; choose another database.")
    return None


def _create_tables(connection: Connection, name: str) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DBAPIError as exc:
        raise DirectoryUnavailable(
            f"The {name} lacks the extension pg_trgm, and this user may not add it; have its administrator"
            " run `CREATE EXTENSION pg_trgm` in it."
        ) from exc
    for statement in create_statements(connection.dialect):
        connection.exec_driver_sql(statement)


def _meaning_of(error: BaseException) -> tuple[int, str, str] | None:
    """Return the status, the problem and the advice, None if the server is not at fault."""
    if isinstance(error, PoolTimeout):
        return 503, "has no free connection", "try again"
    state = _sqlstate(error)
    if state is None:
        is_connection_error = isinstance(error, OSError | _ConnectionLost) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        )
        return _DOES_NOT_ANSWER if is_connection_error else None
    return next((meaning for prefix, meaning in _ERRORS if state.startswith(prefix)), None)


def _sqlstate(error: BaseException) -> str | None:
    cause: object = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None)
