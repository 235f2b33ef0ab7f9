"""Which resources a tool call changes, so that their subscribers can be notified."""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel

from contacts_mcp.contract import CALLS, Change
from contacts_mcp.resources._catalog import CONTACT_URI, GROUP_URI, MEMBERS_URI, ResourceAddress, parse_uri
from contacts_mcp.tools import Tool, TouchedRecords


class AffectedResources(NamedTuple):
    """The resources that a call may have changed.

    Attributes:
        addresses: single resources, with their ids in lower case.
        templates: URI templates of which every resource may have changed.
        group_list: whether resources/list may have changed.
    """

    addresses: frozenset[ResourceAddress] = frozenset()
    templates: frozenset[str] = frozenset()
    group_list: bool = False

    def includes(self, uri: str) -> bool:
        """Whether the resource at this URI may have changed."""
        address = parse_uri(uri)
        if address is None:
            return False
        return address.template in self.templates or address._replace(id=address.id.lower()) in self.addresses


class _ToolEffect(NamedTuple):
    """What a tool changes: the resources with the id in an argument, and all resources of some templates."""

    by_id: frozenset[str] = frozenset()
    all_of: frozenset[str] = frozenset()
    group_list: bool = False


_CHANGED_BY_ID = {Change.CONTACT: CONTACT_URI, Change.GROUP: GROUP_URI, Change.MEMBERS: MEMBERS_URI}
_ALL_CHANGED = {Change.ALL_CONTACTS: CONTACT_URI, Change.ALL_GROUPS: GROUP_URI, Change.ALL_MEMBERS: MEMBERS_URI}


def _to_effect(changes: Change) -> _ToolEffect:
    return _ToolEffect(
        by_id=frozenset(uri for change, uri in _CHANGED_BY_ID.items() if change in changes),
        all_of=frozenset(uri for change, uri in _ALL_CHANGED.items() if change in changes),
        group_list=Change.GROUP_LIST in changes,
    )


# Which groups a contact is in is not known, so some tools affect every watched group: one notification too many does
# no harm. Only a merge, and an erasure in the embedded directory, know the groups: their calls say what they touched.
TOOL_EFFECTS: Mapping[str, _ToolEffect] = {
    **{call.tool_name(): _to_effect(call.changes) for call in CALLS if call.changes is not None},
    # Which contacts these change is not known either.
    "import_contacts": _ToolEffect(all_of=frozenset({CONTACT_URI, GROUP_URI, MEMBERS_URI})),
    "merge_contacts": _ToolEffect(all_of=frozenset({GROUP_URI, MEMBERS_URI})),
    "update_matching_contacts": _ToolEffect(all_of=frozenset({CONTACT_URI, MEMBERS_URI})),
    "restore_contact": _ToolEffect(by_id=frozenset({CONTACT_URI})),  # it is in no group
    "add_matching_to_group": _ToolEffect(by_id=frozenset({GROUP_URI, MEMBERS_URI})),
}
"""The effect of every tool that writes."""

_NONE = AffectedResources()
_ID_ARGUMENTS = {CONTACT_URI: "contact_id", GROUP_URI: "group_id", MEMBERS_URI: "group_id"}


def affected_resources(
    tool: Tool, arguments: BaseModel, answer: BaseModel | None, touched: TouchedRecords | None = None
) -> AffectedResources:
    """Return the resources that a call has changed: none if its answer lists no changed field or is only a plan.

    Without an `answer` (the call failed after a write) all that the tool can change with these arguments. A call that
    says which records it has `touched` has changed no others, also if it failed.
    """
    effect = TOOL_EFFECTS.get(tool.name)
    if effect is None:
        return _NONE
    if touched is not None:
        return _touched_resources(effect, touched)
    if _changes_nothing(answer):
        return _NONE
    group_list = effect.group_list or _has_new_group(arguments, answer)
    return AffectedResources(_named(effect.by_id, arguments), effect.all_of, group_list)


def _touched_resources(effect: _ToolEffect, touched: TouchedRecords) -> AffectedResources:
    """Return the resources of the records that a call has touched."""
    contacts = (ResourceAddress(CONTACT_URI, each.lower()) for each in touched.contacts)
    groups = (ResourceAddress(uri, each.lower()) for uri in (GROUP_URI, MEMBERS_URI) for each in touched.groups)
    all_of = effect.all_of
    if not touched.contacts and not touched.groups:
        all_of = frozenset()
    elif touched.knows_groups:
        all_of -= {GROUP_URI} if touched.has_new_values else {GROUP_URI, MEMBERS_URI}
    return AffectedResources(frozenset((*contacts, *groups)), all_of, effect.group_list)


def _changes_nothing(answer: BaseModel | None) -> bool:
    """Whether an answer is a plan, or names no field that changed."""
    return getattr(answer, "applied", True) is False or getattr(answer, "changed", None) == []


def _has_new_group(arguments: BaseModel, answer: BaseModel | None) -> bool:
    """Whether a call that fills a group has created it, or may have if it failed."""
    if answer is None:
        return getattr(arguments, "create_group", False)
    return getattr(answer, "new_group", None) is not None


def _named(templates: frozenset[str], arguments: BaseModel) -> frozenset[ResourceAddress]:
    """Return the resources whose ids the arguments have; a group that the call creates has none yet."""
    ids = {template: getattr(arguments, _ID_ARGUMENTS[template]) for template in templates}
    return frozenset(ResourceAddress(template, record_id.lower()) for template, record_id in ids.items() if record_id)
