"""Which answers were used before: in this process, or in all processes of one user."""

import re
import time
from collections.abc import Callable
from typing import Protocol

import anyio.to_thread

from contacts_mcp.contract import ContactsError
from contacts_mcp.guard._seal import ANSWER_LIFETIME_SECONDS
from contacts_mcp.private_folder import PrivateFolder

_NONCE = re.compile(r"[0-9a-f]{32}")
_KEPT_SECONDS = 2 * ANSWER_LIFETIME_SECONDS
"""Longer than any answer is valid, in case a clock is set back."""


class NonceStoreUnavailable(ContactsError):
    """The store cannot tell whether an answer was used before, so the answer does not count."""

    code = "nonce_store_unavailable"
    advice = "nothing was changed; try again later"

    def __init__(self) -> None:
        super().__init__("cannot check whether the answer was used before")


class NonceStore(Protocol):
    """Accepts each nonce once, on this server or on all servers that share the store."""

    async def spend(self, nonce: str, expires: float) -> bool:
        """Whether this is the first use. `expires` is in seconds since 1970. Raises NonceStoreUnavailable."""
        ...


class MemoryNonceStore:
    """The nonce store of a single process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._used_nonces: dict[str, float] = {}
        self._clock = clock

    async def spend(self, nonce: str, expires: float) -> bool:
        """See NonceStore. Nothing is awaited between the look-up and the entry, so that two calls cannot both win."""
        now = self._clock()
        # Entries are in order of insertion, so only expired ones are visited; one behind a later expiry waits for it.
        while self._used_nonces and (oldest := next(iter(self._used_nonces.items())))[1] <= now:
            del self._used_nonces[oldest[0]]
        if nonce in self._used_nonces:
            return False
        self._used_nonces[nonce] = expires
        return True


class FileNonceStore:
    """Accepts each nonce once in all processes that share `folder`: each used nonce is the name of an empty file."""

    def __init__(self, folder: PrivateFolder) -> None:
        self._folder = folder

    async def spend(self, nonce: str, expires: float) -> bool:  # noqa: ARG002 - the file's age says when it has expired
        """See NonceStore."""
        try:
            return await anyio.to_thread.run_sync(self._spend, nonce)
        except OSError:
            raise NonceStoreUnavailable from None

    def _spend(self, nonce: str) -> bool:
        if not _NONCE.fullmatch(nonce):
            return False
        is_first = self._folder.create(nonce, b"")
        self._folder.remove_older(time.time() - _KEPT_SECONDS)
        return is_first
