"""Where a directory is stored: in a file on this machine, or on a PostgreSQL server."""

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path

from contacts_mcp.directory._postgres_url import is_postgres, parse_url


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A database on a PostgreSQL server. `str()` and `repr()` leave out the password."""

    url: str = field(repr=False)
    """As it was given, perhaps with a password."""
    display_url: str
    replica: "PostgresServer | None" = None
    """A standby that answers searches and lists."""

    def __str__(self) -> str:
        return self.display_url


Location = Path | PostgresServer


def parse_location(text: str) -> Location:
    """Parse a path, or a URL such as `postgresql://user:password@host:5432/contacts`.

    Raises:
        ValueError: the URL cannot be used. The message does not contain the password.
    """
    if is_postgres(text):
        return PostgresServer(text, str(parse_url(text, os.environ)))
    if "://" in text:
        raise ValueError("a directory is a file, or a URL such as postgresql://user:password@host:5432/contacts")
    return Path(text).expanduser()


def with_replica(location: Location | None, replica: Location) -> PostgresServer:
    """Return a database whose searches and lists go to a standby. Raises ValueError if one of them is a file."""
    if not isinstance(location, PostgresServer) or not isinstance(replica, PostgresServer):
        raise ValueError("both the directory and its replica should be postgresql:// URLs")  # noqa: TRY004
    return dataclasses.replace(location, replica=replica)


def default_path() -> Path:
    """Return the file for this user's contacts. Nothing is created."""
    from platformdirs import user_data_path

    return user_data_path("wayscloud-contacts-mcp", appauthor=False) / "contacts.db"
