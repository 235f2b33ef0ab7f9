"""The files of each link in the folder, and which of them make room for new ones."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MAX_FILE_BYTES = 64 * 1024 * 1024
_MAX_PER_OWNER, _MAX_BYTES_PER_OWNER = 32, 4 * MAX_FILE_BYTES
_MAX_IN_ALL, _MAX_BYTES_IN_ALL = 1_024, 16 * MAX_FILE_BYTES

FILE_NAME = re.compile(
    r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9a-f]{32})\.(open|part|upload|about|download)"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """The files of one link: size and time of writing by state."""

    id: str
    owner: str
    files: dict[str, tuple[int, float]]

    @property
    def size(self) -> int:
        return sum(self.files.get(state, (0, 0.0))[0] for state in ("part", "upload", "download"))

    @property
    def written_at(self) -> float:
        return max(written_at for _, written_at in self.files.values())


def find_crowd(others: list[Entry], owner: str, size: int) -> list[Entry]:
    """Return the links of the owner who has to make room for a new one of `owner`; none if there is room."""
    mine = [each for each in others if each.owner == owner]
    if len(mine) >= _MAX_PER_OWNER or sum(each.size for each in mine) + size > _MAX_BYTES_PER_OWNER:
        return mine
    if len(others) >= _MAX_IN_ALL:
        return _find_largest(others, Counter({owner: 1}), lambda _: 1)
    if sum(each.size for each in others) + size > _MAX_BYTES_IN_ALL:
        return _find_largest(others, Counter({owner: size}), lambda each: each.size)
    return []


def _find_largest(others: list[Entry], sizes: Counter[str], weigh: Callable[[Entry], int]) -> list[Entry]:
    """Return the links of the owner with the most; `sizes` are what is to come."""
    for each in others:
        sizes[each.owner] += weigh(each)
    largest = max(sizes, key=lambda each: sizes[each])
    return [each for each in others if each.owner == largest]


def group_files(files: Iterable[tuple[float, int, str]]) -> dict[str, Entry]:
    """Group files, given by time of writing, size and name, to links by their ids."""
    found: dict[str, Entry] = {}
    for written_at, size, name in files:
        if parts := FILE_NAME.fullmatch(name):
            identifier, owner, state = parts.groups()
            found.setdefault(identifier, Entry(identifier, owner, {})).files[state] = size, written_at
    return found
