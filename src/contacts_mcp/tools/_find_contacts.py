"""find_contacts: find a contact from a few words, even misspelled."""

from collections.abc import Iterable, Sequence

from pydantic import Field

from contacts_mcp.contract import Contact, ContactsError, FilterIgnored, ListContacts, SearchText
from contacts_mcp.matching import RankedContact, is_unambiguous, iter_ranked, query_variants, sort_ranked
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, one_line
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._select import LIST_FIELDS, Filter, fetch_full, iter_contacts
from contacts_mcp.tools._tool import Backend, read_tool
from contacts_mcp.tools._turns import iterate_cooperatively

_MAX_ROWS = 50
_MAX_READ_IN_FULL = 10  # search results that are read in full because their rows do not show what matched
_GOOD_SCORE = 85  # from this score on no better match is looked for
_MAX_LISTED, _MAX_SCANNED = 2_000, 50_000  # larger directories are not read as a whole, by list pages or by scan
_VALUE_LENGTH = 40
_ADVICE_IF_NONE = "no contact matches; ask for another spelling, a number or an e-mail address"
_ADVICE_IF_UNCLEAR = "ask the person which contact they mean"
_DISTINGUISHING_FIELDS = ("company_name", "phone_number", "email")


class FindContacts(Arguments):
    """Find a contact by a partial or misspelled name, company, number or e-mail; says whether the best match is
    unambiguous. To page through many, use list_contacts.
    """

    query: SearchText
    limit: int = Field(default=5, ge=1, le=20)


class Candidate(ContactSummary):
    """A contact that matches the query."""

    score: int = Field(description="How well it matches, 0 to 100.")
    why: str = Field(description="What matched.")


class ContactsFound(ShortAnswer):
    """The contacts that match, best first."""

    clear: bool = Field(description="The best match is unambiguous; else ask the person which contact they mean.")
    candidates: list[Candidate]
    more: int | None = Field(default=None, description="Further contacts that match.")
    next: str | None = None


async def _run(backend: Backend, arguments: FindContacts) -> ContactsFound:
    ranked = await _Search(JobClient(backend), arguments.query).find_best(arguments.limit)
    clear = is_unambiguous(ranked)
    shown = ranked[: arguments.limit]
    more = len(ranked) - len(shown)
    return ContactsFound(
        clear=clear,
        candidates=[_to_candidate(each, [other.contact for other in shown]) for each in shown],
        more=more if more > 0 else None,
        next=None if clear else _ADVICE_IF_UNCLEAR if shown else _ADVICE_IF_NONE,
    )


class _Search:
    """The search for one query: first by the service's search, then, if that is not enough, in all contacts."""

    def __init__(self, client: JobClient, query: str) -> None:
        self._client = client
        self._query = query
        self._known: dict[str, Contact] = {}

    async def find_best(self, limit: int) -> list[RankedContact]:
        """Rank all contacts that match, best first."""
        first, *others = query_variants(self._query, self._client.backend.default_region)
        await self._search([first])
        ranked = await self._rank(self._known.values())
        if not _is_good(ranked):
            await self._search(others)
            ranked = await self._rank(self._known.values())
        if not _is_good(ranked):
            ranked = _merge(ranked, await self._rank_all())
        return await self._read_namesakes(ranked, limit)

    async def _rank(self, contacts: Iterable[Contact]) -> list[RankedContact]:
        ranked = iter_ranked(self._query, contacts, self._client.backend.default_region)
        return sort_ranked([each async for each in iterate_cooperatively(ranked) if each])

    async def _search(self, queries: Sequence[str]) -> None:
        """Search for each query; some rows that do not show what matched are read in full."""

        async def search(query: str) -> list[Contact]:
            try:
                return (await self._client.send(ListContacts(search=query, per_page=_MAX_ROWS))).contacts
            except FilterIgnored:
                return []  # too many contacts to search; the results of other queries still count

        pages = await self._client.map_concurrently([query for query in queries if query.strip()], search)
        found = {row.id: row for page in pages for row in page}
        self._known |= {contact_id: row for contact_id, row in found.items() if contact_id not in self._known}
        explained = {each.contact.id for each in await self._rank(self._known.values())}
        unexplained = [contact_id for contact_id in found if contact_id not in explained]
        for contact in await fetch_full(self._client, unexplained[:_MAX_READ_IN_FULL]):
            self._known[contact.id] = contact

    async def _rank_all(self) -> list[RankedContact]:
        """Rank all contacts, unless there are too many: no search finds a name whose beginning is misspelled."""
        supports_scan = await self._client.backend.supports("scan")
        total = (await self._client.send(ListContacts(per_page=1))).total
        if total is None or total > (_MAX_SCANNED if supports_scan else _MAX_LISTED):
            return []
        fields = LIST_FIELDS | ({"company_name"} if supports_scan else frozenset())
        progress = self._client.progress("contacts compared", total)
        found: list[RankedContact] = []
        async for page in iter_contacts(self._client, Filter(), fields, progress):
            found = _merge(found, await self._rank(page))[:_MAX_ROWS]
        return found

    async def _read_namesakes(self, ranked: list[RankedContact], limit: int) -> list[RankedContact]:
        """Read contacts of the same name in full: their rows may lack the company, which distinguishes them."""
        names = [each.contact.name for each in ranked[:limit]]
        namesakes = [each.contact.id for each in ranked[:limit] if names.count(each.contact.name) > 1]
        try:
            full = {contact.id: contact for contact in await fetch_full(self._client, namesakes)}
        except ContactsError:
            full = {}
        return [RankedContact(full.get(each.contact.id, each.contact), each.score, each.reason) for each in ranked]


def _merge(these: Iterable[RankedContact], those: Iterable[RankedContact]) -> list[RankedContact]:
    best: dict[str, RankedContact] = {}
    for each in (*these, *those):
        if each.contact.id not in best or best[each.contact.id].score < each.score:
            best[each.contact.id] = each
    return sorted(best.values(), key=lambda each: -each.score)


def _is_good(ranked: Sequence[RankedContact]) -> bool:
    return bool(ranked) and ranked[0].score >= _GOOD_SCORE


def _to_candidate(each: RankedContact, shown: Sequence[Contact]) -> Candidate:
    """Show as little as distinguishes a candidate from the others: its name and the first field that differs."""
    contact = each.contact
    own = [name for name in _DISTINGUISHING_FIELDS if getattr(contact, name)]
    unique = [name for name in own if sum(getattr(other, name) == getattr(contact, name) for other in shown) == 1]
    return Candidate(
        id=contact.id,
        name=one_line(contact.name, _VALUE_LENGTH),
        **{name: one_line(getattr(contact, name), _VALUE_LENGTH) for name in (unique or own)[:1]},
        score=each.score,
        why=each.reason,
    )


find_contacts = read_tool("find_contacts", FindContacts, ContactsFound, _run)
