"""The directory as resources: groups are listed, everything else is read by its address."""

import json
from collections.abc import Collection

import anyio.to_thread
from mcp_types import Resource, ResourceTemplate, TextResourceContents
from pydantic import BaseModel

from contacts_mcp.contract import UUID, FieldFault, Group, ListContactGroups, NotFound, ValidationFailed
from contacts_mcp.resources._addresses import GROUP, parse_address
from contacts_mcp.resources._kinds import KINDS, Kind, Members
from contacts_mcp.resources._touched import Touched, touched
from contacts_mcp.text import fold, sanitize
from contacts_mcp.tools import Backend, Download, Tool, render

MIME_TYPE = "application/json"
_PER_PAGE = 50
_NAME_LIMIT = 100
_DESCRIPTION_LIMIT = 300
_LISTING_TOOL = "list_contact_groups"


class Library:
    """Reads for whoever may call the tools that are on; what they could not see with those, they cannot read here."""

    def __init__(self, tools: Collection[Tool]) -> None:
        on = {tool.name for tool in tools}
        self._kinds: dict[str, Kind] = {kind.template: kind for kind in KINDS if kind.tool in on}
        self._lists = _LISTING_TOOL in on and GROUP in self._kinds
        self.templates = [_template(kind) for kind in self._kinds.values()]

    async def page(self, backend: Backend, cursor: str | None) -> tuple[list[Resource], str | None]:
        """The groups after the one that `cursor` names, and the cursor of the next page.

        Raises:
            ValidationFailed: the cursor was not given here, or the group it names is gone.
        """
        groups = await self._groups(backend)
        start = _place(cursor, groups)
        shown = groups[start : start + _PER_PAGE]
        more = start + _PER_PAGE < len(groups)
        return [_listed(group) for group in shown], shown[-1].id if more else None

    async def read(self, backend: Backend, uri: str) -> TextResourceContents:
        """What is at an address, as JSON, bounded and neutralised like a tool's answer; a file as it is.

        Raises:
            NotFound: there is no such contact or group, or the address is none of ours.
        """
        address = parse_address(uri)
        if address is None or address.template not in self._kinds:
            raise NotFound("there is no such resource", advice="resources/templates/list has the addresses there are")
        found = await self._kinds[address.template].read(backend, address.id)
        if isinstance(found, Download):
            content = await anyio.to_thread.run_sync(found.read)
            return TextResourceContents(uri=uri, mime_type=found.mime_type, text=content.decode("utf-8-sig"))
        return TextResourceContents(uri=uri, mime_type=MIME_TYPE, text=_json(found))

    def knows(self, uri: str) -> bool:
        """Whether there can be something at this address."""
        address = parse_address(uri)
        return address is not None and address.template in self._kinds

    def touched(self, tool: Tool, arguments: BaseModel, answer: BaseModel) -> Touched:
        """What a call that succeeded has changed."""
        return touched(tool, arguments, answer)

    async def _groups(self, backend: Backend) -> list[Group]:
        """All groups that have an address, by name; the same order whatever order the service has."""
        if not self._lists:
            return []
        found = await backend.send(ListContactGroups())
        groups = [group for group in found.groups if UUID.fullmatch(group.id)]
        return sorted(groups, key=lambda group: (fold(group.name or ""), group.id))


def _place(cursor: str | None, groups: list[Group]) -> int:
    """Where a page begins: a page follows a group, not a number, so that none is skipped when others come and go."""
    if cursor is None:
        return 0
    for place, group in enumerate(groups):
        if group.id == cursor:
            return place + 1
    fault = FieldFault("cursor", "does not belong to this list, or the list has changed since")
    raise ValidationFailed(str(fault), faults=(fault,), advice="list again from the start")


def _listed(group: Group) -> Resource:
    name = " ".join(sanitize(group.name or "", _NAME_LIMIT).split()) or "Group"
    return Resource(
        uri=GROUP.format(id=group.id),
        name=name,
        title=name,
        description=sanitize(group.description, _DESCRIPTION_LIMIT) if group.description else None,
        mime_type=MIME_TYPE,
    )


def _template(kind: Kind) -> ResourceTemplate:
    return ResourceTemplate(
        uri_template=kind.template,
        name=kind.name,
        title=kind.title,
        description=kind.description,
        mime_type=MIME_TYPE,
    )


def _json(record: BaseModel) -> str:
    data, text = render(record)
    if not isinstance(record, Members) or len(data["members"]) == record.total:
        return text
    data.pop("left_out", None)
    data["note"] = f"only the first {len(data['members']):,} of {record.total:,} are shown"
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
