"""Who is in the directory more than once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contacts_mcp.matching._blocks import Pair, rounds
from contacts_mcp.matching._clusters import Cluster, cluster
from contacts_mcp.matching._keys import company_key, email_key, name_key, phone_key
from contacts_mcp.matching._likeness import Link, Prepared, compare

_MANY_SHARE = 8
"""Contacts with one number or address, from where it is a switchboard's."""
_AT_ONCE = 2_000
_LARGE_COMPANY = 100
"""Contacts of one company, from where namesakes in it are no wonder."""


@dataclass(slots=True)
class ContactRecord:
    """A contact as it is stored; what is missing is None."""

    id: str
    name: str
    phone: str | None = None
    email: str | None = None
    company: str | None = None


class DuplicateFinder:
    """Looks for duplicates a little at a time: add every contact, go through `search`, then read `clusters`.

    A step of it takes a few milliseconds; in an event loop let others run after each. A hundred thousand contacts take
    about two seconds and 60 MB. `region` (ISO 3166 code) is the country of numbers without a country code.
    """

    def __init__(self, region: str | None = None) -> None:
        self.clusters: list[Cluster] = []
        self._region = region
        self._contacts: list[Prepared] = []

    def add(self, contact: ContactRecord) -> None:
        """Take one contact into the comparison; what it is compared by is kept, the contact itself is not."""
        phone, email = phone_key(contact.phone, self._region), email_key(contact.email)
        self._contacts.append(Prepared(contact.id, name_key(contact.name), phone, email, company_key(contact.company)))

    def search(self) -> Iterator[None]:
        """The work in slices. Afterwards `clusters` is filled, most certain first."""
        yield from self._mark()
        links: dict[Pair, Link] = {}
        for pairs in rounds(self._contacts):
            for pair in pairs:
                link = self._compare(*pair)
                if link is not None:
                    links[pair] = link
            yield
        for found in cluster(links, self._compare, lambda position: self._contacts[position].id):
            self.clusters += found
            yield

    def _mark(self) -> Iterator[None]:
        """Note whose number or address is many people's, and whose company is large."""
        keys: Counter[str] = Counter()
        companies: Counter[str] = Counter()
        slices = [self._contacts[start : start + _AT_ONCE] for start in range(0, len(self._contacts), _AT_ONCE)]
        for some in slices:
            keys.update(key for contact in some for key in (contact.phone, contact.email) if key)
            companies.update(contact.company for contact in some)
            yield
        for some in slices:
            for contact in some:
                contact.busy = max(keys[contact.phone], keys[contact.email]) > _MANY_SHARE
                contact.large = companies[contact.company] > _LARGE_COMPANY
            yield

    def _compare(self, one: int, other: int) -> Link | None:
        return compare(self._contacts[one], self._contacts[other])


def find_duplicates(contacts: Iterable[ContactRecord], region: str | None = None) -> list[Cluster]:
    """The clusters, most certain first, in one go; see `DuplicateFinder`, which lets others run meanwhile."""
    duplicates = DuplicateFinder(region)
    for contact in contacts:
        duplicates.add(contact)
    for _ in duplicates.search():
        pass
    return duplicates.clusters
