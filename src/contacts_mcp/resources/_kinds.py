"""What can be read at each kind of address, and which tool reads the same."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from contacts_mcp.contract import Contact, GetContact, GetContactGroup, Group, ListGroupMembers, Record
from contacts_mcp.resources._addresses import CONTACT, GROUP, MEMBERS
from contacts_mcp.tools import DOWNLOAD_URI_TEMPLATE, Backend, Download

_MOST_MEMBERS = 100


class Members(Record):
    """The first members of a group, and how many it has in all."""

    members: list[Contact]
    total: int


class Kind(NamedTuple):
    """One kind of resource. `tool` reads the same: where it is switched off, so is the kind."""

    template: str
    name: str
    title: str
    description: str
    tool: str
    read: Callable[[Backend, str], Awaitable[Record | Download]]


async def _contact(backend: Backend, identifier: str) -> Contact:
    return await backend.send(GetContact(contact_id=identifier))


async def _group(backend: Backend, identifier: str) -> Group:
    group = await backend.send(GetContactGroup(group_id=identifier))
    return group.model_copy(update={"members": None})  # they have an address of their own


async def _members(backend: Backend, identifier: str) -> Members:
    found = await backend.send(ListGroupMembers(group_id=identifier))
    return Members(members=found.members[:_MOST_MEMBERS], total=len(found.members))


async def _export(backend: Backend, identifier: str) -> Download:
    return backend.downloads.fetch(identifier, backend.owner)


KINDS = (
    Kind(CONTACT, "contact", "Contact", "One contact in full, notes included.", "get_contact", _contact),
    Kind(GROUP, "group", "Contact group", "One group: name, description, member count.", "get_contact_group", _group),
    Kind(MEMBERS, "group_members", "Group members", "The first 100 people in a group.", "list_group_members", _members),
    Kind(
        DOWNLOAD_URI_TEMPLATE,
        "export",
        "Export",
        "A file of contacts that was exported a moment ago.",
        "export_contacts",
        _export,
    ),
)
"""Every kind there is."""
