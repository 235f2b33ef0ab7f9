"""The keys that encrypt the values which a bulk update replaced.

A directory in a file has a key file beside it, which no backup contains. A PostgreSQL directory gets its keys from the
operator. Without its key, an update can no longer be undone; nothing else needs it.
"""

import hmac
import logging
import os
import secrets
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from contacts_mcp.operating_system import open_file, publish

_KEY_BYTES = 32
_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_PURPOSE = b"contacts-mcp: values that a bulk update replaced"

_log = logging.getLogger(__name__)


class UndoKeys(Protocol):
    """The keys of one directory."""

    def for_sealing(self) -> bytes | None:
        """Return the key that encrypts; None if there is none now. A file may be created."""
        ...

    def for_opening(self) -> Sequence[bytes]:
        """Return the keys that decrypt; it is empty if there is none."""
        ...


class GivenKeys:
    """Keys derived from secrets of the operator: the first one encrypts, all of them decrypt."""

    def __init__(self, given: Sequence[str]) -> None:
        self._keys = [hmac.digest(secret.encode(), _PURPOSE, "sha256") for secret in given]

    def for_sealing(self) -> bytes | None:
        return self._keys[0]

    def for_opening(self) -> Sequence[bytes]:
        return self._keys


class KeyFile:
    """The key of an SQLite directory, in a file of its own that only its owner can read."""

    def __init__(self, path: Path) -> None:
        """`path` is the directory's file. Nothing is created before the first value is encrypted."""
        self.path = path.parent / f"{path.name}.undo-key"
        self._key: bytes | None = None

    def for_sealing(self) -> bytes | None:
        try:
            if self._key is None:
                with suppress(FileExistsError):
                    self._create()
                self._key = self._read()
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or exc
            _log.warning("Bulk updates cannot be undone: the key file %s cannot be used (%s)", self.path, reason)
        return self._key

    def for_opening(self) -> Sequence[bytes]:
        if self._key is None:
            with suppress(OSError, ValueError):
                self._key = self._read()
        return () if self._key is None else (self._key,)

    def _read(self) -> bytes:
        with os.fdopen(open_file(self.path, os.O_RDONLY), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is not a file")
            key = file.read(_KEY_BYTES + 1)
        if len(key) != _KEY_BYTES:
            raise ValueError("it is damaged; delete it")
        return key

    def _create(self) -> None:
        """Create the file whole or not at all. Raises FileExistsError if it exists, or another process creates it."""
        if self.path.exists():
            raise FileExistsError
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(open_file(draft, _OPEN_NEW), "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            publish(draft, self.path)
        finally:
            draft.unlink(missing_ok=True)
