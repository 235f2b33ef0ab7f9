"""Migration of an older database to the current schema."""

from collections.abc import Callable

from sqlalchemy import Connection

from contacts_mcp.directory._location import Location
from contacts_mcp.directory.database import REVISION, REVISION_TABLE, build_engine, require_known_revision
from contacts_mcp.directory.store import rebuild_index

_SCRIPTS = "contacts_mcp.directory:migrations"


async def migrate(location: Location, report: Callable[[int], None] = lambda _: None) -> tuple[str, str]:
    """Migrate a database in one transaction; return the revision it had and the one it has.

    An empty database is created, and one of the current revision is not changed. `report` gets the number of contacts
    that are indexed. Raises DirectoryUnavailable.
    """
    engine = build_engine(location)
    try:
        before = await engine.prepare()
        require_known_revision(engine.name, before)
        if before != REVISION:
            await engine.write(lambda connection: _upgrade(connection, report))
            await engine.scrub()
    except Exception as exc:
        if explained := engine.explain(exc):
            raise explained from exc
        raise
    else:
        return before, REVISION
    finally:
        await engine.close()


def _upgrade(connection: Connection, report: Callable[[int], None]) -> None:
    """Run the scripts up to the current revision, then derive the index again."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table=REVISION_TABLE)
    command.upgrade(config, REVISION)
    rebuild_index(connection, report)
