"""find_duplicate_contacts: who is in the directory more than once, and what speaks for it."""

from collections import Counter

import anyio.lowlevel
from pydantic import Field

from contacts_mcp.contract import Record, Risk
from contacts_mcp.matching import Cluster, ContactRecord, DuplicateFinder
from contacts_mcp.tools._answers import Brief, ShortAnswer
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._tool import run_directly
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.steps import Filter, Filtered, JobClient, Progress, chosen, cut, in_turns

_COMPARED = frozenset({"id", "name", "phone_number", "email"})
_SHOWN = 5
"""Contacts of one cluster that are shown."""


class FindDuplicateContacts(Filtered):
    """Find people who are in the directory more than once, over all of it or what a filter meets. Changes nothing;
    merge_contacts merges.
    """

    limit: int = Field(default=20, ge=1, le=50)


class Same(Record):
    """Contacts that may be one and the same, and what speaks for it."""

    confidence: str
    evidence: list[str]
    contacts: list[Brief]
    more: int | None = Field(default=None, description="Contacts of this cluster that are not shown.")


class DuplicatesFound(ShortAnswer):
    """Clusters, most certain first, and how many there are in all."""

    compared: int
    total: int
    certain: int
    likely: int
    possible: int
    clusters: list[Same]
    next: str | None = None


async def _run(backend: Backend, arguments: FindDuplicateContacts) -> DuplicatesFound:
    known = await _candidates(backend, arguments.filter)
    duplicates = DuplicateFinder(backend.default_region)
    async for candidate in in_turns(known.values()):
        duplicates.add(candidate)
    for _ in duplicates.search():
        await anyio.lowlevel.checkpoint()
    count = Counter(cluster.confidence for cluster in duplicates.clusters)
    return DuplicatesFound(
        compared=len(known),
        total=len(duplicates.clusters),
        certain=count["certain"],
        likely=count["likely"],
        possible=count["possible"],
        clusters=[_shown(cluster, known) for cluster in duplicates.clusters[: arguments.limit]],
        next=_ADVICE if duplicates.clusters else None,
    )


async def _candidates(backend: Backend, wanted: Filter) -> dict[str, ContactRecord]:
    """The contacts to compare; the company is among what is compared where it takes no request for each."""
    fields = {*_COMPARED, "company_name"} if await backend.supports("scan") else _COMPARED
    known: dict[str, ContactRecord] = {}
    async for page in chosen(backend, JobClient(backend), wanted, fields, Progress(backend.report, "contacts read")):
        for each in page:
            known[each.id] = ContactRecord(each.id, each.name or "", each.phone_number, each.email, each.company_name)
    return known


_ADVICE = (
    "look at a cluster with the person, then merge_contacts with keep_id and merge_ids; "
    "evidence is no proof, and a shared number may be a family's or a company's"
)


def _shown(cluster: Cluster, known: dict[str, ContactRecord]) -> Same:
    more = len(cluster.ids) - _SHOWN
    return Same(
        confidence=cluster.confidence,
        evidence=list(cluster.evidence),
        contacts=[_brief(known[contact_id]) for contact_id in cluster.ids[:_SHOWN]],
        more=more if more > 0 else None,
    )


def _brief(candidate: ContactRecord) -> Brief:
    return Brief(
        id=candidate.id,
        name=cut(candidate.name),
        company_name=cut(candidate.company),
        phone_number=cut(candidate.phone),
        email=cut(candidate.email),
    )


find_duplicate_contacts = workflow_tool(
    "find_duplicate_contacts", FindDuplicateContacts, DuplicatesFound, run_directly(Risk.READ, _run), risk=Risk.READ
)
