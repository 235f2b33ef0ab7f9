"""Lists that a panel pages through: made once, and kept for some minutes for the caller who asked for them.

A list is kept as JSON, a text for each row: a plan's own objects would take several times as much memory.
"""

import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel

from contacts_mcp.tools._turns import ProgressReporter, iterate_in_thread

ALL_ROWS = "all"
MAX_PAGE_ROWS = 500
LIFETIME_SECONDS = 600.0
_MAX_PAGE_BYTES = 60_000  # of the rows of one answer; hosts show an answer with at most 150,000 characters
_MAX_ROWS, _MAX_BYTES = 100_000, 32 * 1024 * 1024  # of one list
_MAX_PER_OWNER = 4
_MAX_IN_ALL, _MAX_BYTES_IN_ALL = 64, 96 * 1024 * 1024


class PartRow(NamedTuple):
    """A row, and the parts of the list that show it, besides the whole list."""

    row: BaseModel
    parts: Sequence[str] = ()


@dataclass(slots=True)
class Listing:
    """Rows of JSON, and by part the places of those that it shows.

    Attributes:
        facts: what else is known of the list, such as the fingerprint of the plan that it shows.
        left_out: rows beyond the limits, which cannot be listed.
        size: bytes in memory.
    """

    facts: Any = None
    rows: list[bytes] = field(default_factory=list)
    parts: dict[str, "array[int]"] = field(default_factory=dict)
    left_out: int = 0
    size: int = 0

    def count(self, part: str) -> int:
        """Count the rows of a part."""
        return len(self._places(part))

    def page(self, part: str, offset: int, limit: int) -> list[bytes]:
        """Return the rows of a part from `offset` on: at least one if there is any, but no more than fit in an answer.

        The next page begins at `offset` and the number of rows that were returned.
        """
        shown: list[bytes] = []
        room = _MAX_PAGE_BYTES
        for place in self._places(part)[offset : offset + limit]:
            room -= len(self.rows[place])
            if shown and room < 0:
                break
            shown.append(self.rows[place])
        return shown

    def add(self, row: PartRow) -> None:
        if len(self.rows) == _MAX_ROWS or self.size > _MAX_BYTES:
            self.left_out += 1
            return
        text = row.row.model_dump_json(exclude_none=True).encode()
        for part in row.parts:
            self.parts.setdefault(part, array("L")).append(len(self.rows))
        self.rows.append(text)
        self.size += len(text)

    def _places(self, part: str) -> Sequence[int]:
        return range(len(self.rows)) if part == ALL_ROWS else self.parts.get(part, ())


async def build_listing(rows: Iterable[PartRow], progress: ProgressReporter) -> Listing:
    """Build a list from rows, which are made in a worker thread while they are iterated."""
    listing = Listing()
    async for _ in iterate_in_thread(map(listing.add, rows), progress):
        pass
    return listing


class _Kept(NamedTuple):
    listing: Listing
    made_at: float


class KeptListings:
    """Keeps the last few lists of each caller in memory, for ten minutes.

    If they are too many or too large in all, the oldest of the owner whose lists are largest is dropped.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._clock = clock

    def keep(self, owner: str, key: str, listing: Listing) -> None:
        """Keep an owner's list in place of the one with the same key."""
        self._drop_expired()
        self._kept.pop((owner, key), None)
        self._kept[owner, key] = _Kept(listing, self._clock())
        while len(self._keys_of(owner)) > _MAX_PER_OWNER:
            del self._kept[self._keys_of(owner)[0]]
        while len(self._kept) > 1 and (len(self._kept) > _MAX_IN_ALL or self._size() > _MAX_BYTES_IN_ALL):
            del self._kept[self._keys_of(self._find_largest_owner())[0]]

    def find(self, owner: str, key: str, max_age_seconds: float = LIFETIME_SECONDS) -> Listing | None:
        """Return an owner's list that is not older; None if there is none."""
        self._drop_expired()
        kept = self._kept.get((owner, key))
        return kept.listing if kept and self._clock() - kept.made_at < max_age_seconds else None

    def clear(self) -> None:
        """Forget all lists."""
        self._kept.clear()

    def _drop_expired(self) -> None:
        oldest = self._clock() - LIFETIME_SECONDS
        while self._kept and next(iter(self._kept.values())).made_at <= oldest:
            self._kept.popitem(last=False)

    def _keys_of(self, owner: str) -> list[tuple[str, str]]:
        return [key for key in self._kept if key[0] == owner]

    def _size(self, owner: str | None = None) -> int:
        return sum(kept.listing.size for key, kept in self._kept.items() if owner in (None, key[0]))

    def _find_largest_owner(self) -> str:
        return max({owner for owner, _ in self._kept}, key=self._size)
