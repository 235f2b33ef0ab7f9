"""Search for related records: live or deleted contacts that may be the same person under another id.

They share the number, the e-mail address or the name with the contact or with a record that was merged into it, by the
rules of `matching`. On the platform only live contacts can be searched.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

from contacts_mcp.contract import ContactsError, ListDeletedContacts, PersonRecord, ReadPerson
from contacts_mcp.matching import SAME_NAME, SIMILAR_NAME, Identity, identify, list_shared
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._person import KnownPerson, to_record
from contacts_mcp.tools._select import LIST_FIELDS, Filter, iter_contacts
from contacts_mcp.tools._turns import iterate_cooperatively

MAX_RELATED = 20
"""Related records that are named; the others are counted."""

_MAX_CANDIDATES = 2_000  # search results that are compared; a switchboard's number may have more
_MAX_SEARCHES = 20
_MAX_SEARCH_LENGTH = 255
_SCANNED_FIELDS = frozenset({"type", "name", "company_name", "phone_number", "email", "updated_at"})
_MERGED_INTO = "it was merged into this one"


@dataclass(frozen=True, slots=True)
class RelatedRecord:
    """A record that may be the same person, what it shares, what was merged into it, and the groups it is in."""

    record: PersonRecord
    shared: Sequence[str]
    merged: Sequence[PersonRecord] = ()
    group_ids: Sequence[str] = ()

    @property
    def records(self) -> list[PersonRecord]:
        """The record, and what was merged into it: they are erased together."""
        return [self.record, *self.merged]


@dataclass(frozen=True, slots=True)
class RelatedRecords:
    """Related records, those that share most first.

    Attributes:
        named: the first MAX_RELATED of them.
        more: how many others there are.
        gap: why some may be missing; empty if none is.
    """

    named: Sequence[RelatedRecord] = ()
    more: int = 0
    gap: str = ""


async def find_related(client: JobClient, person: KnownPerson, *, has_persons: bool) -> RelatedRecords:
    """Find the related records of a person; if they cannot be searched, the result says so.

    `has_persons` says whether deleted and merged records can be searched, too.
    """
    search = _RelatedSearch(client, person, has_persons)
    try:
        await search.run()
        found = search.found()
        named = await client.map_concurrently(found[:MAX_RELATED], search.complete)
    except ContactsError as exc:
        return RelatedRecords(gap=f"other records could not be searched ({exc.code})")
    return RelatedRecords(named, len(found) - len(named), search.gap)


class _RelatedSearch:
    """One search: by the numbers, addresses and names of a person, among live and, if possible, deleted records."""

    def __init__(self, client: JobClient, person: KnownPerson, has_persons: bool) -> None:
        self.gap = ""
        self._client = client
        self._has_persons = has_persons
        self._person = person
        self._identities = [self._identify(each) for each in person.records]
        self._seen = {each.id for each in person.records}
        self._found: dict[str, RelatedRecord] = {}
        self._compared = 0

    async def run(self) -> None:
        """Search for everything that identifies the person."""
        await self._add_kept()
        searches = list(dict.fromkeys(each for identity in self._identities for each in identity.searches))
        for search in searches[:_MAX_SEARCHES]:
            async for records in self._iter_candidates(search[:_MAX_SEARCH_LENGTH]):
                await self._compare(records)
                if self._compared >= _MAX_CANDIDATES:
                    self.gap = f"only {_MAX_CANDIDATES:,} records were compared"
                    return

    def found(self) -> list[RelatedRecord]:
        """Return what was found, without records that were merged into another of them."""
        separate = [each for each in self._found.values() if each.record.merged_into not in self._found]
        return sorted(separate, key=lambda each: (-len(each.shared), each.record.id))

    async def complete(self, related: RelatedRecord) -> RelatedRecord:
        """Read what was merged into a related record, and its groups."""
        if not self._has_persons:
            return related
        person = await self._client.send(ReadPerson(contact_id=related.record.id))
        merged = [each for each in person.merged if each.status != "erased"]
        return replace(related, merged=merged, group_ids=person.group_ids)

    async def _add_kept(self) -> None:
        """Add the record that the contact was merged into: it has the contact's data."""
        kept_id = self._person.contact.merged_into if self._person.contact else None
        if kept_id and kept_id not in self._seen:
            kept = await self._client.send(ReadPerson(contact_id=kept_id))
            self._seen.add(kept_id)
            if kept.status != "erased":
                self._found[kept_id] = RelatedRecord(kept, (_MERGED_INTO,))

    async def _iter_candidates(self, search: str) -> AsyncIterator[list[PersonRecord]]:
        fields = _SCANNED_FIELDS if self._has_persons else LIST_FIELDS
        progress = self._client.progress("records compared")
        async for page in iter_contacts(self._client, Filter(search=search), fields, progress):
            yield [to_record(contact) for contact in page]
        after: str | None = None
        while self._has_persons:
            deleted = await self._client.send(ListDeletedContacts(search=search, after=after))
            yield deleted.contacts
            if deleted.next is None:
                return
            after = deleted.next

    async def _compare(self, records: Sequence[PersonRecord]) -> None:
        new = [each for each in records if each.id not in self._seen]
        self._seen.update(each.id for each in new)
        self._compared += len(new)
        async for related in iterate_cooperatively(self._iter_compared(new)):
            if related:
                self._found[related.record.id] = related

    def _iter_compared(self, records: Sequence[PersonRecord]) -> Iterator[RelatedRecord | None]:
        for record in records:
            other = self._identify(record)
            shared = dict.fromkeys(each for identity in self._identities for each in list_shared(identity, other))
            if SAME_NAME in shared:  # as one of the person's records, and another has a similar name
                shared.pop(SIMILAR_NAME, None)
            yield RelatedRecord(record, tuple(shared)) if shared else None

    def _identify(self, record: PersonRecord) -> Identity:
        return identify(record.name, record.phone_number, record.email, self._client.backend.default_region)
