"""The group that a plan fills: an existing one, or a new one, which is created when the plan is applied."""

from pydantic import Field

from contacts_mcp.contract import CreateContactGroup, GetContactGroup, Group, GroupId, Record
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._references import GROUP
from contacts_mcp.tools._select import fetch_member_ids
from contacts_mcp.tools._tool import JobCounts


class GroupArguments(Arguments):
    """The arguments for a group to fill. `group` is only set if no group has this name and one is to be created."""

    group_id: GroupId | None = Field(default=None, description="Group to fill.")
    group: str | None = Field(default=None, description=GROUP.description)
    create_group: bool = Field(default=False, description="Create it if unknown.")


class NewGroup(Group):
    """A group that is created when the plan is applied."""

    id: str = ""


class NewGroupSummary(Record):
    """The group that a plan creates, or that was created."""

    name: str | None
    id: str | None = Field(default=None, description="Once it was created.")


def describe_if_new(group: Group | None, group_id: str | None = None) -> NewGroupSummary | None:
    """Return what the answer says about a group that the plan creates; None for any other."""
    return NewGroupSummary(name=group.name, id=group_id) if isinstance(group, NewGroup) else None


async def read_group(client: JobClient, arguments: GroupArguments) -> tuple[Group | None, frozenset[str]]:
    """Return the group of a call and the ids of its members; None if the call has no group."""
    if arguments.group_id:
        group = await client.send(GetContactGroup(group_id=arguments.group_id))
        return group, frozenset(await fetch_member_ids(client, arguments.group_id))
    return NewGroup(name=arguments.group) if arguments.group else None, frozenset()


async def create_if_new(client: JobClient, group: Group, counts: JobCounts) -> Group:
    """Return the group after it was created, if it is a new one."""
    if not isinstance(group, NewGroup):
        return group
    created = await client.send(CreateContactGroup(name=group.name or ""))
    counts.created_ids.append(created.id)
    return created
