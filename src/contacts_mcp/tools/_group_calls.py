"""The endpoint tools of groups that say more than the service: a name that exists already, who was no member."""

import anyio
from pydantic import Field

from contacts_mcp.contract import (
    ContactsError,
    CreateContactGroup,
    DeleteContactGroup,
    GetContact,
    GetContactGroup,
    Group,
    ListContactGroups,
    NotFound,
    RemoveGroupMember,
)
from contacts_mcp.text import fold
from contacts_mcp.tools._duplicate_check import SEARCH_SECONDS
from contacts_mcp.tools._known_records import GroupDeleted, MemberRemoved
from contacts_mcp.tools._tool import Backend

_MAX_SHOWN = 3


class SavedGroup(Group):
    """A group as it is now."""

    warnings: list[str] | None = Field(default=None, description="What the caller should check.")


async def create_group(backend: Backend, call: CreateContactGroup) -> SavedGroup:
    """Create a group, and warn of others with its name."""
    created = await backend.send(call)
    warnings = await _warn_of_same_name(backend, created)
    return SavedGroup(**created.model_dump(exclude_unset=True), warnings=warnings or None)


async def _warn_of_same_name(backend: Backend, created: Group) -> list[str]:
    """Return warnings about groups with the name of a new one; none for a caller who may not read."""
    if not backend.may_read:
        return []
    name = fold(created.name or "")
    with anyio.move_on_after(SEARCH_SECONDS):
        try:
            groups = (await backend.send(ListContactGroups())).groups
        except ContactsError:  # the group was created, and a warning is not worth an error
            return []
        same = [each.id for each in groups if each.id != created.id and fold(each.name or "") == name]
        advice = "use one of them, and delete the other with delete_contact_group"
        return [f"group {group_id} has the same name: {advice}" for group_id in same[:_MAX_SHOWN]]
    return []


async def delete_group(backend: Backend, call: DeleteContactGroup) -> GroupDeleted:
    """Delete a group; the answer names it as the question did."""
    await backend.send(call)
    members = backend.known.count_members(call.group_id)
    return GroupDeleted(done=True, records=[backend.known.name(call.group_id)], members=members)


async def remove_member(backend: Backend, call: RemoveGroupMember) -> MemberRemoved:
    """Remove a contact from a group. If the service finds no member, say whether the group or the contact is missing.

    Raises NotFound.
    """
    try:
        await backend.send(call)
    except NotFound:
        if backend.may_read:  # otherwise the answer would tell what is stored
            await backend.send(GetContactGroup(group_id=call.group_id))
            await backend.send(GetContact(contact_id=call.contact_id))
            advice = "nothing was changed; list_group_members shows who is in the group"
            raise NotFound("the contact is not in this group", advice=advice) from None
        raise
    known = backend.known
    return MemberRemoved(done=True, records=[known.name(call.contact_id)], group=known.name(call.group_id))
