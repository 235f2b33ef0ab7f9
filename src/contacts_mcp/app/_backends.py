"""Which directory is worked on, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contacts_mcp.client import BASE_URL, Credential, find_credential, parse_base_url
from contacts_mcp.directory import Location, PostgresServer, default_path
from contacts_mcp.settings import Settings


@dataclass(frozen=True, slots=True)
class Platform:
    """The WAYSCloud platform, reached with a credential."""

    credential: Credential
    base_url: str

    @property
    def kind(self) -> str:
        """What a model is told of it."""
        return f"the WAYSCloud platform at {self.base_url}"

    def __str__(self) -> str:
        return f"WAYSCloud at {self.base_url}"

    def origin(self) -> str:
        """Why this backend: which key, masked, and where it was found."""
        return f"key {self.credential.masked} from {self.credential.source}"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The directory that this program keeps, in a file or on a PostgreSQL server."""

    database: Location
    reason: str

    @property
    def kind(self) -> str:
        """What a model is told of it: not where, which may hold somebody's name."""
        if isinstance(self.database, PostgresServer):
            return "a directory in a PostgreSQL database, not the WAYSCloud platform"
        return "an embedded directory on this machine, not the WAYSCloud platform"

    def __str__(self) -> str:
        if isinstance(self.database, PostgresServer):
            return f"the directory in {self.database}"
        return f"the embedded directory in {self.database}"

    def origin(self) -> str:
        """Why this backend."""
        return self.reason


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The WAYSCloud platform, reached by each caller with their own key."""

    base_url: str

    @property
    def kind(self) -> str:
        """What a model is told of it."""
        return f"the WAYSCloud platform at {self.base_url}"

    def __str__(self) -> str:
        return f"WAYSCloud at {self.base_url}"

    def origin(self) -> str:
        """Why this backend."""
        return "each caller with their own key"


def choose_backend(settings: Settings, home: Path) -> Platform | Embedded:
    """The platform where there is a credential, else the embedded directory; a named file always wins.

    Raises:
        ValueError: the credential or the address cannot be used, in one line that says why.
    """
    if settings.directory is not None:
        return Embedded(settings.directory, "chosen by CONTACTS_MCP_DIRECTORY or --directory")
    given = {"WAYSCLOUD_API_KEY": settings.api_key, "WAYSCLOUD_TOKEN": settings.token}
    environ: Mapping[str, str] = {name: value.get_secret_value() for name, value in given.items() if value}
    credential = find_credential(environ, home)
    if credential is None:
        unused = "; WAYSCLOUD_API_URL is not used without one" if settings.api_url else ""
        return Embedded(default_path(), f"no WAYSCloud key was found{unused}")
    return Platform(credential, parse_base_url(settings.api_url or BASE_URL))
