"""The catalog: every tool, in the order of the API's page, and which of them are on."""

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
from contacts_mcp.tools.create_contact import create_contact
from contacts_mcp.tools.gdpr_delete_contact import gdpr_delete_contact
from contacts_mcp.tools.list_contact_groups import list_contact_groups
from contacts_mcp.tools.list_contacts import list_contacts
from contacts_mcp.tools.list_group_members import list_group_members
from contacts_mcp.tools.update_contact import update_contact
from contacts_mcp.tools.update_contact_group import update_contact_group

TOOLS: tuple[Tool, ...] = (
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
"""Every tool there is."""


class UnknownTools(ValueError):
    """A setting names tools that do not exist, or not for its purpose."""

    def __init__(self, names: Collection[str], known: Collection[str]) -> None:
        super().__init__(f"no such tool here: {', '.join(sorted(names))}; there are {', '.join(known)}")


def choose_tools(*, read_only: bool = False, only: Collection[str] | None = None) -> tuple[Tool, ...]:
    """The tools that are listed and callable.

    Raises:
        UnknownTools: `only` names a tool that does not exist.
    """
    if only is not None:
        _require(only, [tool.name for tool in TOOLS])
    return tuple(
        tool for tool in TOOLS if (only is None or tool.name in only) and (tool.risk is Risk.READ or not read_only)
    )


def require_confirmable(names: Collection[str]) -> None:
    """Raise UnknownTools where a tool to be confirmed does not exist, or only reads."""
    _require(names, [tool.name for tool in TOOLS if tool.risk is not Risk.READ])


def _require(names: Collection[str], known: Collection[str]) -> None:
    if unknown := set(names) - set(known):
        raise UnknownTools(unknown, known)
