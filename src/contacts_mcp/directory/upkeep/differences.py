"""Comparing what is derived with what it is derived from, where both are too much to be held."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

from sqlalchemy import Connection

Item = tuple[Hashable, ...]
Read = Callable[[Connection], Iterable[Item]]
"""Reads all items from their beginning; it may be called again."""

_PARTS, _PARTS_LOOKED_AT = 4_096, 64


def differences(connection: Connection, expected: Read, found: Read) -> tuple[list[Item], list[Item]]:
    """Items that are missing and items that should not be there, where both are too many to be held.

    They are added up in parts by their first value, and parts with different sums are looked at; not all of them where
    that would be much.
    """
    sums: Counter[int] = Counter()
    for item in expected(connection):
        sums[hash(item[0]) % _PARTS] += hash(item)
    for item in found(connection):
        sums[hash(item[0]) % _PARTS] -= hash(item)
    parts = set(sorted(part for part, total in sums.items() if total)[:_PARTS_LOOKED_AT])
    if not parts:
        return [], []
    items = Counter(item for item in expected(connection) if hash(item[0]) % _PARTS in parts)
    items.subtract(item for item in found(connection) if hash(item[0]) % _PARTS in parts)
    return [each for each in items if items[each] > 0], [each for each in items if items[each] < 0]
