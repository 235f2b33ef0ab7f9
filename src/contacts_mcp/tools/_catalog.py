"""The catalog: every tool, and which of them are on."""

from collections.abc import Collection

from contacts_mcp.contract import (
    AddGroupMembers,
    CreateContactGroup,
    DeleteContact,
    DeleteContactGroup,
    GetContact,
    GetContactGroup,
    RemoveGroupMember,
    Risk,
)
from contacts_mcp.tools._derive import derive_tool
from contacts_mcp.tools._tool import Tool
from contacts_mcp.tools.add_matching_to_group import add_matching_to_group
from contacts_mcp.tools.check_group_audience import check_group_audience
from contacts_mcp.tools.create_contact import create_contact
from contacts_mcp.tools.export_contacts import export_contacts
from contacts_mcp.tools.find_contacts import find_contacts
from contacts_mcp.tools.find_duplicate_contacts import find_duplicate_contacts
from contacts_mcp.tools.gdpr_delete_contact import gdpr_delete_contact
from contacts_mcp.tools.import_contacts import import_contacts
from contacts_mcp.tools.list_contact_groups import list_contact_groups
from contacts_mcp.tools.list_contacts import list_contacts
from contacts_mcp.tools.list_group_members import list_group_members
from contacts_mcp.tools.merge_contacts import merge_contacts
from contacts_mcp.tools.update_contact import update_contact
from contacts_mcp.tools.update_contact_group import update_contact_group
from contacts_mcp.tools.update_matching_contacts import update_matching_contacts

ENDPOINTS: tuple[Tool, ...] = (
    list_contacts,
    create_contact,
    derive_tool(GetContact),
    update_contact,
    derive_tool(DeleteContact),
    gdpr_delete_contact,
    list_contact_groups,
    derive_tool(CreateContactGroup),
    derive_tool(GetContactGroup),
    update_contact_group,
    derive_tool(DeleteContactGroup),
    list_group_members,
    derive_tool(AddGroupMembers),
    derive_tool(RemoveGroupMember),
)
"""One tool for each documented endpoint, in the order of the API's page."""

WORKFLOWS: tuple[Tool, ...] = (
    find_contacts,
    import_contacts,
    export_contacts,
    find_duplicate_contacts,
    merge_contacts,
    update_matching_contacts,
    add_matching_to_group,
    check_group_audience,
)
"""Tools that do a whole job on the server's side."""

TOOLS: tuple[Tool, ...] = ENDPOINTS + WORKFLOWS
"""Every tool there is."""

TOOLSETS = {"endpoints": ENDPOINTS, "workflows": WORKFLOWS}
"""Names for several tools at once, where tools are chosen."""


class UnknownTools(ValueError):
    """A setting names tools that do not exist, or not for its purpose."""

    def __init__(self, names: Collection[str], known: Collection[str]) -> None:
        super().__init__(f"no such tool here: {', '.join(sorted(names))}; there are {', '.join(known)}")


def choose_tools(*, read_only: bool = False, only: Collection[str] | None = None) -> tuple[Tool, ...]:
    """The tools that are listed and callable; `only` names tools and toolsets.

    Raises:
        UnknownTools: `only` names what does not exist.
    """
    names = {tool.name for tool in TOOLS} if only is None else _named(only)
    return tuple(tool for tool in TOOLS if tool.name in names and (tool.risk is Risk.READ or not read_only))


def _named(names: Collection[str]) -> set[str]:
    _require(names, [*(tool.name for tool in TOOLS), *TOOLSETS])
    of_sets = {tool.name for name in names for tool in TOOLSETS.get(name, ())}
    return of_sets | set(names)


def require_confirmable(names: Collection[str]) -> None:
    """Raise UnknownTools where a tool to be confirmed does not exist, or only reads."""
    _require(names, [tool.name for tool in TOOLS if tool.risk is not Risk.READ])


def _require(names: Collection[str], known: Collection[str]) -> None:
    if unknown := set(names) - set(known):
        raise UnknownTools(unknown, known)
