"""A keychain in memory, and the home folder of a user with hosts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from contacts_mcp.install import INSTALL_HOSTS, Places, read_host_entries


class MemoryKeychain(KeyringBackend):
    priority = 5

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.keys.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.keys[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.keys[service, username]


@pytest.fixture(autouse=True)
def no_keychain() -> Iterator[None]:
    """No test reads or changes the keychain of the person who runs it."""
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(fail.Keyring())


@pytest.fixture(autouse=True)
def no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a desktop are written into the entries of some hosts."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keychain(no_keychain: None) -> MemoryKeychain:
    memory = MemoryKeychain()
    keyring.set_keyring(memory)
    return memory


class User:
    """A user's home folder, as the commands see it."""

    def __init__(self, home: Path) -> None:
        self.places = Places(home, {})
        self.config = home / ".config" / "wayscloud-contacts-mcp" / "config.toml"

    def file(self, host: str) -> Path:
        return INSTALL_HOSTS[host].locate(self.places)

    def write(self, host: str, content: bytes | str | None) -> Path:
        path = self.file(host)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, host: str) -> bytes | None:
        return self.file(host).read_bytes() if self.file(host).exists() else None

    def entries(self, host: str) -> dict[str, Any]:
        return read_host_entries(INSTALL_HOSTS[host], self.places)


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)
