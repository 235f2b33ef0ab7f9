"""find_duplicate_contacts: find people who are in the directory more than once, with the evidence for it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio.to_thread
from pydantic import Field

from contacts_mcp.contract import Record, SearchText
from contacts_mcp.matching import Cluster, ContactRecord, DisjointCluster, DuplicateFinder, is_same_value, to_disjoint
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, one_line
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._select import Filter, FilterArguments, iter_contacts
from contacts_mcp.tools._tool import Backend, read_tool
from contacts_mcp.tools._turns import iterate_cooperatively, iterate_in_thread

_COMPARED_FIELDS = frozenset({"id", "name", "phone_number", "email"})
_MAX_SHOWN = 5  # contacts of one cluster that are shown
_MAX_SEARCHES = 10
_FIELDS = {"name": "name", "company_name": "company", "phone_number": "phone", "email": "email"}
"""The shown fields of a contact, and their names in a ContactRecord."""
_WIDER_NOTE = "less_certain: further contacts that may be the same person; compare them before they are merged, too"
_NEXT_STEP = (
    "merge_contacts merges one cluster or several, each a list of ids in this order, after it has asked the person; "
    "evidence is not proof: a family or a company may share a number"
)


class FindDuplicateContacts(FilterArguments):
    """Find people who are in the directory more than once. To merge them, use merge_contacts."""

    searches: list[SearchText] | None = Field(default=None, max_length=_MAX_SEARCHES, description="Or several at once.")
    limit: int = Field(default=20, ge=1, le=50)

    @property
    def filters(self) -> list[Filter]:
        """The filters of which contacts match at least one."""
        searches = [*([self.search] if self.search else []), *(self.searches or [])]
        return [replace(self.filter, search=each) for each in searches] or [self.filter]


class WiderCluster(Record):
    """Contacts that may be the same person as a cluster's, with less confidence."""

    confidence: str = Field(description="likely or possible.")
    evidence: list[str]
    contacts: list[ContactSummary]
    more: int | None = Field(default=None, description="Further contacts.")


class DuplicateCluster(Record):
    """Contacts that may be the same person, and the evidence for it. No contact is in two clusters."""

    confidence: str = Field(description="certain, likely or possible.")
    evidence: list[str]
    differing: list[str] | None = Field(
        default=None, description="Fields with different values; a merge keeps one of them."
    )
    contacts: list[ContactSummary] = Field(description="The one with most values first, which is suggested to keep.")
    more: int | None = Field(default=None, description="Further contacts of this cluster.")
    less_certain: list[WiderCluster] | None = Field(
        default=None, description="Not in this cluster, but may be the same person, too; another cluster may have them."
    )


class DuplicatesFound(ShortAnswer):
    """Clusters of duplicates, most certain first."""

    compared: int = Field(description="Contacts compared.")
    total: int = Field(description="Clusters found: certain + likely + possible.")
    certain: int = Field(description="Clusters of this confidence.")
    likely: int = Field(description="Clusters of this confidence.")
    possible: int = Field(description="Clusters of this confidence.")
    clusters: list[DuplicateCluster]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class DuplicateSearch:
    """What a search has found: the contacts by id, and their clusters, most certain first."""

    records: dict[str, ContactRecord]
    clusters: Sequence[DisjointCluster]
    region: str | None

    def count(self) -> Counter[str]:
        """Count the clusters by confidence."""
        return Counter(each.cluster.confidence for each in self.clusters)

    def to_answer(self, found: DisjointCluster) -> DuplicateCluster:
        """Return a cluster as an answer shows it."""
        return _to_answer(found, self.records, self.region)


async def search_duplicates(backend: Backend, filters: Sequence[Filter]) -> DuplicateSearch:
    """Compare the contacts that match at least one filter."""
    records = await _read_records(JobClient(backend), filters)
    finder = DuplicateFinder(backend.default_region)
    async for record in iterate_cooperatively(records.values()):
        finder.add(record)
    async for _ in iterate_in_thread(finder.search()):
        pass
    found = await anyio.to_thread.run_sync(to_disjoint, finder.clusters)
    return DuplicateSearch(records, found, backend.default_region)


async def _run(backend: Backend, arguments: FindDuplicateContacts) -> DuplicatesFound:
    search = await search_duplicates(backend, arguments.filters)
    count = search.count()
    shown = [search.to_answer(each) for each in search.clusters[: arguments.limit]]
    notes = [*([_NEXT_STEP] if shown else []), *([_WIDER_NOTE] if any(each.less_certain for each in shown) else [])]
    return DuplicatesFound(
        compared=len(search.records),
        total=len(search.clusters),
        certain=count["certain"],
        likely=count["likely"],
        possible=count["possible"],
        clusters=shown,
        next="; ".join(notes) or None,
    )


async def _read_records(client: JobClient, filters: Sequence[Filter]) -> dict[str, ContactRecord]:
    """Read the contacts to compare; with the company, unless that takes one request for each contact."""
    fields = {*_COMPARED_FIELDS, "company_name"} if await client.backend.supports("scan") else _COMPARED_FIELDS
    records: dict[str, ContactRecord] = {}
    progress = client.progress("contacts read")
    for wanted in filters:
        async for page in iter_contacts(client, wanted, fields, progress):
            for each in page:
                values = (each.phone_number, each.email, each.company_name)
                records[each.id] = ContactRecord(each.id, each.name or "", *values)
    return records


def _to_answer(found: DisjointCluster, records: dict[str, ContactRecord], region: str | None) -> DuplicateCluster:
    cluster, wider = found
    contacts = _suggested_first([records[contact_id] for contact_id in cluster.ids])
    return DuplicateCluster(
        confidence=cluster.confidence,
        evidence=list(cluster.evidence),
        differing=[name for name in _FIELDS if _differs(name, contacts, region)] or None,
        contacts=[_summarize(record) for record in contacts[:_MAX_SHOWN]],
        more=_count_more(cluster),
        less_certain=[_to_wider(each, records) for each in wider] or None,
    )


def _to_wider(cluster: Cluster, records: dict[str, ContactRecord]) -> WiderCluster:
    return WiderCluster(
        confidence=cluster.confidence,
        evidence=list(cluster.evidence),
        contacts=[_summarize(records[contact_id]) for contact_id in cluster.ids[:_MAX_SHOWN]],
        more=_count_more(cluster),
    )


def _count_more(cluster: Cluster) -> int | None:
    """Count the contacts of a cluster that are not shown."""
    return max(0, len(cluster.ids) - _MAX_SHOWN) or None


def _suggested_first(records: Sequence[ContactRecord]) -> list[ContactRecord]:
    """Return the contacts with the suggested one to keep first: that with most values."""
    suggested = max(records, key=_count_values)
    return [suggested, *(record for record in records if record is not suggested)]


def _count_values(record: ContactRecord) -> int:
    return sum(bool(getattr(record, attribute)) for attribute in _FIELDS.values())


def _differs(name: str, records: Sequence[ContactRecord], region: str | None) -> bool:
    """Whether the contacts have different values of a field; one that is missing loses nothing in a merge."""
    values = [value for record in records if (value := getattr(record, _FIELDS[name]))]
    return any(not is_same_value(name, values[0], value, region) for value in values[1:])


def _summarize(record: ContactRecord) -> ContactSummary:
    values = {name: one_line(getattr(record, attribute)) for name, attribute in _FIELDS.items()}
    return ContactSummary(id=record.id, **values)


find_duplicate_contacts = read_tool(
    "find_duplicate_contacts", FindDuplicateContacts, DuplicatesFound, _run, view="duplicates"
)
