"""From pairs that may be one to clusters, without chaining strangers together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contacts_mcp.matching._evidence import LEVELS, Confidence, Person, weigh

_ASKED = 5
"""Contacts of a side that are compared before two clusters become one."""


class Link(NamedTuple):
    """Two contacts by their places, and what speaks for their being one; the strongest sort first."""

    level: int
    first: int
    second: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Contacts that may be one, with the confidence of the weakest link between them and all of the evidence."""

    ids: tuple[str, ...]
    confidence: Confidence
    evidence: tuple[str, ...]


@dataclass(slots=True)
class _Home:
    """A cluster as it grows."""

    places: list[int]
    level: int = 0
    words: dict[str, None] = field(default_factory=dict)


def clustered(people: Sequence[Person], links: Iterable[Link]) -> list[Cluster]:
    """Join links, which come strongest first; weak ones join two clusters only where most of their members agree."""
    homes: dict[int, _Home] = {}
    for link in links:
        one = homes.setdefault(link.first, _Home([link.first]))
        other = homes.setdefault(link.second, _Home([link.second]))
        if one is not other:
            if link.level and not _agree(people, one.places, other.places):
                continue
            one.places += other.places
            one.level = max(one.level, other.level, link.level)
            one.words |= other.words
            homes.update(dict.fromkeys(other.places, one))
        one.words |= dict.fromkeys(link.words)
    found = {id(home): home for home in homes.values() if len(home.places) > 1}.values()
    return [
        _cluster(people, home) for home in sorted(found, key=lambda home: (home.level, -len(home.words), home.places))
    ]


def _cluster(people: Sequence[Person], home: _Home) -> Cluster:
    return Cluster(tuple(people[place].id for place in sorted(home.places)), LEVELS[home.level], tuple(home.words))


def _agree(people: Sequence[Person], these: Sequence[int], those: Sequence[int]) -> bool:
    """Whether most of one side would be linked to most of the other: one weak link alone joins no two crowds."""
    pairs = [(one, other) for one in these[:_ASKED] for other in those[:_ASKED]]
    return 2 * sum(weigh(people[one], people[other]) is not None for one, other in pairs) >= len(pairs)
