"""Every setting, once: the environment variable, the type, the default and what it does.

The README's table is generated from here. Flags of the command line override the environment.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contacts_mcp.audit import AuditDestinations, parse_destinations
from contacts_mcp.directory import Location, parse_location
from contacts_mcp.guard import GuardMode

_PREFIX = "CONTACTS_MCP_"
_SECRET_LENGTH = 32


class Auth(StrEnum):
    """How callers over a network are told apart."""

    NONE = "none"  # they are not: loopback alone
    KEY = "key"  # each brings their own WAYSCloud key
    OAUTH = "oauth"  # each brings a token of an authorization server


class InvalidSettings(ValueError):
    """A setting that cannot be used; names the variable and what it takes, never its value."""


def _split(value: object) -> object:
    """Read `a,b` as the names a and b."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _region(value: object) -> object:
    if value is None:
        return None
    from phonenumbers import SUPPORTED_REGIONS

    if isinstance(value, str) and value.upper() in SUPPORTED_REGIONS:
        return value.upper()
    raise ValueError("should be a two-letter region such as NO")


def _place(value: object) -> object:
    return parse_location(value) if isinstance(value, str) else value


def _destinations(value: object) -> object:
    return parse_destinations(value) if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _secrets(value: object) -> object:
    names = _split(value)
    if isinstance(names, list) and any(len(str(name)) < _SECRET_LENGTH for name in names):
        raise ValueError(f"each should have at least {_SECRET_LENGTH} random characters")
    return names


Names = Annotated[list[str], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """What the server is told by its environment and its flags."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, populate_by_name=True, extra="ignore", frozen=True
    )

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias="WAYSCLOUD_API_KEY",
        description="WAYSCloud key, sent as `X-API-Key`. With a key the server talks to the platform.",
    )
    token: SecretStr | None = Field(
        default=None,
        validation_alias="WAYSCLOUD_TOKEN",
        description="WAYSCloud personal access token, where there is no key. Else `~/.wayscloud/credentials` is read.",
    )
    api_url: str | None = Field(
        default=None,
        validation_alias="WAYSCLOUD_API_URL",
        description="Address of the API; `https`, or `http` on this machine.",
    )
    directory: Annotated[Location | None, BeforeValidator(_place)] = Field(
        default=None,
        description="File of the embedded directory, or `postgresql://…`; it is then used even where there is a key.",
    )
    read_only: bool = Field(default=False, description="List and run nothing but reads.")
    tools: Names | None = Field(
        default=None,
        description="The only tools that are listed and run, such as `list_contacts,get_contact`; `endpoints` and "
        "`workflows` name them all.",
    )
    guard: GuardMode = Field(
        default=GuardMode.ASK,
        description="How consent to destructive tools is come by: `ask`, `two-step` or `block`.",
    )
    confirm: Names = Field(
        default=[], description="Writing tools to put under the guard as well, such as `update_contact`."
    )
    default_region: Annotated[str | None, BeforeValidator(_region)] = Field(
        default=None,
        description="Region of phone numbers without a country code, such as `NO`; they are then normalised.",
    )
    files: Path | None = Field(
        default=None,
        description="The one folder that files are imported from and exported to; without it no paths are taken.",
    )
    write_budget: int = Field(
        default=10_000, ge=0, description="Changes that one caller may make in an hour; 0: any number."
    )
    audit: Annotated[AuditDestinations | None, NoDecode, BeforeValidator(_destinations)] = Field(
        default=None,
        description="Where the audit trail goes: `stderr`, `otlp`, a file's path, or several, separated by commas. "
        "Else over stdio to `audit.jsonl` in the user data folder and `stderr`, over a network to `stderr`.",
    )
    auth: Auth = Field(
        default=Auth.NONE,
        description="How callers over the network are told apart: `none` (loopback alone), `key` or `oauth`.",
    )
    public_host: Names = Field(
        default=[], description="Names the server is called by, such as `contacts.example.com`; without any, loopback."
    )
    allow_origin: Names = Field(
        default=[], description="Web pages whose scripts may call, such as `https://app.example.com`."
    )
    oauth_issuer: str | None = Field(default=None, description="Address of the authorization server, for `oauth`.")
    oauth_audience: str | None = Field(
        default=None,
        description="Audience that tokens have to name; else `https://` the first public host `/mcp`.",
    )
    max_calls: int = Field(default=32, ge=1, description="Calls of one caller at once, over the network.")
    rate: int = Field(default=1_200, ge=0, description="Calls of one caller a minute, over the network; 0: any number.")
    state_keys: Annotated[list[SecretStr], NoDecode, BeforeValidator(_secrets)] = Field(
        default=[],
        description="Secrets that replicas share, so that each can go on with a confirmation that another began: "
        "the first seals, all open.",
    )
    redis_url: SecretStr | None = Field(
        default=None, description="Redis in which replicas on the platform note which confirmations were used."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Port of a page for Prometheus at `/metrics`; further workers take the next free ones.",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of that page; it asks for no key, so keep it inside."
    )
    log_format: Literal["text", "json"] | None = Field(
        default=None, description="How log lines look: `text` (over stdio) or `json` (over the network)."
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        default="WARNING",
        description="What is logged to standard error; the trail is written there whatever the level.",
    )


def variable(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias) if alias else f"{_PREFIX}{name.upper()}"


def load_settings(**flags: object) -> Settings:
    """Settings from flags that were given (not None), then from the environment.

    Raises:
        InvalidSettings: one line that names each unusable setting.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidSettings("; ".join(_fault(error["loc"], error["msg"]) for error in faults)) from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """A slip in a name must not pass for a setting: CONTACTS_MCP_READONLY would leave every tool on."""
    known = {variable(name) for name in Settings.model_fields}
    for name in sorted(environ):
        if name.startswith(_PREFIX) and name not in known:
            alike = get_close_matches(name, known, 1)
            raise InvalidSettings(f"{name} is no setting" + (f"; did you mean {alike[0]}?" if alike else ""))


def _fault(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0])
    shown = variable(name) if name in Settings.model_fields else name
    return f"{shown}: {message.replace('Input should', 'should').replace('Value error, ', '')}"
