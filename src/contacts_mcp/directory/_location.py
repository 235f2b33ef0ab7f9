"""Where a directory is stored: in a file on this machine, or on a PostgreSQL server."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A database on a PostgreSQL server. `str()` and `repr()` leave out the password."""

    url: str = field(repr=False)
    """For the driver, with the password."""
    display_url: str

    def __str__(self) -> str:
        return self.display_url


Location = Path | PostgresServer


def parse_location(text: str) -> Location:
    """Parse a path, or a URL such as `postgresql://user:password@host:5432/contacts`.

    Raises:
        ValueError: the URL cannot be used. The message does not contain the password.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Path(text).expanduser()
    if scheme not in _SCHEMES:
        raise ValueError("a directory is a file, or a URL such as postgresql://user:password@host:5432/contacts")
    try:
        parts = urlsplit(f"postgresql://{rest}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ValueError("the URL of the PostgreSQL database is not valid") from None
    if len(parts.path) <= 1:
        raise ValueError("the URL of the PostgreSQL database must end with the database's name, such as /contacts")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    user = f"{parts.username}@" if parts.username else ""
    return PostgresServer(f"postgresql+asyncpg://{rest}", f"postgresql://{user}{host}{port}{parts.path}")


def default_path() -> Path:
    """Return the file for this user's contacts. Nothing is created."""
    from platformdirs import user_data_path

    return user_data_path("wayscloud-contacts-mcp", appauthor=False) / "contacts.db"
