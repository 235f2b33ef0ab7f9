"""From pairs to people: which contacts belong together, and how certain that is of all of them."""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Literal, NamedTuple

from contacts_mcp.matching._blocks import Pair
from contacts_mcp.matching._likeness import Confidence, Link

Compare = Callable[[int, int], Link | None]
"""What links the contacts at two positions."""

_JOINED_AT_ONCE = 200
_LOOKED_AT = 4
"""Members of each group that are compared before two groups join."""


class Cluster(NamedTuple):
    """Contacts that may be one person, in the order in which they were added.

    Confidence and evidence are those of the weakest link that holds the cluster together. A cluster may hold a more
    certain one whole: then it says who else may be the same.
    """

    ids: tuple[str, ...]
    confidence: Literal["certain", "likely", "possible"]
    evidence: tuple[str, ...]


class _Group:
    __slots__ = ("grown_by", "members")

    def __init__(self, member: int) -> None:
        self.members = [member]
        self.grown_by: Link | None = None


def cluster(links: Mapping[Pair, Link], compare: Compare, id_of: Callable[[int], str]) -> Iterator[list[Cluster]]:
    """The clusters, some at a time and most certain first; an empty list where others may run meanwhile.

    What is certain is joined first and reported before anything less certain is added to it.
    """
    groups = _Groups(compare)
    in_order = sorted(links.items(), key=lambda found: _strength(found[1]), reverse=True)
    for confidence, level in groupby(in_order, key=lambda found: found[1].confidence):
        for number, (pair, link) in enumerate(level):
            groups.join(pair, link)
            if number % _JOINED_AT_ONCE == 0:
                yield []
        yield [
            Cluster(tuple(map(id_of, sorted(members))), _LABELS[confidence], link.evidence)
            for link, members in groups.grown()
        ]


class _Groups:
    """Joins linked contacts, the strongest link first.

    A chain is no person: that A is like B and B like C joins the three only where most of both sides are linked.
    """

    def __init__(self, compare: Compare) -> None:
        self._compare = compare
        self._group_of: dict[int, _Group] = {}
        self._grown: dict[int, _Group] = {}

    def join(self, pair: Pair, link: Link) -> None:
        """Put the two, and whom they are with, into one group where the groups agree."""
        one, other = (self._group_of.setdefault(member, _Group(member)) for member in pair)
        if one is other or not self._agree(one, other):
            return
        small, large = sorted((one, other), key=lambda group: len(group.members))
        self._grown.pop(id(small), None)
        self._grown[id(large)] = large
        large.members += small.members
        large.grown_by = link
        for member in small.members:
            self._group_of[member] = large

    def grown(self) -> list[tuple[Link, list[int]]]:
        """What has grown since this was asked, with the weakest link of those by which it did, best first."""
        grown = [(group.grown_by, group.members) for group in self._grown.values() if group.grown_by]
        self._grown = {}
        return sorted(grown, key=lambda found: (*_strength(found[0]), -min(found[1])), reverse=True)

    def _agree(self, one: _Group, other: _Group) -> bool:
        if len(one.members) == len(other.members) == 1:
            return True
        across = [(a, b) for a in one.members[:_LOOKED_AT] for b in other.members[:_LOOKED_AT]]
        return 2 * sum(self._compare(*pair) is not None for pair in across) > len(across)


def _strength(link: Link) -> tuple[int, float, int]:
    """Certainty, then how alike the names are, then how much speaks for it."""
    return link.confidence, link.name, len(link.evidence)


_LABELS: dict[Confidence, Literal["certain", "likely", "possible"]] = {
    Confidence.CERTAIN: "certain",
    Confidence.LIKELY: "likely",
    Confidence.POSSIBLE: "possible",
}
