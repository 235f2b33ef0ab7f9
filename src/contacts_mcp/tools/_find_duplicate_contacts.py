"""find_duplicate_contacts: find people who are in the directory more than once, with the evidence for it."""

from collections import Counter

from pydantic import Field

from contacts_mcp.contract import Record
from contacts_mcp.matching import Cluster, ContactRecord, DuplicateFinder
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, one_line
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._select import Filter, FilterArguments, iter_contacts
from contacts_mcp.tools._tool import Backend, read_tool
from contacts_mcp.tools._turns import iterate_cooperatively, iterate_in_thread

_COMPARED_FIELDS = frozenset({"id", "name", "phone_number", "email"})
_MAX_SHOWN = 5  # contacts of one cluster that are shown
_NEXT_STEP = (
    "check a cluster with the person, then call merge_contacts with keep_id and merge_ids; "
    "evidence is not proof: a family or a company may share a number"
)


class FindDuplicateContacts(FilterArguments):
    """Find people who are in the directory more than once. To merge them, use merge_contacts."""

    limit: int = Field(default=20, ge=1, le=50)


class DuplicateCluster(Record):
    """Contacts that may be the same person, and the evidence for it."""

    confidence: str = Field(description="certain, likely or possible.")
    evidence: list[str]
    contacts: list[ContactSummary]
    more: int | None = Field(default=None, description="Further contacts of this cluster.")


class DuplicatesFound(ShortAnswer):
    """Clusters of duplicates, most certain first."""

    compared: int = Field(description="Contacts compared.")
    total: int = Field(description="Clusters found: certain + likely + possible.")
    certain: int = Field(description="Clusters of this confidence.")
    likely: int = Field(description="Clusters of this confidence.")
    possible: int = Field(description="Clusters of this confidence.")
    clusters: list[DuplicateCluster]
    next: str | None = None


async def _run(backend: Backend, arguments: FindDuplicateContacts) -> DuplicatesFound:
    records = await _read_records(JobClient(backend), arguments.filter)
    finder = DuplicateFinder(backend.default_region)
    async for record in iterate_cooperatively(records.values()):
        finder.add(record)
    async for _ in iterate_in_thread(finder.search()):
        pass
    count = Counter(cluster.confidence for cluster in finder.clusters)
    return DuplicatesFound(
        compared=len(records),
        total=len(finder.clusters),
        certain=count["certain"],
        likely=count["likely"],
        possible=count["possible"],
        clusters=[_to_answer(cluster, records) for cluster in finder.clusters[: arguments.limit]],
        next=_NEXT_STEP if finder.clusters else None,
    )


async def _read_records(client: JobClient, wanted: Filter) -> dict[str, ContactRecord]:
    """Read the contacts to compare; with the company, unless that takes one request for each contact."""
    fields = {*_COMPARED_FIELDS, "company_name"} if await client.backend.supports("scan") else _COMPARED_FIELDS
    records: dict[str, ContactRecord] = {}
    async for page in iter_contacts(client, wanted, fields, client.progress("contacts read")):
        for each in page:
            records[each.id] = ContactRecord(each.id, each.name or "", each.phone_number, each.email, each.company_name)
    return records


def _to_answer(cluster: Cluster, records: dict[str, ContactRecord]) -> DuplicateCluster:
    more = len(cluster.ids) - _MAX_SHOWN
    return DuplicateCluster(
        confidence=cluster.confidence,
        evidence=list(cluster.evidence),
        contacts=[_summarize(records[contact_id]) for contact_id in cluster.ids[:_MAX_SHOWN]],
        more=more if more > 0 else None,
    )


def _summarize(record: ContactRecord) -> ContactSummary:
    values = {"name": record.name, "company_name": record.company, "phone_number": record.phone, "email": record.email}
    return ContactSummary(id=record.id, **{name: one_line(value) for name, value in values.items()})


find_duplicate_contacts = read_tool("find_duplicate_contacts", FindDuplicateContacts, DuplicatesFound, _run)
