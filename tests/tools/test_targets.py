"""The target of a guarded call: what the question to a person says about it."""

from pathlib import Path

from contacts_mcp.app import Embedded, connect
from contacts_mcp.contract import Call, Change, CreateContactGroup, GroupId, Risk
from contacts_mcp.tools import Backend
from contacts_mcp.tools._targets import read_target


class EmptyGroup(Call[None]):
    """Remove all contacts from a group. To remove one, use remove_group_member."""

    route = "DELETE /v1/contacts/groups/{group_id}/members"
    risk = Risk.DESTROY
    idempotent = True
    changes = Change.GROUP | Change.MEMBERS
    group_id: GroupId


async def test_question_about_a_call_without_an_effect_of_its_own_says_what_the_call_does(tmp_path: Path) -> None:
    """The effect of another call, such as deleting the group, would mislead a person."""
    connection = connect(Embedded(tmp_path / "contacts.db", "test"))
    async with connection.lifespan():
        group = await connection.send(CreateContactGroup(name="Choir"))

        target = await read_target(Backend(connection), Risk.DESTROY, EmptyGroup(group_id=group.id))

    assert target.effect == "Remove all contacts from a group."
    assert 'group "Choir"' in target.label
