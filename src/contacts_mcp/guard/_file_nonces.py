"""A nonce store in a folder, for the processes of one user on one machine."""

import re
import time

import anyio.to_thread

from contacts_mcp.guard._guard import ANSWER_LIFETIME_SECONDS, NonceStoreUnavailable
from contacts_mcp.private_folder import PrivateFolder

_NONCE = re.compile(r"[0-9a-f]{32}")
_KEPT_SECONDS = 2 * ANSWER_LIFETIME_SECONDS
"""Longer than any answer is valid, in case a clock is set back."""


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
