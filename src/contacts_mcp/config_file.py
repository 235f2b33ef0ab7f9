"""The user's `config.toml`: settings for all profiles at the top, and for one of them in `[profiles.NAME]`.

A setting has the name of its environment variable in lower case, without `WAYSCLOUD_` or `CONTACTS_MCP_`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contacts_mcp.wording import nearest, unknown_name

DEFAULT_PROFILE = "default"
BACKEND_NAMES = frozenset({"api_key", "token", "keychain", "directory", "directory_replica"})
"""Settings that say whose contacts a server works on: the first source that has one of them decides on all."""

_PROFILES = "profiles"
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_MAX_BYTES = 1024 * 1024

Value = str | int | bool


class InvalidConfigFile(ValueError):
    """The file is invalid. The message names it and the setting or the line, never a value."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The settings of a profile: their values and where each of them stands, by name."""

    path: Path
    values: Mapping[str, Value]
    sources: Mapping[str, str]


def default_config_path() -> Path:
    """Return this user's file. Nothing is created."""
    from platformdirs import user_config_path

    return user_config_path("wayscloud-contacts-mcp", appauthor=False) / "config.toml"


def require_profile_name(name: str) -> str:
    """Return the name of a profile. Raises ValueError if it is not one."""
    if not _PROFILE_NAME.fullmatch(name):
        raise ValueError("a profile's name has up to 32 letters, digits, - and _, such as work")
    return name


def read_config_file(path: Path, profile: str, known: Collection[str]) -> ConfigFile:
    """Read the settings of a profile, of which only those in `known` exist.

    Only the default profile may be missing. Raises InvalidConfigFile, and FileNotFoundError if there is no file.
    """
    content = _parse(path)
    profiles = content.pop(_PROFILES, {})
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise InvalidConfigFile(f"{path}: `{_PROFILES}` should hold tables such as [{_PROFILES}.work]")
    if profile != DEFAULT_PROFILE and profile not in profiles:
        raise InvalidConfigFile(f"{path}: {unknown_name('profile', profile, profiles)}")
    own = profiles.get(profile, {})
    if BACKEND_NAMES & own.keys():
        content = {name: value for name, value in content.items() if name not in BACKEND_NAMES}
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    for where, table in ((str(path), content), (f"{path} [{_PROFILES}.{profile}]", own)):
        for name, value in table.items():
            _require_known(where, name, known)
            values[name] = _to_value(where, name, value)
            sources[name] = where
    return ConfigFile(path, values, sources)


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise InvalidConfigFile(f"{path} cannot be read ({exc.strerror})") from None
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (ValueError, RecursionError) as exc:
        problem = str(exc) if isinstance(exc, tomllib.TOMLDecodeError) else "it is not TOML in UTF-8"
        raise InvalidConfigFile(f"{path}: {problem}") from None


def _require_known(where: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = nearest(name, known)
        raise InvalidConfigFile(f"{where}: {name} is not a setting" + (f"; did you mean {near}?" if near else ""))


def _to_value(where: str, name: str, value: Any) -> Value:
    """Return a value as an environment variable would have it: a list becomes text with commas."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    if isinstance(value, str | int):
        return value
    raise InvalidConfigFile(f"{where}: {name} should be text, a number, true or false, or a list of texts")
