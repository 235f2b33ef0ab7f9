"""The members of a group as an SMS sees them: whom it reaches, and why it does not reach the others."""

from collections.abc import Sequence
from typing import NamedTuple

from contacts_mcp import phones
from contacts_mcp.contract import Contact, GetContactGroup, Group, ListGroupMembers
from contacts_mcp.tools._job import JobClient

UNREACHABLE = ("no_number", "not_e164", "invalid")
"""Why no SMS reaches a member."""


class Reach(NamedTuple):
    """Whether an SMS reaches a member.

    Attributes:
        why: why not, a word of UNREACHABLE; empty if it does.
        country: the country of a number that it reaches (ISO 3166).
        is_landline: whether that number is certainly a fixed line.
    """

    why: str = ""
    country: str = ""
    is_landline: bool = False


def judge_reach(member: Contact, region: str | None) -> Reach:
    """Say whether an SMS reaches a member; `region` is that of numbers without a country code."""
    number = member.phone_number
    parsed = phones.parse(number, region) if number else None
    if number and parsed and number == parsed.e164:
        return Reach(country=parsed.country, is_landline=parsed.fixed_line)
    return Reach("no_number" if not number else "not_e164" if parsed else "invalid")


async def read_members(client: JobClient, group_id: str) -> tuple[Group, Sequence[Contact]]:
    """Read a group and its members. Raises NotFound."""
    group = await client.send(GetContactGroup(group_id=group_id))
    return group, (await client.send(ListGroupMembers(group_id=group_id))).members
