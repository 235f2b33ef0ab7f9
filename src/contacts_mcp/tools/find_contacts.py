"""find_contacts: who is meant by a few words, however they are written."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from contacts_mcp.contract import Contact, ContactPage, ContactsError, FilterIgnored, ListContacts, Risk, Text
from contacts_mcp.matching import RankedContact, is_unambiguous, query_variants, rank_contacts
from contacts_mcp.tools._answers import Brief, ShortAnswer
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._tool import run_directly
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.steps import SHOWN_IN_LISTS, Filter, JobClient, Progress, chosen, complete, cut

_ROWS = 50
_READ_IN_FULL = 10
"""Rows that are read in full, where what the service found them by does not show."""
_GOOD = 85
"""A score from which on nobody better is looked for."""
_LOOKED_THROUGH, _SCANNED = 2_000, 50_000
"""Contacts that are all looked at where searching finds nobody: by pages of a list, and where there is a scan."""
_VALUE = 40
_APART = ("company_name", "phone_number", "email")


class FindContacts(BaseModel):
    """Find who is meant: a name in any order or misspelt, company, part of a number, e-mail. Says whether the best is
    clearly meant; to page through many use list_contacts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    query: Text
    limit: int = Field(default=5, ge=1, le=20)


class Found(Brief):
    """A candidate, why it matched, and how well (0 to 100)."""

    score: int
    why: str


class ContactsFound(ShortAnswer):
    """Candidates, best first. `clear`: the best is the one that is meant; else ask the person which."""

    clear: bool
    candidates: list[Found]
    more: int | None = Field(default=None, description="Others that matched.")
    next: str | None = None


async def _run(backend: Backend, arguments: FindContacts) -> ContactsFound:
    ranked = await _Search(backend, arguments.query).best(arguments.limit)
    clear = is_unambiguous(ranked)
    shown = ranked[: arguments.limit]
    more = len(ranked) - len(shown)
    return ContactsFound(
        clear=clear,
        candidates=[_found(each, [other.contact for other in shown]) for each in shown],
        more=more if more > 0 else None,
        next=_advice(clear, shown),
    )


def _advice(clear: bool, shown: Sequence[RankedContact]) -> str | None:
    if not shown:
        return "nobody fits; ask for another spelling, a number or an e-mail address"
    return None if clear else "ask which one is meant"


class _Search:
    """The search for one query: what the service finds, and where that is too little, a look at everybody."""

    def __init__(self, backend: Backend, query: str) -> None:
        self._backend = backend
        self._pace = JobClient(backend)
        self._query = query
        self._known: dict[str, Contact] = {}

    async def best(self, limit: int) -> list[RankedContact]:
        """All that fit, best first. What is shown of them is read in full where names alone do not tell them apart."""
        first, *others = query_variants(self._query, self._backend.default_region)
        await self._ask([first])
        ranked = self._ranked()
        if not _is_good(ranked):
            await self._ask(others)
            ranked = self._ranked()
        if not _is_good(ranked):
            ranked = self._merged(ranked, await self._look_through())
        return await self._told_apart(ranked, limit)

    def _ranked(self) -> list[RankedContact]:
        return rank_contacts(self._query, self._known.values(), self._backend.default_region)

    async def _ask(self, queries: Sequence[str]) -> None:
        """Search for each; rows that do not show what they were found by are read in full, as far as is affordable."""
        found: dict[str, Contact] = {}

        async def ask(query: str) -> None:
            try:
                page: ContactPage = await self._pace.send(ListContacts(search=query, per_page=_ROWS))
            except FilterIgnored:
                return  # too many to look through; what other queries find still counts
            found.update((row.id, row) for row in page.contacts)

        await self._pace.map_concurrently([query for query in queries if query.strip()], ask)
        self._known |= {contact_id: row for contact_id, row in found.items() if contact_id not in self._known}
        explained = {each.contact.id for each in self._ranked()}
        unexplained = [contact_id for contact_id in found if contact_id not in explained]
        for contact in await complete(self._pace, unexplained[:_READ_IN_FULL]):
            self._known[contact.id] = contact

    async def _look_through(self) -> list[RankedContact]:
        """Rank everybody, where there are not too many: a misspelt beginning is found by no search."""
        scans = await self._backend.supports("scan")
        total = (await self._pace.send(ListContacts(per_page=1))).total
        if total is None or total > (_SCANNED if scans else _LOOKED_THROUGH):
            return []
        fields = SHOWN_IN_LISTS | ({"company_name"} if scans else frozenset())
        progress = Progress(self._backend.report, "contacts looked at", total)
        found: list[RankedContact] = []
        async for page in chosen(self._backend, self._pace, Filter(), fields, progress):
            found = self._merged(found, rank_contacts(self._query, page, self._backend.default_region))[:_ROWS]
        return found

    @staticmethod
    def _merged(these: Iterable[RankedContact], those: Iterable[RankedContact]) -> list[RankedContact]:
        best: dict[str, RankedContact] = {}
        for each in (*these, *those):
            if each.contact.id not in best or best[each.contact.id].score < each.score:
                best[each.contact.id] = each
        return sorted(best.values(), key=lambda each: -each.score)

    async def _told_apart(self, ranked: list[RankedContact], limit: int) -> list[RankedContact]:
        """Namesakes are read in full: their rows may lack the company, which tells them apart."""
        names = [each.contact.name for each in ranked[:limit]]
        alike = [each.contact.id for each in ranked[:limit] if names.count(each.contact.name) > 1]
        try:
            full = {contact.id: contact for contact in await complete(self._pace, alike)}
        except ContactsError:
            full = {}
        return [RankedContact(full.get(each.contact.id, each.contact), each.score, each.reason) for each in ranked]


def _is_good(ranked: Sequence[RankedContact]) -> bool:
    return bool(ranked) and ranked[0].score >= _GOOD


def _found(each: RankedContact, all_: Sequence[Contact]) -> Found:
    """As few fields as tell a candidate from the others: its name, and the first one in which it differs."""
    contact = each.contact
    own = [name for name in _APART if getattr(contact, name)]
    telling = [name for name in own if sum(getattr(other, name) == getattr(contact, name) for other in all_) == 1]
    shown = (telling or own)[:1]
    return Found(
        id=contact.id,
        name=cut(contact.name, _VALUE),
        **{name: cut(getattr(contact, name), _VALUE) for name in shown},
        score=each.score,
        why=each.reason,
    )


find_contacts = workflow_tool(
    "find_contacts", FindContacts, ContactsFound, run_directly(Risk.READ, _run), risk=Risk.READ
)
