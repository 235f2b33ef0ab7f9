"""A database together with what has to happen when it is opened."""

from functools import partial

from contacts_mcp.directory._location import Location, PostgresServer
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.store import sync_journal


def open_database(place: Location) -> Database:
    """The database at `place`, opened by its first transaction. A file is held against its journal of erasures."""
    return Database(place) if isinstance(place, PostgresServer) else Database(place, partial(sync_journal, path=place))
