"""What was exported and can be fetched once more: by its owner, for a while, within bounds."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from contacts_mcp.contract import NotFound

ADDRESS = "contacts://exports/{id}"
"""Where a download can be fetched."""
LARGEST = 8 * 1024 * 1024
"""Bytes of one download."""
LIFETIME = 900.0
"""Seconds for which it can be fetched."""
_MOST_BYTES = 64 * 1024 * 1024
_MOST = 256


@dataclass(frozen=True, slots=True)
class Download:
    """A file of `size` bytes: kept in memory, or read from where it was written; `mime_type` says what it is."""

    name: str
    mime_type: str
    size: int
    read: Callable[[], bytes]
    in_memory: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    download: Download
    owner: str
    until: float


class Downloads:
    """Keeps downloads; where they are too many or take too much memory, the oldest goes first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._clock = clock

    def keep(self, download: Download, owner: str) -> str:
        """Keep one of at most LARGEST bytes; the address it can be fetched at."""
        identifier = str(uuid4())
        self._kept[identifier] = _Kept(download, owner, self._clock() + LIFETIME)
        self._forget()
        return ADDRESS.format(id=identifier)

    def fetch(self, identifier: str, owner: str) -> Download:
        """What was kept under this id, for whoever it was kept for.

        Raises:
            NotFound: there is nothing, not for this owner, or not any more.
        """
        self._forget()
        kept = self._kept.get(identifier.lower())
        if kept is None or kept.owner != owner:
            raise NotFound("there is no such download", advice="export again; a download is kept for 15 minutes")
        return kept.download

    def _forget(self) -> None:
        now = self._clock()
        while self._kept and (self._too_much() or next(iter(self._kept.values())).until <= now):
            self._kept.popitem(last=False)

    def _too_much(self) -> bool:
        size = sum(kept.download.size for kept in self._kept.values() if kept.download.in_memory)
        return len(self._kept) > _MOST or (size > _MOST_BYTES and len(self._kept) > 1)
