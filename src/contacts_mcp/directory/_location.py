"""Where a directory is: in a file of this machine, or on a PostgreSQL server."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A database on a PostgreSQL server. `str()` and `repr()` leave out the password."""

    url: str = field(repr=False)
    """For the driver, password included."""
    shown: str

    def __str__(self) -> str:
        return self.shown


Location = Path | PostgresServer


def parse_location(text: str) -> Location:
    """A path, or an address such as `postgresql://user:password@host:5432/contacts`.

    Raises:
        ValueError: an address that cannot be used, without its password.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Path(text).expanduser()
    if scheme not in _SCHEMES:
        raise ValueError("a directory is a file, or an address such as postgresql://user:password@host:5432/contacts")
    try:
        parts = urlsplit(f"postgresql://{rest}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ValueError("the address of the PostgreSQL database cannot be read") from None
    if len(parts.path) <= 1:
        raise ValueError("the address of the PostgreSQL database has to name the database, as in …/contacts")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    user = f"{parts.username}@" if parts.username else ""
    return PostgresServer(f"postgresql+asyncpg://{rest}", f"postgresql://{user}{host}{port}{parts.path}")


def default_path() -> Path:
    """Where the contacts of this user are kept unless told otherwise. Nothing is created."""
    from platformdirs import user_data_path

    return user_data_path("wayscloud-contacts-mcp", appauthor=False) / "contacts.db"
