"""find_contacts: find one or several contacts from a few words each, even misspelled."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.contract import Contact, FilterIgnored, ListContacts, Record, SearchText
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
_MAX_QUERIES = 10
_MAX_CANDIDATES = 20  # of all queries of a call together, if that leaves each query at least two
_VALUE_LENGTH, _MAX_TAGS = 40, 5
_NO_MATCH = "no contact has a similar name, company, number or e-mail address"
_NO_MATCH_BY_SEARCH = "the search found no contact; a name that is misspelled at its beginning may be missed"
_ADVICE_IF_UNCLEAR = "if what the person said does not tell which of these is meant, ask"
_SHOWN_FIELDS = ("name", "company_name", "phone_number", "email")


class FindContacts(Arguments):
    """Find a contact by a partial or misspelled name, company, number or e-mail; says whether the best is
    clear. To page through many, use list_contacts.
    """

    query: SearchText | None = None
    queries: list[SearchText] | None = Field(default=None, max_length=_MAX_QUERIES, description="Or several at once.")
    limit: int = Field(default=5, ge=1, le=20)

    @model_validator(mode="after")
    def _check_query_given(self) -> Self:
        if not self.all_queries:
            raise PydanticCustomError("query", "needs a query, or several queries")
        return self

    @property
    def all_queries(self) -> list[str]:
        return list(dict.fromkeys([*([self.query] if self.query else []), *(self.queries or [])]))


class Candidate(ContactSummary):
    """A contact that matches the query."""

    tags: list[str] | None = Field(default=None, description="The first tags.")
    score: int = Field(description="How well it matches, 0 to 100.")
    why: str = Field(description="What matched.")


class QueryResult(Record):
    """The contacts that match one of several queries, best first."""

    query: str
    clear: bool = Field(description="The best match is unambiguous; it is the only one shown.")
    candidates: list[Candidate]
    more: int | None = Field(default=None, description="Further contacts that match.")
    note: str | None = None


class ContactsFound(ShortAnswer):
    """The contacts that match, best first; for several queries `results`, in their order."""

    clear: bool | None = Field(default=None, description="The best match is unambiguous.")
    candidates: list[Candidate] | None = None
    more: int | None = Field(default=None, description="Further contacts that match.")
    results: list[QueryResult] | None = None
    note: str | None = None
    next: str | None = None


async def _run(backend: Backend, arguments: FindContacts) -> ContactsFound:
    queries = arguments.all_queries
    client = JobClient(backend)
    searches = [_Search(client, query) for query in queries]
    for search in searches:
        await search.search()
    has_compared_all = await _compare_all(client, [each for each in searches if not _is_good(each.ranked)])
    limit = min(arguments.limit, max(2, _MAX_CANDIDATES // len(queries)))
    results = [await _to_result(client, each, limit, has_compared_all, is_only=len(queries) == 1) for each in searches]
    is_unclear = any(each.candidates and not each.clear for each in results)
    advice = _ADVICE_IF_UNCLEAR if is_unclear else None
    if len(results) > 1:
        return ContactsFound(results=results, next=advice)
    return ContactsFound(**results[0].model_dump(exclude={"query"}), next=advice)


class _Search:
    """The search for one query by the service's search, and the ranking of what it found."""

    def __init__(self, client: JobClient, query: str) -> None:
        self.query = query
        self.ranked: list[RankedContact] = []
        self._client = client
        self._known: dict[str, Contact] = {}

    async def search(self) -> None:
        """Search for the query, and for variants of it if no good match is found."""
        first, *others = query_variants(self.query, self._client.backend.default_region)
        await self._search([first])
        self.ranked = await self._rank(self._known.values())
        if not _is_good(self.ranked):
            await self._search(others)
            self.ranked = await self._rank(self._known.values())

    async def add(self, contacts: Iterable[Contact]) -> None:
        """Rank further contacts."""
        self.ranked = _merge(self.ranked, await self._rank(contacts))[: max(_MAX_ROWS, len(self.ranked))]

    async def _rank(self, contacts: Iterable[Contact]) -> list[RankedContact]:
        ranked = iter_ranked(self.query, contacts, self._client.backend.default_region)
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


async def _compare_all(client: JobClient, searches: Sequence[_Search]) -> bool:
    """Rank all contacts for these searches: no search of a service finds a name whose beginning is misspelled.

    Return whether this was done; a directory with too many contacts is not read as a whole.
    """
    if not searches:
        return True
    supports_scan = await client.backend.supports("scan")
    total = (await client.send(ListContacts(per_page=1))).total
    if total is None or total > (_MAX_SCANNED if supports_scan else _MAX_LISTED):
        return False
    fields = LIST_FIELDS | ({"company_name"} if supports_scan else frozenset())
    async for page in iter_contacts(client, Filter(), fields, client.progress("contacts compared", total)):
        for each in searches:
            await each.add(page)
    return True


async def _to_result(
    client: JobClient, search: _Search, limit: int, has_compared_all: bool, *, is_only: bool
) -> QueryResult:
    """Return the answer to one query; of a clear match among several queries, only the best candidate."""
    clear = is_unambiguous(search.ranked)
    ranked = search.ranked[: limit if is_only or not clear else 1]
    full = await _read(client, ranked[:1] if clear else ranked)  # rows lack the company
    candidates = [_to_candidate(each, full.get(each.contact.id, each.contact)) for each in ranked]
    more = len(search.ranked) - len(ranked)
    return QueryResult(
        query=search.query,
        clear=clear,
        candidates=candidates,
        more=more if more > 0 else None,
        note=None if candidates else _NO_MATCH if has_compared_all else _NO_MATCH_BY_SEARCH,
    )


async def _read(client: JobClient, ranked: Sequence[RankedContact]) -> dict[str, Contact]:
    """Read the contacts by id: rows of a list have no company, and must not look like contacts without one."""
    return {contact.id: contact for contact in await fetch_full(client, [each.contact.id for each in ranked])}


def _merge(these: Iterable[RankedContact], those: Iterable[RankedContact]) -> list[RankedContact]:
    best: dict[str, RankedContact] = {}
    for each in (*these, *those):
        if each.contact.id not in best or best[each.contact.id].score < each.score:
            best[each.contact.id] = each
    return sorted(best.values(), key=lambda each: -each.score)


def _is_good(ranked: Sequence[RankedContact]) -> bool:
    return bool(ranked) and ranked[0].score >= _GOOD_SCORE


def _to_candidate(each: RankedContact, contact: Contact) -> Candidate:
    """Show all that tells a candidate from others."""
    values = {name: one_line(getattr(contact, name), _VALUE_LENGTH) for name in _SHOWN_FIELDS}
    tags = [one_line(tag, _VALUE_LENGTH) or "" for tag in contact.tags[:_MAX_TAGS]]
    given: dict[str, Any] = {name: value for name, value in {**values, "tags": tags}.items() if value}
    return Candidate(id=contact.id, **given, score=each.score, why=each.reason)


find_contacts = read_tool("find_contacts", FindContacts, ContactsFound, _run)
