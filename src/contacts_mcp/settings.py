"""All settings: environment variable, type, default and description, from which the README's table is generated.

Flags of the command line override the environment, which overrides the user's `config.toml`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from contacts_mcp.audit import AuditDestinations, parse_destinations
from contacts_mcp.config_file import (
    BACKEND_NAMES,
    DEFAULT_PROFILE,
    ConfigFile,
    InvalidConfigFile,
    default_config_path,
    read_config_file,
    require_profile_name,
)
from contacts_mcp.directory import Location, default_path, parse_location, with_replica
from contacts_mcp.guard import GuardMode, Rung
from contacts_mcp.setting_values import (
    UNEXPANDED,
    has_reference,
    is_not_set,
    is_placeholder_key,
    is_reference,
    strip_noise,
)

_PREFIX = "CONTACTS_MCP_"
_MIN_SECRET_CHARACTERS = 32
_LISTS = (
    *("tools", "exclude_tools", "confirm", "approval", "audit", "public_host", "allow_origin", "trusted_proxies"),
    "state_keys",
)
_HAS_REFERENCE = {
    **dict.fromkeys(("api_key", "token"), is_placeholder_key),
    **dict.fromkeys(("state_keys", "oidc_client_secret"), is_reference),
}
"""How references are found in a setting; by default with `has_reference`."""
_ENVIRONMENT = ("HOME", "XDG_DATA_HOME", "TMPDIR", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""Further variables that this program's paths and connections depend on, besides OpenTelemetry's."""
_NOT_IN_FILE = frozenset({"profile", "config"})
"""Settings that say what is read from the file."""


class Auth(StrEnum):
    """How callers over a network authenticate."""

    NONE = "none"  # not at all, so only on loopback
    KEY = "key"  # each caller with their own WAYSCloud key
    OAUTH = "oauth"  # each caller with a token from an authorization server


class InvalidSettings(ValueError):
    """A setting is invalid; the message names the variable and what it accepts, never its value."""


def clean_setting(name: str, value: str) -> str | None:
    """Return a value without the noise around it; None if it says that the setting is not set.

    Raises ValueError if it contains a reference that was not expanded.
    """
    if is_not_set(value):
        return None
    parts = [strip_noise(part) for part in (value.split(",") if name in _LISTS else [value])]
    if any(map(_HAS_REFERENCE.get(name, has_reference), (part for part in parts if not is_not_set(part)))):
        raise ValueError(UNEXPANDED)
    given = ",".join(part for part in parts if not is_not_set(part))
    return given or (None if "${" in value else value)  # `,` is no list of names, and no blank setting either


def _split(value: object) -> object:
    """Parse `a,b` as the names a and b."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _parse_region(text: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS

    if text.upper() not in SUPPORTED_REGIONS:
        raise ValueError("should be a two-letter region such as NO")
    return text.upper()


def _parser(parse: Callable[[str], object]) -> BeforeValidator:
    """Return a validator that parses text, and leaves values from code as they are."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _parse_secrets(value: object) -> object:
    names = _split(value)
    if isinstance(names, list) and any(len(str(name)) < _MIN_SECRET_CHARACTERS for name in names):
        raise ValueError(f"each should have at least {_MIN_SECRET_CHARACTERS} random characters")
    return names


def _parse_networks(value: object) -> object:
    from ipaddress import ip_network

    names = _split(value)
    try:
        return [str(ip_network(str(name), strict=False)) for name in names] if isinstance(names, list) else names
    except ValueError:
        raise ValueError("should be addresses or networks, such as 10.0.0.0/8") from None


Names = Annotated[list[str], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The settings of a server, from its flags and its environment; `load_settings` adds those of `config.toml`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_ignore_empty=True,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    api_key: SecretStr | None = Field(default=None, validation_alias="WAYSCLOUD_API_KEY")
    """WAYSCloud key, sent as `X-API-Key`. With a key the server works on the platform."""
    token: SecretStr | None = Field(default=None, validation_alias="WAYSCLOUD_TOKEN")
    """WAYSCloud personal access token, used if no key is set. Without both, the key in `~/.wayscloud/credentials`
    is used."""
    keychain: bool = False
    """Use the key that `contacts-mcp install` has stored in the operating system's keychain for this profile, if no key
    is set."""
    profile: Annotated[str, _parser(require_profile_name)] = DEFAULT_PROFILE
    """One of several accounts: `[profiles.NAME]` in `config.toml`, and the key of this name in the keychain."""
    config: Path | None = None
    """Another configuration file. Default: `config.toml` in the user's configuration folder, if there is one."""
    api_url: str | None = Field(default=None, validation_alias="WAYSCLOUD_API_URL")
    """Base URL of the API; `https`, or `http` on this machine."""
    directory: Annotated[Location | None, _parser(parse_location)] = None
    """File of the embedded directory, or `postgresql://…`. It is used even if there is a key."""
    directory_replica: Annotated[Location | None, _parser(parse_location)] = None
    """A standby of the directory's PostgreSQL server, which then answers searches and lists."""
    read_only: bool = False
    """List and run only tools that write nothing, not even a file: also `export_contacts` is not listed."""
    tools: Names | None = None
    """The only tools that are listed and run, such as `list_contacts,get_contact`; `endpoints` and `workflows` stand
    for all endpoint tools and all workflow tools."""
    exclude_tools: Names = []
    """Tools that are neither listed nor run, such as `gdpr_delete_contact`; toolsets as in `CONTACTS_MCP_TOOLS`.
    `show_contacts` is the view of contacts in hosts with MCP Apps."""
    guard: GuardMode = GuardMode.ASK
    """How consent to destructive tools is obtained: `ask`, `two-step` or `block`."""
    confirm: Names = []
    """Further tools that need consent, such as `update_contact`."""
    approval: Annotated[list[Rung] | None, NoDecode, BeforeValidator(_split)] = None
    """How a person is reached, the first way first: `form` (of the host), `app` (a panel in the chat), `page` (in the
    browser of this computer), `url` (a page of this server, for hosts that open addresses), `terminal`
    (`contacts-mcp approvals`), `approver` (another person). Default: `form,app,page` on this computer,
    `form,app,url` with authentication."""
    approval_ttl: int = Field(default=86_400, ge=60, le=604_800)
    """Seconds for which a call waits for an approver."""
    approval_webhook: SecretStr | None = None
    """URL that gets a message without personal data when an approver has to decide; `https`, or `http` on this
    machine."""
    four_eyes: bool = False
    """Only another person than the caller can approve: `approver` is the only way then."""
    default_region: Annotated[str | None, _parser(_parse_region)] = None
    """Region of phone numbers without a country code, such as `NO`. With it, they are written as E.164."""
    files: Path | None = None
    """The only folder that files are imported from and exported to. Without it, tools accept no paths."""
    links: Path | None = None
    """Folder for files that are sent and fetched by link over a network; replicas have to share it. Default: the user
    data folder, or no links with `CONTACTS_MCP_STATE_KEYS`."""
    write_budget: int = Field(default=10_000, ge=0)
    """Changes that one caller may make per hour without a person who agrees in a form; 0 is unlimited."""
    audit: Annotated[AuditDestinations | None, NoDecode, _parser(parse_destinations)] = None
    """Where the audit trail goes: `stderr`, `otlp`, a file's path, or several, separated by commas. Default over
    stdio: `audit.jsonl` in the user data folder and `stderr`; over a network: `stderr`."""
    auth: Auth = Auth.NONE
    """How callers over a network authenticate: `none` (only on loopback), `key` or `oauth`."""
    public_host: Names = []
    """Host names that clients use, such as `contacts.example.com`. Default: only loopback."""
    allow_origin: Names = []
    """Origins of web pages whose scripts may call the server, such as `https://app.example.com`."""
    trusted_proxies: Annotated[list[str], NoDecode, BeforeValidator(_parse_networks)] = []
    """Addresses or networks of your proxies, such as `10.0.0.0/8`, whose `X-Forwarded-For` says who tries keys on the
    login page: wrong keys are limited for each address. Default: the address of the connection counts."""
    oauth_issuer: str | None = None
    """URL of the authorization server, for `oauth`."""
    oauth_audience: str | None = None
    """Audience that tokens must have. Default: `https://<first public host>/mcp`."""
    oidc_client_id: str | None = None
    """Client id of this server at the authorization server, with which people log in to decide on a page. Without it, a
    server with `oauth` has no such page. Needs the extra `oidc`."""
    oidc_client_secret: SecretStr | None = None
    """Secret of that client, if it has one."""
    console: bool = True
    """Serve the web console at `/console` of a server over a network on which people can log in: with `key`, or with
    `oauth` and an OIDC client id."""
    backups: Path | None = None
    """Folder of the directory's backups, which the console lists."""
    max_calls: int = Field(default=32, ge=1)
    """Concurrent calls per caller, over a network."""
    rate: int = Field(default=1_200, ge=0)
    """Calls per caller and minute, over a network; 0 is unlimited."""
    state_keys: Annotated[list[SecretStr], NoDecode, BeforeValidator(_parse_secrets)] = []
    """Secrets that replicas share, so that each can finish a confirmation that another one began. The first one
    encrypts; all of them decrypt. A directory in PostgreSQL needs them to undo bulk updates."""
    redis_url: SecretStr | None = None
    """Redis in which replicas store used confirmations if they share no directory."""
    quick_start: bool = True
    """Over stdio, answer what hosts ask first (the protocol version, the tools, the prompts) from a snapshot that an
    earlier start with the same settings has left in the user's cache folder, while the server is loaded. Not on
    Windows."""
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    """Port that serves metrics to Prometheus at `/metrics`; further workers use the next free ports."""
    metrics_host: str = "127.0.0.1"
    """Address that the metrics port binds to. Metrics need no key, so do not expose them."""
    log_format: Literal["text", "json"] | None = None
    """Format of log lines, `text` or `json`. Default: `text` over stdio, `json` over a network."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _parser(str.upper)] = "WARNING"
    """Lowest level that is logged to standard error. The audit trail is logged at every level."""

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources that are used: pydantic would ask the others for each field, too, which takes as long."""
        return init_settings, env_settings

    @field_validator("*", mode="before")
    @classmethod
    def _clean(cls, value: object, info: ValidationInfo) -> object:
        """Clean a text from the environment or a flag."""
        if not isinstance(value, str) or not info.field_name:
            return value
        cleaned = clean_setting(info.field_name, value)
        return cls.model_fields[info.field_name].get_default() if cleaned is None else cleaned

    @field_validator("directory_replica")
    @classmethod
    def _check_replica(cls, replica: Location | None, info: ValidationInfo) -> Location | None:
        if replica is not None and "directory" in info.data:
            with_replica(info.data["directory"], replica)
        return replica

    def source_of(self, name: str) -> str | None:
        """Return where a value comes from, such as `environment`; None if it is the default."""
        return self._sources.get(name)

    def locate_directory(self) -> Location | None:
        """Return the directory that was chosen, with its replica; None if none was chosen."""
        return with_replica(self.directory, self.directory_replica) if self.directory_replica else self.directory

    def locate_config(self) -> Path:
        """Return the configuration file, which may not exist."""
        return self.config.expanduser() if self.config else default_config_path()

    def locate_trail(self) -> Path:
        """Return the audit trail's file, or this user's default file. Nothing is created."""
        configured = self.audit.file if self.audit else None
        return configured or default_path().with_name("audit.jsonl")


def env_name(name: str) -> str:
    """Return the environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias) if alias else f"{_PREFIX}{name.upper()}"


def load_settings(**flags: object) -> Settings:
    """Load settings from the flags that are not None, then from the environment, then from `config.toml`.

    Raises InvalidSettings, with one line that names each invalid setting.
    """
    _refuse_unknown(os.environ)
    _refuse_references(os.environ)
    given = {name: value for name, value in flags.items() if value is not None and not _is_blank(value)}
    sources = dict.fromkeys(_set_names(os.environ), "environment") | dict.fromkeys(given, "command line")
    file = _read_file(given)
    hidden = sources.keys() | (BACKEND_NAMES if BACKEND_NAMES & sources.keys() else set())
    values = {name: value for name, value in file.values.items() if name not in hidden} if file else {}
    sources |= {name: file.sources[name] for name in values} if file else {}
    try:
        settings = Settings(**values, **given)  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidSettings("; ".join(_describe(error["loc"], error["msg"], sources) for error in faults)) from None
    settings._sources = sources  # noqa: SLF001 - a private attribute is no argument
    return settings


def _set_names(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the settings that the environment has. The names of variables may have any case."""
    by_name = {name.upper(): value for name, value in environ.items()}
    for name in Settings.model_fields:
        if not is_not_set(by_name.get(env_name(name), "")):
            yield name


def _read_file(given: Mapping[str, object]) -> ConfigFile | None:
    """Read the settings of the chosen profile from the configuration file, if there is one."""
    profile = _choose("profile", given) or DEFAULT_PROFILE
    config = _choose("config", given)
    path = Path(config).expanduser() if config else default_config_path()
    try:
        return read_config_file(path, profile, Settings.model_fields.keys() - _NOT_IN_FILE)
    except InvalidConfigFile as exc:
        raise InvalidSettings(str(exc)) from None
    except FileNotFoundError:
        if config:
            raise InvalidSettings(f"{env_name('config')}: there is no file {path}") from None
    if profile != DEFAULT_PROFILE:
        raise InvalidSettings(f"{env_name('profile')}: there is no profile {profile}: there is no file {path}")
    return None


def _choose(name: str, given: Mapping[str, object]) -> str | None:
    """Return a setting from a flag or the environment; None if it is not set or has a reference."""
    value = given.get(name) or os.environ.get(env_name(name))
    try:
        return clean_setting(name, str(value)) if value else None
    except ValueError:
        return None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """Refuse misspelled names: CONTACTS_MCP_READONLY would leave every tool enabled."""
    known = {env_name(name) for name in Settings.model_fields}
    for name in sorted(environ):
        if name.startswith(_PREFIX) and name not in known:
            similar = get_close_matches(name, known, 1)
            raise InvalidSettings(f"{name} is not a setting" + (f"; did you mean {similar[0]}?" if similar else ""))


def _refuse_references(environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        if (name in _ENVIRONMENT or name.startswith("OTEL_EXPORTER_")) and has_reference(value):
            raise InvalidSettings(f"{name}: {UNEXPANDED}")


def _is_blank(flag: object) -> bool:
    """Whether the environment's value is used although there is a flag."""
    return isinstance(flag, str) and is_not_set(flag)


def _describe(location: tuple[int | str, ...], message: str, sources: Mapping[str, str]) -> str:
    by_variable = {env_name(name): name for name in Settings.model_fields}
    name = by_variable.get(str(location[0]), str(location[0]))
    shown = env_name(name) if name in Settings.model_fields else name
    if (source := sources.get(name, "")) not in ("", "environment", "command line"):
        shown = f"{source}: {name}"
    return f"{shown}: {message.replace('Input should', 'should').replace('Value error, ', '')}"
