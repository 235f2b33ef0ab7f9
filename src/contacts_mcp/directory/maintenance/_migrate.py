"""Bringing an older database to the present schema."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory.database.schema import REVISION, REVISION_TABLE, must_migrate
from contacts_mcp.directory.store import index

ProgressCallback = Callable[[int], None]


async def migrate(place: Location, report: ProgressCallback = lambda _: None) -> tuple[str, str]:
    """Migrate the database at `place`, in one transaction: the revisions it had and has.

    A new one is created, and one of this revision is left as it is. `report` is told how many contacts were indexed.
    Raises DirectoryUnavailable.
    """
    if isinstance(place, PostgresServer):
        return await _server(place, report)
    return await _file(place, report)


def upgrade(connection: Connection, revision: str, report: ProgressCallback = lambda _: None) -> None:
    """Take a database of that revision to the present one, and derive anew what is derived."""
    from alembic import command
    from alembic.config import Config

    if not inspect(connection).has_table(REVISION_TABLE):  # the first schema kept no note of its revision
        connection.execute(text(f"CREATE TABLE {REVISION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {REVISION_TABLE} VALUES (:revision)"), {"revision": revision})  # noqa: S608
    config = Config()
    config.set_main_option("script_location", "contacts_mcp.directory:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table=REVISION_TABLE)
    command.upgrade(config, REVISION)
    index.rebuild(connection, report)


async def _file(path: Path, report: ProgressCallback) -> tuple[str, str]:
    import asyncio

    from contacts_mcp.directory.database.sqlite import SqliteEngine
    from contacts_mcp.directory.database.sqlite_file import create_private, settle

    create_private(path)
    before = await asyncio.to_thread(settle, path)
    _require_known(f"file {path}", before)
    if before != REVISION:
        engine = SqliteEngine(path)
        try:
            await engine.write(lambda connection: upgrade(connection, before, report))
            await engine.scrub()
        finally:
            await engine.close()
    return before, REVISION


async def _server(server: PostgresServer, report: ProgressCallback) -> tuple[str, str]:
    from contacts_mcp.directory.database.postgres import PostgresEngine, settle

    engine = PostgresEngine(server)
    try:
        before = await engine.write(lambda connection: settle(connection, server))
        _require_known(f"database {server}", before)
        if before != REVISION:
            await engine.write(lambda connection: upgrade(connection, before, report))
            await engine.scrub()
        return before, REVISION
    finally:
        await engine.close()


def _require_known(name: str, revision: str) -> None:
    if revision > REVISION:
        raise DirectoryUnavailable(must_migrate(name, revision))
