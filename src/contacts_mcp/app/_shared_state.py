"""What the stdio processes of one user share in the user's data folder: the key of confirmations, and exports.

Some hosts start a process for each call. Such a process has to accept a confirmation that another one asked for, and
to find a file that another one exported.
"""

import hmac
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass

from contacts_mcp.app._backends import Embedded, Platform
from contacts_mcp.directory import default_path
from contacts_mcp.folder import Folder
from contacts_mcp.guard import FileApprovalStore, FileNonceStore
from contacts_mcp.private_folder import PrivateFolder
from contacts_mcp.settings import Settings, env_name
from contacts_mcp.tools import SharedDownloads, remove_expired_downloads

_FOLDER, _KEY_FILE = "shared", "key"
_MIN_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class SharedState:
    """The state in `folder`. `scope` names backend and files: processes of another scope share nothing."""

    folder: PrivateFolder
    scope: str
    seal_key: str

    def nonce_store(self) -> FileNonceStore:
        """Return the store of used confirmations. Raises OSError."""
        return FileNonceStore(self.folder.subfolder("used"))

    def approval_store(self) -> FileApprovalStore:
        """Return the store of approvals. Raises OSError."""
        return FileApprovalStore(self.folder.subfolder("approvals"))

    def downloads(self, files: Folder | None) -> SharedDownloads:
        """Return the exports; `files` is the folder for files. Raises OSError."""
        return SharedDownloads(self.folder.subfolder("exports"), self.scope, files)


def open_shared_state(settings: Settings, backend: Platform | Embedded) -> tuple[SharedState | None, str]:
    """Open this user's state. Returns None if the folder cannot be used, and a warning that says so.

    A server that only reads writes no file, and has nothing to confirm.
    """
    if settings.read_only:
        return None, ""
    path = default_path().with_name(_FOLDER)
    try:
        folder = PrivateFolder(path)
        key = _derive_key(folder.read_or_create(_KEY_FILE, _make_seed), backend)
        state = SharedState(folder, _scope(settings, backend), key)
        state.nonce_store()
        with suppress(OSError):
            remove_expired_downloads(folder.subfolder("exports"), time.time())
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        return None, f"confirmations and exports are valid only in this process: cannot use {path} ({reason})"
    return state, ""


def _make_seed() -> bytes:
    return secrets.token_hex(_MIN_KEY_BYTES).encode()


def _scope(settings: Settings, backend: Platform | Embedded) -> str:
    return f"{identify(backend)}\n{settings.files.expanduser().absolute() if settings.files else env_name('files')}"


def identify(backend: Platform | Embedded) -> str:
    """Return a text that differs for each directory, and for each key of the server's own."""
    if isinstance(backend, Platform):
        return f"{backend.base_url} {backend.credential.fingerprint if backend.credential else ''}"
    return str(backend.database)


def _derive_key(seed: bytes, backend: Platform | Embedded) -> str:
    """Return the key for confirmations on this backend; those of another one cannot be unsealed with it."""
    if len(seed) < _MIN_KEY_BYTES:
        raise ValueError("the key file is damaged; delete it")
    return hmac.digest(seed, identify(backend).encode(), "sha256").hex()
