"""What is remembered of the files that callers planned to import."""

import asyncio
from typing import Any, Protocol

from cachetools import LRUCache, TTLCache

_LIFETIME_SECONDS = 600.0
_MAX_FILES, _MAX_ROWS = 1_000, 150_000  # a row takes about 700 bytes


class ReadFile(Protocol):
    """A file that was read; every plan of it has the same rows, which do not change."""

    @property
    def drafts(self) -> list[Any]:
        """The rows."""
        ...


class PlannedFiles:
    """The region of the last import plan of each caller and file, and for ten minutes the rows that were read.

    So a file is read once for its plan and the application. If the rows of all files are too many, those that were
    read first are dropped, and read again if they are needed.
    """

    def __init__(self) -> None:
        self._regions: LRUCache[tuple[str, str], str | None] = LRUCache(_MAX_FILES)
        self._read: TTLCache[tuple[str, str], ReadFile] = TTLCache(
            _MAX_ROWS, _LIFETIME_SECONDS, getsizeof=lambda file: len(file.drafts)
        )

    def replace_region(self, owner: str, digest: str, region: str | None) -> str | None:
        """Remember a plan's region; return that of the plan before, or the same if there was none."""
        before = self._regions.get((owner, digest), region)
        self._regions[owner, digest] = region
        return before

    def keep(self, owner: str, digest: str, file: ReadFile) -> None:
        """Keep the rows of a file, unless they are too many. `digest` is of the file and of how it was read."""
        if len(file.drafts) <= _MAX_ROWS:
            self._read[owner, digest] = file
            asyncio.get_running_loop().call_later(_LIFETIME_SECONDS + 1, self._read.expire)

    def find(self, owner: str, digest: str) -> Any:
        """Return what was kept; None if there is nothing."""
        return self._read.get((owner, digest))

    def forget_rows(self) -> None:
        """Drop the rows of all files: they may be of a person who was erased."""
        self._read.clear()
