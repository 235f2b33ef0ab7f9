"""The PostgreSQL side of the database: connections, isolation, and the removal of dead rows."""

import logging
from typing import Self, TypeVar

from sqlalchemy import Connection, event, text
from sqlalchemy import Engine as SyncEngine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import PostgresServer
from contacts_mcp.directory.database.engine import KEEPS_PLANS, Work
from contacts_mcp.directory.database.postgres_faults import CutOff
from contacts_mcp.directory.database.schema import REVISION, REVISION_TABLE, must_migrate, statements

_CONNECTIONS = 5
"""Of either kind: those whose plans are kept, and those that plan each statement for its values."""
_CONNECT_SECONDS = 10
_POOL_SECONDS = 20
_SETTING_UP = 0x57434354  # the lock of whoever creates the tables
_SESSION = {
    "application_name": "contacts-mcp",
    "jit": "off",  # it takes longer than any query
}
_PLANNING = {"plan_cache_mode": "force_custom_plan"}  # which index serves best depends on how many have the word
_KEEPING = {
    "plan_cache_mode": "force_generic_plan",  # what is looked up by a key is always looked up by that key's index
    "enable_seqscan": "off",  # even where the table was empty when that was planned
}
_SWEPT = ("contacts", "contact_terms", "spellings", "tallies", "memberships", "created")

T = TypeVar("T")

_log = logging.getLogger(__name__)


class PostgresEngine:
    """A directory in a PostgreSQL database: many read and write at once.

    Readers see one snapshot. Writers lock what they read and mean to change, so that none of them is undone for
    another's sake but where two wait for each other, which PostgreSQL ends and the database tries again.

    To plan a statement takes the server longer than to look something up, so there are connections whose plans are
    kept: for writers, who read and change by keys, and for lookups.
    """

    writers = _CONNECTIONS - 1  # one is left for lookups

    def __init__(self, server: PostgresServer) -> None:
        """Engine over a database that has its tables. No connection is made before the first transaction."""
        self._writer = connect(server, **_KEEPING)
        self._looker = _for_one_statement(self._writer.execution_options(**{KEEPS_PLANS: True}))
        self._planner = connect(server, **_PLANNING)
        self._reader = self._planner.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._asker = _for_one_statement(self._planner)

    @classmethod
    async def open(cls, server: PostgresServer) -> Self:
        """Connect, create the tables where the database has none, and check that it is of this revision."""
        engine = cls(server)
        try:
            await engine.write(lambda connection: _prepare(connection, server))
        except BaseException:
            await engine.close()
            raise
        return engine

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""
        return await _transact(self._reader, work)

    async def ask(self, work: Work[T]) -> T:
        """Run `work` without a transaction: one statement is a snapshot by itself, and saves two of three round trips.

        Where a second statement follows, the work starts over, on a snapshot.
        """
        return await self._ask(self._asker, work)

    async def look_up(self, work: Work[T]) -> T:
        """Do the same with a plan that is kept, which saves the server most of its work."""
        return await self._ask(self._looker, work)

    async def _ask(self, engine: AsyncEngine, work: Work[T]) -> T:
        try:
            return await _transact(engine, work)
        except _AnotherStatement:
            return await self.read(work)

    async def write(self, work: Work[T]) -> T:
        """Run `work`, which locks what it reads and means to change."""
        return await _transact(self._writer, work)

    async def scrub(self) -> None:
        """Have the server remove the dead rows and index entries of what was erased.

        What is older than the oldest snapshot in use stays until a later VACUUM, and the server's own log, replicas and
        backups are its operator's.
        """
        try:
            async with self._writer.connect() as connection:
                plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await plain.execute(text(f"VACUUM {', '.join(_SWEPT)}"))
        except (DBAPIError, OSError) as exc:
            _log.warning("A contact is erased, but its dead rows could not be removed yet (%s)", type(exc).__name__)

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._planner.dispose()


class _AnotherStatement(Exception):
    """Work went on after the one statement that it may run."""


def _for_one_statement(connections: AsyncEngine) -> AsyncEngine:
    engine = connections.execution_options(isolation_level="AUTOCOMMIT")

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.info["asked"] = False

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _ask(connection: Connection, *_: object) -> None:
        if connection.info["asked"]:
            raise _AnotherStatement
        connection.info["asked"] = True

    return engine


async def _transact(engine: AsyncEngine, work: Work[T]) -> T:
    # All in one greenlet: `AsyncEngine.begin` takes one for each of its steps, and a tenth of a millisecond for that.
    return await greenlet_spawn(_in_transaction, engine.sync_engine, work)


def _in_transaction(engine: SyncEngine, work: Work[T]) -> T:
    with engine.begin() as connection:
        try:
            return work(connection)
        except DBAPIError as exc:
            if exc.connection_invalidated:  # as by a server that was started anew
                raise CutOff from exc
            raise


def connect(server: PostgresServer, **settings: str) -> AsyncEngine:
    """An engine that makes its connections when they are needed, for sessions with such settings."""
    return create_async_engine(
        server.url,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
        hide_parameters=True,  # errors may be logged, people's data may not
        isolation_level="READ COMMITTED",
        connect_args={
            "timeout": _CONNECT_SECONDS,
            "server_settings": _SESSION | settings,
        },
    )


def _prepare(connection: Connection, server: PostgresServer) -> None:
    revision = settle(connection, server)
    if revision != REVISION:
        raise DirectoryUnavailable(must_migrate(f"database {server}", revision))


def settle(connection: Connection, server: PostgresServer) -> str:
    """The revision of the directory in the database; one without a directory is given the tables of the present one."""
    if revision := revision_of(connection, server):
        return revision
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SETTING_UP})
    revision = revision_of(connection, server)  # another process may have been first
    if not revision:
        _create(connection, server)
    return revision or REVISION


def revision_of(connection: Connection, server: PostgresServer) -> str | None:
    """The revision of the directory; None where there is none. Raises DirectoryUnavailable."""
    query = text("SELECT to_regclass(:revision) IS NOT NULL, to_regclass('contacts') IS NOT NULL")
    versioned, contacts = connection.execute(query, {"revision": REVISION_TABLE}).one()
    if versioned:
        return str(connection.execute(text(f"SELECT version_num FROM {REVISION_TABLE}")).scalar_one())  # noqa: S608
    if contacts:
        raise DirectoryUnavailable(
            f"The database {server} has a table `contacts` of another program; choose another database."
        )
    return None


def _create(connection: Connection, server: PostgresServer) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DBAPIError as exc:
        raise DirectoryUnavailable(
            f"The database {server} lacks the extension pg_trgm, and this user may not add it; have its administrator"
            " run `CREATE EXTENSION pg_trgm` in it."
        ) from exc
    for statement in statements(connection.dialect):
        connection.exec_driver_sql(statement)
