"""The resources: groups are listed; contacts, groups, group members and exported files are read by their URI."""

import json
import logging
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple

import anyio
import anyio.to_thread
from mcp_types import BlobResourceContents, Resource, ResourceTemplate, TextResourceContents

from contacts_mcp.contract import (
    UUID,
    Contact,
    ContactsError,
    GetContact,
    GetContactGroup,
    Group,
    ListContactGroups,
    ListGroupMembers,
    NotFound,
    Record,
    ValidationFailed,
    invalid_field,
)
from contacts_mcp.text import fold, sanitize, sanitize_line
from contacts_mcp.tools import DOWNLOAD_URI_TEMPLATE, Backend, Download, Tool, render

CONTACT_URI = "contacts://contacts/{id}"
GROUP_URI = "contacts://groups/{id}"
MEMBERS_URI = "contacts://groups/{id}/members"

_MIME_TYPE = "application/json"
_TEXT_TYPES = ("text/", _MIME_TYPE)
_GROUPS_PER_PAGE = 50
_MAX_MEMBERS = 100
_MAX_NAME_LENGTH = 100
_MAX_DESCRIPTION_LENGTH = 300
_LIST_TIMEOUT_SECONDS = 2.0

_log = logging.getLogger(__name__)


class ResourceAddress(NamedTuple):
    """A parsed URI: a URI template and the id in it."""

    template: str
    id: str


_PATTERNS = {
    template: re.compile(re.escape(template).replace(r"\{id\}", f"({UUID.pattern})"))
    for template in (CONTACT_URI, GROUP_URI, MEMBERS_URI, DOWNLOAD_URI_TEMPLATE)
}


def parse_uri(uri: str) -> ResourceAddress | None:
    """Return the template and the id of a URI, or None if it matches no template."""
    for template, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(uri):
            return ResourceAddress(template, found[1])
    return None


class GroupMembers(Record):
    """The first members of a group, and how many members it has."""

    members: list[Contact]
    total: int


async def _read_contact(backend: Backend, contact_id: str) -> Contact:
    return await backend.send(GetContact(contact_id=contact_id))


async def _read_group(backend: Backend, group_id: str) -> Group:
    group = await backend.send(GetContactGroup(group_id=group_id))
    return group.model_copy(update={"members": None})  # members are a separate resource


async def _read_members(backend: Backend, group_id: str) -> GroupMembers:
    found = await backend.send(ListGroupMembers(group_id=group_id))
    return GroupMembers(members=found.members[:_MAX_MEMBERS], total=len(found.members))


async def _read_export(backend: Backend, download_id: str) -> Download:
    return await backend.downloads.fetch(download_id, backend.owner)


class _ResourceKind(NamedTuple):
    """One URI template. `tool` shows the same data: if it is switched off, so is the resource."""

    name: str
    title: str
    description: str
    tool: str
    read: Callable[[Backend, str], Awaitable[Record | Download]]


_KINDS = {
    CONTACT_URI: _ResourceKind(
        "contact", "Contact", "One contact with all fields, including notes.", "get_contact", _read_contact
    ),
    GROUP_URI: _ResourceKind(
        "group", "Contact group", "One group: name, description, member count.", "get_contact_group", _read_group
    ),
    MEMBERS_URI: _ResourceKind(
        "group_members", "Group members", "The first 100 members of a group.", "list_group_members", _read_members
    ),
    DOWNLOAD_URI_TEMPLATE: _ResourceKind(
        "export", "Export", "A contact file that was just exported.", "export_contacts", _read_export
    ),
}


class ResourceCatalog:
    """The resources of a server. A resource is available if the tool that shows the same data is switched on."""

    def __init__(self, tools: Collection[Tool]) -> None:
        enabled = {tool.name for tool in tools}
        self._kinds = {template: kind for template, kind in _KINDS.items() if kind.tool in enabled}
        self._lists_groups = "list_contact_groups" in enabled and GROUP_URI in self._kinds
        self.templates = [
            ResourceTemplate(
                uri_template=template,
                name=kind.name,
                title=kind.title,
                description=kind.description,
                mime_type=_MIME_TYPE,
            )
            for template, kind in self._kinds.items()
        ]

    async def list_page(self, backend: Backend, cursor: str | None) -> tuple[list[Resource], str | None]:
        """List the groups after the group whose id is `cursor`. Returns one page and the cursor of the next.

        Without a cursor, the list is empty if the service fails or does not answer soon: many clients list resources
        when they connect, and do without the server if that fails.

        Raises ValidationFailed if the cursor is not from this list, or its group was deleted.
        """
        if cursor is not None and not UUID.fullmatch(cursor):
            raise _foreign_cursor()  # also if the service does not answer
        groups = await (self._groups(backend) if cursor else self._groups_if_available(backend))
        start = _page_start(cursor, groups)
        page = groups[start : start + _GROUPS_PER_PAGE]
        has_more = start + _GROUPS_PER_PAGE < len(groups)
        return [_group_resource(group) for group in page], page[-1].id if has_more else None

    async def read(self, backend: Backend, uri: str) -> TextResourceContents | BlobResourceContents:
        """Read a resource: JSON, bounded and sanitized like a tool's answer, or an exported file unchanged.

        Raises NotFound if the URI matches no available template, or the record does not exist.
        """
        address = parse_uri(uri)
        if address is None or address.template not in self._kinds:
            raise NotFound("there is no such resource", advice="resources/templates/list shows the available URIs")
        found = await self._kinds[address.template].read(backend, address.id)
        if isinstance(found, Download):
            return _to_contents(uri, found.mime_type, await anyio.to_thread.run_sync(found.read))
        return TextResourceContents(uri=uri, mime_type=_MIME_TYPE, text=_to_json(found))

    def matches(self, uri: str) -> bool:
        """Whether a URI matches an available template."""
        address = parse_uri(uri)
        return address is not None and address.template in self._kinds

    async def _groups_if_available(self, backend: Backend) -> list[Group]:
        reason = "no answer in time"
        with anyio.move_on_after(_LIST_TIMEOUT_SECONDS):
            try:
                return await self._groups(backend)
            except ContactsError as exc:
                reason = exc.code
        _log.warning("resources are listed without groups: %s", reason)
        return []

    async def _groups(self, backend: Backend) -> list[Group]:
        """Return the groups whose id is a UUID, sorted by name: the service's order may change between calls."""
        if not self._lists_groups:
            return []
        found = await backend.send(ListContactGroups())
        groups = [group for group in found.groups if UUID.fullmatch(group.id)]
        return sorted(groups, key=lambda group: (fold(group.name or ""), group.id))


def _to_contents(uri: str, mime_type: str, content: bytes) -> TextResourceContents | BlobResourceContents:
    """Return a file as text, or a workbook in base64."""
    if mime_type.startswith(_TEXT_TYPES):
        return TextResourceContents(uri=uri, mime_type=mime_type, text=content.decode("utf-8-sig"))
    return BlobResourceContents(uri=uri, mime_type=mime_type, blob=b64encode(content).decode())


def _page_start(cursor: str | None, groups: list[Group]) -> int:
    """Return the index after the cursor's group. A cursor is an id, so that changes between pages skip no group."""
    if cursor is None:
        return 0
    for index, group in enumerate(groups):
        if group.id == cursor:
            return index + 1
    raise _foreign_cursor()


def _foreign_cursor() -> ValidationFailed:
    return invalid_field("cursor", "is not from this list, or the list has changed since", "list again from the start")


def _group_resource(group: Group) -> Resource:
    """Return a group's resource. Some clients make a tool's name of its name, which therefore has no spaces."""
    return Resource(
        uri=GROUP_URI.format(id=group.id),
        name=f"group_{group.id}",
        title=sanitize_line(group.name or "", _MAX_NAME_LENGTH) or "Group",
        description=sanitize(group.description, _MAX_DESCRIPTION_LENGTH) if group.description else None,
        mime_type=_MIME_TYPE,
    )


def _to_json(record: Record) -> str:
    data, text = render(record)
    if not isinstance(record, GroupMembers) or len(data["members"]) == record.total:
        return text
    data.pop("left_out", None)  # `note` counts from the group's total
    data["note"] = f"only the first {len(data['members']):,} of {record.total:,} are shown"
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
