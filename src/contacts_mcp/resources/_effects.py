"""Which resources a tool call changes, so that their subscribers can be notified."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from pydantic import BaseModel

from contacts_mcp.contract import CALLS, Change
from contacts_mcp.resources._catalog import CONTACT_URI, GROUP_URI, MEMBERS_URI, ResourceAddress, parse_uri
from contacts_mcp.tools import ErasureResult, Merged, Tool


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
# no harm. Only the answers to a merge, and to an erasure in the embedded directory, name the groups.
TOOL_EFFECTS: Mapping[str, _ToolEffect] = {
    **{call.tool_name(): _to_effect(call.changes) for call in CALLS if call.changes is not None},
    # Which contacts these change is not known either.
    "import_contacts": _ToolEffect(all_of=frozenset({CONTACT_URI, GROUP_URI, MEMBERS_URI})),
    "merge_contacts": _ToolEffect(all_of=frozenset({GROUP_URI, MEMBERS_URI})),  # of the contacts, those with its ids
    "update_matching_contacts": _ToolEffect(all_of=frozenset({CONTACT_URI, MEMBERS_URI})),
    "restore_contact": _ToolEffect(by_id=frozenset({CONTACT_URI})),  # it is in no group
    "add_matching_to_group": _ToolEffect(by_id=frozenset({GROUP_URI, MEMBERS_URI})),
}
"""The effect of every tool that writes."""

_NONE = AffectedResources()
_ID_ARGUMENTS = {CONTACT_URI: "contact_id", GROUP_URI: "group_id", MEMBERS_URI: "group_id"}


def affected_resources(tool: Tool, arguments: BaseModel, answer: BaseModel | None) -> AffectedResources:
    """Return the resources that a call has changed: none if its answer lists no changed field or is only a plan.

    Without an `answer` (the call failed after a write) all that the tool can change with these arguments.
    """
    effect = TOOL_EFFECTS.get(tool.name)
    if effect is None or _changes_nothing(answer):
        return _NONE
    addresses = _named(effect.by_id, arguments)
    addresses |= {ResourceAddress(CONTACT_URI, each.lower()) for each in _contact_ids(arguments, answer)}
    groups = getattr(answer, "groups_left", None)
    if groups is None and not isinstance(answer, Merged):
        group_list = effect.group_list or _has_new_group(arguments, answer)
        return AffectedResources(addresses, effect.all_of, group_list)
    left = {ResourceAddress(template, each.lower()) for template in (GROUP_URI, MEMBERS_URI) for each in groups or ()}
    is_shown_changed = bool(getattr(answer, "changed", None))  # groups show the fields of their members
    all_of = effect.all_of - {GROUP_URI} if is_shown_changed else effect.all_of - {GROUP_URI, MEMBERS_URI}
    return AffectedResources(addresses | left, all_of, effect.group_list)


def _changes_nothing(answer: BaseModel | None) -> bool:
    """Whether an answer is a plan, or names neither a field that changed nor a contact that was deleted."""
    is_plan = getattr(answer, "applied", True) is False
    return is_plan or (getattr(answer, "changed", None) == [] and not getattr(answer, "deleted", None))


def _contact_ids(arguments: BaseModel, answer: BaseModel | None) -> Sequence[str]:
    """Return the contacts that an erasure or a merge reached, or may have reached if it failed."""
    match answer:
        case ErasureResult():
            return [each.id for each in answer.records or ()]
        case Merged():
            return [*answer.deleted, *([answer.contact.id] if answer.changed else [])]
        case None:
            kept = getattr(arguments, "keep_id", None)
            others = [getattr(arguments, name, None) or [] for name in ("related_ids", "merge_ids")]
            return [*([kept] if kept else []), *chain.from_iterable(others)]
        case _:
            return []


def _has_new_group(arguments: BaseModel, answer: BaseModel | None) -> bool:
    """Whether a call that fills a group has created it, or may have if it failed."""
    if answer is None:
        return getattr(arguments, "create_group", False)
    return getattr(answer, "new_group", None) is not None


def _named(templates: frozenset[str], arguments: BaseModel) -> frozenset[ResourceAddress]:
    """Return the resources whose ids the arguments have; a group that the call creates has none yet."""
    ids = {template: getattr(arguments, _ID_ARGUMENTS[template]) for template in templates}
    return frozenset(ResourceAddress(template, record_id.lower()) for template, record_id in ids.items() if record_id)
