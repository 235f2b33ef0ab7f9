"""The backends a server can work on, and which of them the settings choose."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from contacts_mcp.client import BASE_URL, Credential, find_credential, parse_base_url
from contacts_mcp.directory import Location, PostgresServer, default_path
from contacts_mcp.setting_values import strip_key_noise
from contacts_mcp.settings import Auth, InvalidSettings, Settings, env_name


@dataclass(frozen=True, slots=True)
class Platform:
    """The WAYSCloud platform, with the server's credential, or with each caller's own key if there is none."""

    credential: Credential | None
    base_url: str

    @property
    def kind(self) -> str:
        """The backend, for the instructions that a model reads."""
        return f"the WAYSCloud platform at {self.base_url}"

    @property
    def may_have_extensions(self) -> bool:
        """Whether the service may be a directory of `directory serve`, by the key; the platform has no extensions."""
        return self.credential is None or self.credential.is_of_directory

    def __str__(self) -> str:
        return f"WAYSCloud at {self.base_url}"

    def origin(self) -> str:
        """Return whose key is used, masked, and where it was found."""
        if self.credential is None:
            return "each caller with their own key"
        return f"key {self.credential.masked} from {self.credential.source}"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The embedded directory in a file or a PostgreSQL database, and why it is used."""

    database: Location
    reason: str
    may_have_extensions: ClassVar[bool] = True

    @property
    def kind(self) -> str:
        """The backend, for the instructions that a model reads; without its path, which may contain a person's name."""
        if isinstance(self.database, PostgresServer):
            return "a directory in a PostgreSQL database, not the WAYSCloud platform"
        return "an embedded directory on this machine, not the WAYSCloud platform"

    def __str__(self) -> str:
        name = "the directory" if isinstance(self.database, PostgresServer) else "the embedded directory"
        return f"{name} in {self.database}"

    def origin(self) -> str:
        return self.reason


def choose_backend(settings: Settings, home: Path) -> Platform | Embedded:
    """Choose the directory that the settings name, else the platform if there is a credential, else the embedded one.

    Raises ValueError, in one line, if the credential or the API's address is invalid.
    """
    if (directory := settings.locate_directory()) is not None:
        source = settings.source_of("directory")
        in_file = source and source not in ("environment", "command line")
        return Embedded(directory, f"chosen by {source if in_file else 'CONTACTS_MCP_DIRECTORY or --directory'}")
    credential = _find_credential(settings, home)
    if credential is None:
        unused = "; WAYSCLOUD_API_URL is not used without one" if settings.api_url else ""
        return Embedded(default_path(), f"no WAYSCloud key was found{unused}")
    return Platform(credential, parse_base_url(settings.api_url or BASE_URL))


def _find_credential(settings: Settings, home: Path) -> Credential | None:
    """Find the key in the settings, then in the keychain if they say so, then in the file of the WAYSCloud CLI."""
    given = {"api_key": settings.api_key, "token": settings.token}
    environ = {env_name(name): value.get_secret_value() for name, value in given.items() if value}
    if settings.keychain and not environ:
        return Credential.key(_read_keychain(settings.profile), f"the keychain, profile {settings.profile}")
    credential = find_credential(environ, home)
    name = next((name for name in given if credential and credential.source == env_name(name)), "")
    source = settings.source_of(name)
    return replace(credential, source=source) if credential and source and source != "environment" else credential


def _read_keychain(profile: str) -> str:
    from contacts_mcp.keychain import KeychainError, read_key

    try:
        key = read_key(profile)
    except KeychainError as exc:
        raise InvalidSettings(f"{env_name('keychain')}: {exc}") from None
    if not key:
        advice = "run `contacts-mcp install` for your host again"
        raise InvalidSettings(f"{env_name('keychain')}: the keychain has no key of the profile {profile}; {advice}")
    return strip_key_noise(key)


def choose_network_backend(settings: Settings, home: Path) -> Platform | Embedded:
    """Choose the backend of a server over a network: the platform without a key if each caller brings one.

    Raises ValueError as choose_backend, and InvalidSettings if the directory has no keys.
    """
    if settings.auth is not Auth.KEY:
        return choose_backend(settings, home)
    if settings.directory is not None:
        raise InvalidSettings(
            f"{env_name('auth')} is key, but the embedded directory has no keys; "
            f"unset {env_name('directory')}, or use oauth"
        )
    return Platform(None, parse_base_url(settings.api_url or BASE_URL))
