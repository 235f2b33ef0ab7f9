"""Where the key of a profile is stored: in the keychain of the system, otherwise in the user's own `config.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contacts_mcp.config_file import DEFAULT_PROFILE
from contacts_mcp.install._files import HostFile, read_file, replace_file, require_writable
from contacts_mcp.install._formats import FileFormat, put_entry, read_entries
from contacts_mcp.install._text import InvalidHostFile
from contacts_mcp.keychain import delete_key, has_keychain, store_key

_SECTION = "profiles"
_SECRETS = ("api_key", "token")
_KEY_SETTINGS = (*_SECRETS, "keychain")


@dataclass(frozen=True, slots=True)
class ProfileStore:
    """The profiles in a configuration file. Methods raise InvalidHostFile, KeychainError and OSError."""

    path: Path

    def has_key(self, profile: str) -> bool:
        """Whether a key is stored for a profile."""
        table = self._read(profile) or {}
        return bool(table.get("keychain") or any(table.get(name) for name in _SECRETS))

    def store(self, profile: str, key: str) -> str:
        """Store a key, and return where."""
        table = {name: value for name, value in (self._read(profile) or {}).items() if name not in _KEY_SETTINGS}
        if has_keychain():
            store_key(profile, key)
            self._write(profile, {**table, "keychain": True})
            return "the keychain"
        self._write(profile, {**table, "api_key": key}, is_private=True)
        return f"{self.path}, which only you can read"

    def ensure(self, profile: str) -> None:
        """Note a profile, unless it is the default one: a misspelled name is refused then."""
        if profile != DEFAULT_PROFILE and self._read(profile) is None:
            self._write(profile, {})

    def forget(self, profile: str) -> bool:
        """Delete the key of a profile; return False if there is none."""
        table = self._read(profile)
        if not table or not self.has_key(profile):
            return False
        if table.get("keychain"):
            delete_key(profile)
        self._write(profile, {name: table[name] for name in table if name not in _KEY_SETTINGS})
        return True

    def _read(self, profile: str) -> dict[str, Any] | None:
        file = read_file(self.path)
        try:
            found = read_entries(FileFormat.TOML, file.text, _SECTION).get(profile)
        except InvalidHostFile as exc:
            raise InvalidHostFile(f"{self.path}: {exc}") from None
        return found if isinstance(found, dict) else None

    def _write(self, profile: str, table: dict[str, Any], *, is_private: bool = False) -> None:
        """Write the file even if the table is the same: its time tells the next start that the key may be new."""
        file = read_file(self.path)
        try:
            require_writable(file)
            text = put_entry(FileFormat.TOML, file.text, _SECTION, profile, table)
        except InvalidHostFile as exc:
            raise InvalidHostFile(f"{self.path}: {exc}") from None
        _require_same(file, text, profile)
        file.target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        before = file.target.stat() if file.content is not None and not is_private else None
        replace_file(file.target, file.encode(text), before)


def _require_same(file: HostFile, text: str, profile: str) -> None:
    """Raise InvalidHostFile if an edit would change another setting."""
    before, after = tomllib.loads(file.text.replace("\r\n", "\n")), tomllib.loads(text.replace("\r\n", "\n"))
    for content in (before, after):
        content.setdefault(_SECTION, {}).pop(profile, None)
    if before != after:
        raise InvalidHostFile(f"{file.path} is written in a way that this command cannot edit")
