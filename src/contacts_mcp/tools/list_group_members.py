"""list_group_members: the API answers all members at once; the tool shows a page of them."""

from pydantic import Field

from contacts_mcp.contract import ListGroupMembers
from contacts_mcp.tools._answers import MemberListing
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._derive import derive_tool
from contacts_mcp.tools._unpaged import cut_page


class ListGroupMembersArguments(ListGroupMembers):
    """List the people in a group: id, name and phone number. For all fields of one use get_contact."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=50, ge=1, le=100)


async def _run(backend: Backend, arguments: ListGroupMembersArguments) -> MemberListing:
    found = await backend.send(ListGroupMembers(group_id=arguments.group_id))
    members, place = cut_page(found.members, arguments.page, arguments.per_page)
    return MemberListing(members=members, **place)


list_group_members = derive_tool(ListGroupMembers, arguments=ListGroupMembersArguments, answer=MemberListing, run=_run)
