"""list_duplicates: the clusters of find_duplicate_contacts page by page, for a panel in which a person merges them."""

from collections.abc import Iterator
from uuid import uuid4

import anyio.to_thread
from pydantic import Field

from contacts_mcp.contract import Record
from contacts_mcp.guard import hash_json
from contacts_mcp.tools._answers import PanelAnswer
from contacts_mcp.tools._find_duplicate_contacts import (
    DuplicateCluster,
    DuplicateSearch,
    FindDuplicateContacts,
    search_duplicates,
)
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._listings import ALL_ROWS, Listing, PartRow, build_listing
from contacts_mcp.tools._tool import Backend, read_tool

_PAGING = {"offset", "limit"}


class ListDuplicates(FindDuplicateContacts):
    """List the clusters that find_duplicate_contacts finds, from `offset` on. Changes nothing."""

    offset: int = Field(default=0, ge=0, description="Clusters to skip.")


class DuplicateCounts(Record):
    """What a search has found. Each count is that of find_duplicate_contacts."""

    search: str = Field(description="The search's id: another than before if the contacts were compared again.")
    compared: int = Field(description="Contacts compared.")
    total: int = Field(description="Clusters found: certain + likely + possible.")
    certain: int = Field(description="Clusters of this confidence.")
    likely: int = Field(description="Clusters of this confidence.")
    possible: int = Field(description="Clusters of this confidence.")


class DuplicatesPage(PanelAnswer, DuplicateCounts):
    """Clusters from `offset` on. There may be fewer than `limit`: the next page begins after the last one shown."""

    clusters: list[DuplicateCluster]


async def _run(backend: Backend, arguments: ListDuplicates) -> DuplicatesPage:
    """Return a page. The first page compares the contacts anew; further pages show that search for some minutes."""
    key = hash_json(["duplicates", arguments.model_dump(mode="json", exclude=_PAGING)])
    listing = backend.listings.find(backend.owner, key) if arguments.offset else None
    if listing is None:
        listing = await _list_clusters(JobClient(backend), arguments)
        backend.listings.keep(backend.owner, key, listing)
    return await anyio.to_thread.run_sync(_to_page, listing, arguments)


async def _list_clusters(client: JobClient, arguments: ListDuplicates) -> Listing:
    search = await search_duplicates(client.backend, arguments.filters)
    progress = client.progress("clusters listed", len(search.clusters))
    listing = await build_listing(_iter_rows(search), progress)
    count = search.count()
    listing.facts = DuplicateCounts(
        search=uuid4().hex,
        compared=len(search.records),
        total=len(search.clusters),
        certain=count["certain"],
        likely=count["likely"],
        possible=count["possible"],
    )
    return listing


def _iter_rows(search: DuplicateSearch) -> Iterator[PartRow]:
    for each in search.clusters:
        yield PartRow(search.to_answer(each))


def _to_page(listing: Listing, arguments: ListDuplicates) -> DuplicatesPage:
    shown = listing.page(ALL_ROWS, arguments.offset, arguments.limit)
    clusters = [DuplicateCluster.model_validate_json(row) for row in shown]
    return DuplicatesPage(**listing.facts.model_dump(), clusters=clusters)


list_duplicates = read_tool("list_duplicates", ListDuplicates, DuplicatesPage, _run, for_panel=True)
