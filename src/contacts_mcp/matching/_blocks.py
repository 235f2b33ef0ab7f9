"""Which contacts are worth comparing: those that agree in something. All pairs would be five milliards.

Each pass groups the contacts by one kind of key and offers the pairs of each group. What agrees in nothing that a pass
knows is never compared.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, islice

from contacts_mcp.matching._likeness import Prepared

Pair = tuple[int, int]
"""Positions of two contacts, the smaller one first."""

_READ_AT_ONCE = 1_000
_COMPARED_AT_ONCE = 500
_LARGEST_BLOCK = 30
_NEIGHBOURS = 6
_NUMBER_TAIL = 4
_TELLING_WORDS = 2


def rounds(contacts: Sequence[Prepared]) -> Iterator[list[Pair]]:
    """The pairs to compare, at most some hundred at a time; empty while keys are gathered.

    A pair may come again. Of a block of more than 30 contacts each is paired with its neighbours by name alone, so
    that a number which thousands share costs no more than thousands of numbers.
    """
    for keys_of in (_by_phone, _by_email, _by_end_of_phone, _by_beginning_of_phone, _by_company):
        blocks: dict[int, list[int]] = {}
        for _ in _gather(contacts, keys_of, blocks):
            yield []
        pairs = (pair for block in blocks.values() for pair in _pairs(block, contacts))
        while batch := list(islice(pairs, _COMPARED_AT_ONCE)):
            yield batch


def _gather(
    contacts: Sequence[Prepared], keys_of: Callable[[Prepared], Iterator[object]], blocks: dict[int, list[int]]
) -> Iterator[None]:
    """Fill in the blocks of two contacts and more; keeps hashes, not keys, which would fill the memory."""
    first: dict[int, int] = {}
    for position, contact in enumerate(contacts):
        for key in map(hash, keys_of(contact)):
            other = first.setdefault(key, position)
            if other != position:
                blocks.setdefault(key, [other]).append(position)
        if position % _READ_AT_ONCE == 0:
            yield


def _pairs(block: list[int], contacts: Sequence[Prepared]) -> Iterator[Pair]:
    if len(block) <= _LARGEST_BLOCK:
        yield from (pair for pair in combinations(block, 2) if pair[0] != pair[1])
        return
    in_order = sorted(set(block), key=lambda position: (contacts[position].name, position))
    for place, position in enumerate(in_order):
        for neighbour in in_order[place + 1 : place + 1 + _NEIGHBOURS]:
            yield min(position, neighbour), max(position, neighbour)


def _by_phone(contact: Prepared) -> Iterator[object]:
    if contact.phone:
        yield contact.phone


def _by_email(contact: Prepared) -> Iterator[object]:
    if contact.email:
        yield contact.email


def _by_end_of_phone(contact: Prepared) -> Iterator[object]:
    """One slip in a number leaves its end or its beginning as it was; the initials keep the blocks small."""
    if contact.phone and contact.name:
        yield contact.phone[-_NUMBER_TAIL:], _initials(contact.name)


def _by_beginning_of_phone(contact: Prepared) -> Iterator[object]:
    if contact.phone and contact.name:
        yield contact.phone[:-_NUMBER_TAIL], _initials(contact.name)


def _by_company(contact: Prepared) -> Iterator[object]:
    if contact.company and contact.name and not contact.large:
        initials = _initials(contact.name)
        for telling in sorted(contact.company.split(), key=len)[-_TELLING_WORDS:]:
            yield telling, initials


def _initials(name: str) -> str:
    """Those of the first and the last word in alphabetical order: middle names may be left out, names turned round."""
    first, last = name[0], name[name.rfind(" ") + 1]
    return first + last if first < last else last + first
