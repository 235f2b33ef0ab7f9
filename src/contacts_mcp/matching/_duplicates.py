"""Who is in a directory more than once.

To compare everybody with everybody would take hours. Contacts are compared where something brings them together: an
equal number or address, a nearly equal number of somebody with the same initial, or a word of the name together with
one of the company.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from operator import itemgetter

from contacts_mcp.matching._clusters import Cluster, Link, clustered
from contacts_mcp.matching._evidence import SHORTEST_NUMBER, Person, weigh
from contacts_mcp.matching._keys import email_key, phone_key
from contacts_mcp.matching._names import name_tokens

_BLOCK = 40
"""Contacts that one thing may bring together; what more have in common tells nothing of any two of them."""
_TURN, _KEYS_TURN = 200, 2_000
_PLACE_BITS = 24
_PLACE, _HASH = (1 << _PLACE_BITS) - 1, (1 << 38) - 1
"""A key and the place of whoever has it are one number: a million of them are sorted in no time."""
_SHORTEST_WORD = 3
_Keys = Callable[[Person], Iterable[object]]
"""What brings a contact together with others."""


@dataclass(slots=True)
class Candidate:
    """As much of a contact as is compared."""

    id: str
    name: str
    phone: str | None = None
    email: str | None = None
    company: str | None = None


class Duplicates:
    """Finds duplicates among the contacts that were added.

    `search` does the work in steps, so that a caller can let others run between them.
    """

    def __init__(self, region: str | None = None) -> None:
        self._region = region
        self._people: list[Person] = []
        self.clusters: list[Cluster] = []

    def add(self, candidate: Candidate) -> None:
        """Take a contact into account."""
        number, address = phone_key(candidate.phone, self._region), email_key(candidate.email)
        company = name_tokens(candidate.company or "")
        self._people.append(Person(candidate.id, name_tokens(candidate.name), number, address, company))

    def search(self) -> Iterator[None]:
        """Look at the contacts, a few at a time; at the end `clusters` are there, most certain first."""
        links: dict[tuple[int, int], Link] = {}
        for keys, telling in _ROUNDS:
            entries: list[int] = []
            for place, person in enumerate(self._people):
                entries += [(hash(key) & _HASH) << _PLACE_BITS | place for key in keys(person)]
                if place % _KEYS_TURN == 0:
                    yield
            entries.sort()
            for turn, (first, second) in enumerate(self._pairs(entries, telling=telling)):
                if (first, second) not in links and (found := weigh(self._people[first], self._people[second])):
                    links[first, second] = Link(found.level, first, second, found.words)
                if turn % _TURN == 0:
                    yield
        self.clusters = clustered(self._people, sorted(links.values()))

    def _pairs(self, entries: Sequence[int], *, telling: bool) -> Iterator[tuple[int, int]]:
        """Who has a key in common, two at a time; where a `telling` key is that of very many, who has the same name."""
        for block in _blocks(entries):
            if len(block) <= _BLOCK:
                yield from combinations(block, 2)
            elif telling:
                yield from self._namesakes(block)

    def _namesakes(self, block: Sequence[int]) -> Iterator[tuple[int, int]]:
        named = sorted((sorted(self._people[place].name), place) for place in block)
        for _, group in groupby(named, key=itemgetter(0)):
            same = sorted(place for _, place in group)
            if len(same) <= _BLOCK:
                yield from combinations(same, 2)


def _blocks(entries: Iterable[int]) -> Iterator[list[int]]:
    """The places of several who have a key in common, from sorted entries."""
    key, block = -1, [-1]
    for entry in entries:
        if entry >> _PLACE_BITS != key:
            if len(block) > 1:
                yield block
            key, block = entry >> _PLACE_BITS, []
        place = entry & _PLACE
        if not block or block[-1] != place:
            block.append(place)
    if len(block) > 1:
        yield block


def _numbers(person: Person) -> Iterable[object]:
    return (person.phone,) if person.phone else ()


def _addresses(person: Person) -> Iterable[object]:
    return (person.email,) if person.email else ()


def _near_numbers(person: Person) -> Iterable[object]:
    """A slip leaves either the last digits or all before them as they are."""
    number = person.phone.removeprefix("+")
    if len(number) < SHORTEST_NUMBER:
        return ()
    initials = {word[0] for word in person.name} or {""}
    return [key for initial in initials for key in ((initial, number[-4:]), (initial, number[:-3], ""))]


def _names_at_companies(person: Person) -> Iterable[object]:
    places = [word for word in person.company if len(word) >= _SHORTEST_WORD]
    return [(word, place) for word in person.name if len(word) >= _SHORTEST_WORD for place in places]


_ROUNDS: tuple[tuple[_Keys, bool], ...] = (
    (_numbers, True),
    (_addresses, True),
    (_near_numbers, False),
    (_names_at_companies, False),
)
"""What brings contacts together, and whether it still tells something where it is that of very many."""
