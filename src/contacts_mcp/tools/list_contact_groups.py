"""list_contact_groups: the API answers all groups at once; the tool shows a page of them."""

from pydantic import Field

from contacts_mcp.contract import ListContactGroups
from contacts_mcp.tools._answers import GroupListing
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._derive import derive_tool
from contacts_mcp.tools._unpaged import cut_page


class ListContactGroupsArguments(ListContactGroups):
    """List the groups with ids and member counts. For the people in one use list_group_members."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=50, ge=1, le=100)


async def _run(backend: Backend, arguments: ListContactGroupsArguments) -> GroupListing:
    found = await backend.send(ListContactGroups())
    groups, place = cut_page(found.groups, arguments.page, arguments.per_page)
    return GroupListing(groups=groups, **place)


list_contact_groups = derive_tool(
    ListContactGroups, arguments=ListContactGroupsArguments, answer=GroupListing, run=_run
)
