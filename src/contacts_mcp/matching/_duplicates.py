"""Finds duplicates: blocking selects the pairs to compare, and linked pairs are clustered into people.

All pairs of a hundred thousand contacts would be five billion. Each blocking pass groups the contacts by one kind of
key and compares only pairs within a block; contacts that share no blocking key are never compared.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, islice
from typing import Literal, NamedTuple

from contacts_mcp.matching._similarity import (
    Confidence,
    KeyedContact,
    Link,
    company_key,
    compare,
    email_key,
    main_number,
    name_key,
    phone_key,
)

Pair = tuple[int, int]
"""Positions of two contacts, the smaller one first."""

_MAX_PERSONAL_CONTACTS = 8
"""A number or e-mail address that more contacts share is a switchboard's."""
_MAX_SMALL_COMPANY_CONTACTS = 100
"""In a company with more contacts, namesakes are common."""
_MAX_BLOCK_SIZE = 30
_NEIGHBOURS = 6
_TAIL_DIGITS = 4
_COMPANY_KEY_WORDS = 2
_COMPARED_MEMBERS = 4
"""Members of each cluster that are compared before two clusters are joined."""

# How much work is done between two steps of a search.
_COUNTED_PER_STEP = 2_000
_BLOCKED_PER_STEP = 1_000
_COMPARED_PER_STEP = 500
_JOINED_PER_STEP = 200


@dataclass(slots=True)
class ContactRecord:
    """A contact as it is stored; None for a missing value."""

    id: str
    name: str
    phone: str | None = None
    email: str | None = None
    company: str | None = None


class Cluster(NamedTuple):
    """Contacts that may be one person, in the order in which they were added.

    Confidence and evidence are those of the weakest link that holds the cluster together. A cluster may contain a more
    certain one, which is reported before it.
    """

    ids: tuple[str, ...]
    confidence: Literal["certain", "likely", "possible"]
    evidence: tuple[str, ...]


class DisjointCluster(NamedTuple):
    """A cluster that shares no contact with another one.

    Each of `wider` has further contacts that may be the same person with less confidence. They are in no other cluster,
    or in that of another person who may be the same.
    """

    cluster: Cluster
    wider: list[Cluster]


def to_disjoint(clusters: Iterable[Cluster]) -> list[DisjointCluster]:
    """Attach each cluster that contains a more certain one to the first that it contains."""
    found: list[DisjointCluster] = []
    position_of: dict[str, int] = {}
    for cluster in clusters:
        contained = {position_of[each] for each in cluster.ids if each in position_of}
        position = min(contained, default=len(found))
        if not contained:
            found.append(DisjointCluster(cluster, []))
        else:
            first = found[position]
            known = {contact_id for each in (first.cluster, *first.wider) for contact_id in each.ids}
            further = tuple(each for each in cluster.ids if each not in known)
            first.wider.append(cluster._replace(ids=further))
        for contact_id in cluster.ids:
            position_of.setdefault(contact_id, position)
    return found


class DuplicateFinder:
    """Finds duplicates in steps: add every contact, exhaust `search`, then read `clusters`.

    A step takes a few milliseconds; an event loop can run other tasks after each. A hundred thousand contacts take
    about two seconds and 60 MB. `region` (ISO 3166 code) is the country of numbers without a country code.
    """

    def __init__(self, region: str | None = None) -> None:
        self.clusters: list[Cluster] = []
        self._region = region
        self._contacts: list[KeyedContact] = []
        self._company_keys: dict[str, str] = {}  # many contacts have the same company

    def add(self, contact: ContactRecord) -> None:
        """Add a contact to the search; only its match keys are kept."""
        phone, email = phone_key(contact.phone, self._region), email_key(contact.email)
        keyed = KeyedContact(contact.id, name_key(contact.name), phone, email, self._company_key(contact.company or ""))
        self._contacts.append(keyed)

    def _company_key(self, company: str) -> str:
        if company not in self._company_keys:
            self._company_keys[company] = company_key(company)
        return self._company_keys[company]

    def search(self) -> Iterator[None]:
        """Search in steps. Afterwards `clusters` is filled, most certain first."""
        yield from self._mark_common_keys()
        links: dict[Pair, Link] = {}
        for pairs in candidate_pairs(self._contacts):
            for pair in pairs:
                link = self._compare(*pair)
                if link is not None:
                    links[pair] = link
            yield
        for found in _cluster(links, self._compare, lambda position: self._contacts[position].id):
            self.clusters += found
            yield

    def _mark_common_keys(self) -> Iterator[None]:
        keys: Counter[str] = Counter()
        companies: Counter[str] = Counter()
        starts = range(0, len(self._contacts), _COUNTED_PER_STEP)
        slices = [self._contacts[start : start + _COUNTED_PER_STEP] for start in starts]
        for contacts in slices:
            keys.update(key for contact in contacts for key in (contact.phone, contact.email) if key)
            companies.update(contact.company for contact in contacts)
            yield
        for contacts in slices:
            for contact in contacts:
                contact.has_common_key = max(keys[contact.phone], keys[contact.email]) > _MAX_PERSONAL_CONTACTS
                contact.has_large_company = companies[contact.company] > _MAX_SMALL_COMPANY_CONTACTS
            yield

    def _compare(self, one: int, other: int) -> Link | None:
        return compare(self._contacts[one], self._contacts[other])


def candidate_pairs(contacts: Sequence[KeyedContact]) -> Iterator[list[Pair]]:
    """Yield the pairs to compare, at most some hundred at a time; an empty list while blocks are gathered.

    A pair may be repeated. In a block of more than 30 contacts each is paired only with its neighbours by name, so that
    a number shared by thousands costs no more than thousands of numbers.
    """
    for block_keys in _BLOCK_KEYS:
        blocks: dict[int, list[int]] = {}
        for _ in _gather_blocks(contacts, block_keys, blocks):
            yield []
        pairs = (pair for block in blocks.values() for pair in _pairs(block, contacts))
        while batch := list(islice(pairs, _COMPARED_PER_STEP)):
            yield batch


def _gather_blocks(
    contacts: Sequence[KeyedContact],
    block_keys: Callable[[KeyedContact], Iterable[object]],
    blocks: dict[int, list[int]],
) -> Iterator[None]:
    """Fill `blocks` with the blocks of two contacts or more; stores hashes of keys to save memory."""
    first: dict[int, int] = {}
    for position, contact in enumerate(contacts):
        for key in map(hash, block_keys(contact)):
            other = first.setdefault(key, position)
            if other != position:
                blocks.setdefault(key, [other]).append(position)
        if position % _BLOCKED_PER_STEP == 0:
            yield


def _pairs(block: list[int], contacts: Sequence[KeyedContact]) -> Iterator[Pair]:
    if len(block) <= _MAX_BLOCK_SIZE:
        yield from (pair for pair in combinations(block, 2) if pair[0] != pair[1])
        return
    by_name = sorted(set(block), key=lambda position: (contacts[position].name, position))
    for index, position in enumerate(by_name):
        for neighbour in by_name[index + 1 : index + 1 + _NEIGHBOURS]:
            yield min(position, neighbour), max(position, neighbour)


_BLOCK_KEYS: tuple[Callable[[KeyedContact], Iterable[object]], ...] = (
    lambda contact: [main_number(contact.phone)] if contact.phone else [],
    lambda contact: [contact.email] if contact.email else [],
    # A typo in a number leaves its tail or its head unchanged; the initials keep the blocks small.
    lambda contact: _with_initials(contact.phone[-_TAIL_DIGITS:], contact),
    lambda contact: _with_initials(contact.phone[:-_TAIL_DIGITS], contact),
    lambda contact: _company_keys(contact) if contact.company and contact.name else [],
)


def _with_initials(key: str, contact: KeyedContact) -> list[object]:
    return [(key, _initials(contact.name))] if key and contact.name else []


def _company_keys(contact: KeyedContact) -> Iterator[object]:
    if not contact.has_large_company:
        initials = _initials(contact.name)
        for word in sorted(contact.company.split(), key=len)[-_COMPANY_KEY_WORDS:]:
            yield word, initials


def _initials(name: str) -> str:
    """Return the initials of the first and last word in alphabetical order, as names are also written reversed."""
    first, last = name[0], name[name.rfind(" ") + 1]
    return first + last if first < last else last + first


def _cluster(
    links: Mapping[Pair, Link], compare_at: Callable[[int, int], Link | None], id_at: Callable[[int], str]
) -> Iterator[list[Cluster]]:
    """Yield the clusters in steps, most certain first; an empty list after a step without a result.

    Certain links are joined and reported before any less certain link is added.
    """
    clusterer = _Clusterer(compare_at)
    by_strength = sorted(links.items(), key=lambda found: _strength(found[1]), reverse=True)
    for confidence, level in groupby(by_strength, key=lambda found: found[1].confidence):
        for number, (pair, link) in enumerate(level):
            clusterer.join(pair, link)
            if number % _JOINED_PER_STEP == 0:
                yield []
        yield [
            Cluster(tuple(map(id_at, sorted(members))), _LABELS[confidence], link.evidence)
            for link, members in clusterer.take_grown()
        ]


class _GrowingCluster:
    __slots__ = ("grown_by", "members")

    def __init__(self, member: int) -> None:
        self.members = [member]
        self.grown_by: Link | None = None


class _Clusterer:
    """Joins linked contacts, strongest link first.

    Links are not transitive: if A is linked to B and B to C, the three are joined only if most pairs across are linked.
    """

    def __init__(self, compare_at: Callable[[int, int], Link | None]) -> None:
        self._compare_at = compare_at
        self._cluster_of: dict[int, _GrowingCluster] = {}
        self._grown: dict[int, _GrowingCluster] = {}

    def join(self, pair: Pair, link: Link) -> None:
        """Join the clusters of two contacts if most of their members are linked."""
        one, other = (self._cluster_of.setdefault(member, _GrowingCluster(member)) for member in pair)
        if one is other or not self._are_linked(one, other):
            return
        small, large = sorted((one, other), key=lambda cluster: len(cluster.members))
        self._grown.pop(id(small), None)
        self._grown[id(large)] = large
        large.members += small.members
        large.grown_by = link
        for member in small.members:
            self._cluster_of[member] = large

    def take_grown(self) -> list[tuple[Link, list[int]]]:
        """Return the clusters that have grown since the last call, each with its weakest new link, strongest first."""
        grown = [(cluster.grown_by, cluster.members) for cluster in self._grown.values() if cluster.grown_by]
        self._grown = {}
        return sorted(grown, key=lambda found: (*_strength(found[0]), -min(found[1])), reverse=True)

    def _are_linked(self, one: _GrowingCluster, other: _GrowingCluster) -> bool:
        if len(one.members) == len(other.members) == 1:
            return True
        across = [(a, b) for a in one.members[:_COMPARED_MEMBERS] for b in other.members[:_COMPARED_MEMBERS]]
        return 2 * sum(self._compare_at(*pair) is not None for pair in across) > len(across)


def _strength(link: Link) -> tuple[int, float, int]:
    return link.confidence, link.name_similarity, len(link.evidence)


_LABELS: dict[Confidence, Literal["certain", "likely", "possible"]] = {
    Confidence.CERTAIN: "certain",
    Confidence.LIKELY: "likely",
    Confidence.POSSIBLE: "possible",
}
