"""Bring the tables of an older version to the current revision, inside a transaction of the caller."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from contacts_mcp.directory import database as db
from contacts_mcp.directory import store

_MIGRATIONS = "contacts_mcp.directory:migrations"

ProgressCallback = Callable[[int], None]
"""Gets the number of rows that the current step has processed."""


def upgrade(connection: Connection, report: ProgressCallback = lambda _: None) -> None:
    """Run the migrations, then derive the index again."""
    run_scripts(connection)
    store.rebuild_index(connection, report)


def run_scripts(connection: Connection) -> None:
    """Run the migrations; the index is that of the older version, or of none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table=db.REVISION_TABLE)
    command.upgrade(config, db.REVISION)


@contextmanager
def explained(engine: db.Engine) -> Iterator[None]:
    """Raise a driver's error as DirectoryUnavailable."""
    try:
        yield
    except Exception as exc:
        raise (engine.explain(exc) or exc) from exc
