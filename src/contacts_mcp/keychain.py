"""Keys in the keychain of the operating system, one for each profile.

That is the macOS Keychain, the Windows Credential Manager, and on Linux the Secret Service of the desktop.
`keyring` is imported when a key is read or stored, which a server does only if its configuration says so.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "wayscloud-contacts-mcp"
"""The name under which the system's own program for keys shows them."""

_MIN_PRIORITY = 1
"""Backends below it store nothing, or store keys in a file that is not encrypted."""


class KeychainError(ValueError):
    """The keychain cannot be used. The message says why, and contains no key."""


def has_keychain() -> bool:
    """Whether this system has a keychain that keeps keys safe."""
    return _find_backend() is not None


def read_key(profile: str) -> str | None:
    """Return the key of a profile; None if there is none. Raises KeychainError."""
    backend = _require_backend()
    try:
        return backend.get_password(SERVICE, profile)
    except Exception as exc:  # noqa: BLE001 - each backend has errors of its own
        raise KeychainError(f"the keychain cannot be read ({type(exc).__name__}); unlock it") from None


def store_key(profile: str, key: str) -> None:
    """Store the key of a profile, and check that it can be read again. Raises KeychainError."""
    backend = _require_backend()
    try:
        backend.set_password(SERVICE, profile, key)
        found = backend.get_password(SERVICE, profile)
    except Exception as exc:  # noqa: BLE001 - each backend has errors of its own
        raise KeychainError(f"the keychain does not take the key ({type(exc).__name__}); unlock it") from None
    if found != key:
        raise KeychainError("the keychain does not return the key that was stored")


def delete_key(profile: str) -> bool:
    """Delete the key of a profile; return False if there is none. Raises KeychainError."""
    if read_key(profile) is None:
        return False
    try:
        _require_backend().delete_password(SERVICE, profile)
    except Exception as exc:  # noqa: BLE001 - each backend has errors of its own
        raise KeychainError(f"the key cannot be deleted from the keychain ({type(exc).__name__})") from None
    return True


def _require_backend() -> "KeyringBackend":
    if (backend := _find_backend()) is None:
        raise KeychainError("there is no keychain here")
    return backend


def _find_backend() -> "KeyringBackend | None":
    """Return the backend that keyring is configured for, or the best one that keeps keys safe."""
    _find_session_bus()
    try:
        import keyring

        chosen = keyring.get_keyring()
        candidates = [*getattr(chosen, "backends", [chosen])]  # a chain would also use files that are not encrypted
        return next((each for each in candidates if each.priority >= _MIN_PRIORITY), None)
    except Exception:  # noqa: BLE001 - a broken configuration or backend is no keychain
        return None


def _find_session_bus() -> None:
    """Set the address of the desktop's message bus if it is at its usual place: some hosts do not pass it on."""
    if sys.platform != "linux" or "DBUS_SESSION_BUS_ADDRESS" in os.environ:
        return
    bus = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "bus"
    if bus.exists():
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
