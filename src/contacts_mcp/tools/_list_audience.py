"""list_audience: the contacts behind each number of check_group_audience, for a panel that shows them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import anyio.to_thread
from pydantic import Field

from contacts_mcp.contract import Contact, GroupId, Record
from contacts_mcp.tools._answers import PanelAnswer, one_line
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._audience import judge_reach, read_members
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._listings import LIFETIME_SECONDS, MAX_PAGE_ROWS, Listing, PartRow, build_listing
from contacts_mcp.tools._tool import Backend, read_tool

_FRESH_SECONDS = 30.0  # how old the members of a first page may be: each part of an audience has one
_KEY = "audience of "

Part = Literal["reachable", "no_number", "not_e164", "invalid", "landlines", "duplicates"]


class ListAudience(Arguments):
    """List the members of a group that an SMS reaches, or does not reach for one reason, and the countries."""

    group_id: GroupId
    part: Part = Field(default="reachable", description="The number of check_group_audience to list.")
    offset: int = Field(default=0, ge=0, description="Rows to skip.")
    limit: int = Field(default=100, ge=1, le=MAX_PAGE_ROWS)


class AudienceMember(Record):
    """A member of the group."""

    id: str
    name: str | None = None
    phone_number: str | None = None
    why: str | None = Field(
        default=None, description="no_number, not_e164 or invalid; of a reachable member landline, duplicate or both."
    )
    same_as: str | None = Field(default=None, description="Of a duplicate: the first member with this number.")


class ReachableCountry(Record):
    """A country (ISO 3166) and its reachable members."""

    country: str
    reachable: int


class AudiencePage(PanelAnswer):
    """Members from `offset` on. There may be fewer than `limit`: the next page begins after the last one shown.

    Each count is that of check_group_audience.
    """

    total: int = Field(description="Members of this part.")
    not_listed: int | None = Field(default=None, description="Further members, which are too many to list.")
    countries: list[ReachableCountry] = Field(description="All countries, those with most members first.")
    contacts: list[AudienceMember]


@dataclass(slots=True)
class _Audience:
    """Sorts members into the parts of an audience, in their order."""

    region: str | None
    countries: Counter[str] = field(default_factory=Counter)
    first_names: dict[str, str] = field(default_factory=dict)

    def iter_rows(self, members: Sequence[Contact]) -> Iterator[PartRow]:
        for member in members:
            yield self._to_row(member)

    def _to_row(self, member: Contact) -> PartRow:
        reach = judge_reach(member, self.region)
        if reach.why:
            return PartRow(_to_member(member, reach.why), [reach.why])
        self.countries[reach.country] += 1
        number, name = member.phone_number or "", one_line(member.name) or member.id
        first = self.first_names.get(number)
        self.first_names.setdefault(number, name)
        words = {"landline": reach.is_landline, "duplicate": first is not None}
        why = ", ".join(word for word, is_true in words.items() if is_true)
        parts = ["reachable", *(f"{word}s" for word, is_true in words.items() if is_true)]
        return PartRow(_to_member(member, why, first), parts)


async def _run(backend: Backend, arguments: ListAudience) -> AudiencePage:
    """Return a page. The members are read again for a first page, but not for each of several parts."""
    key = f"{_KEY}{arguments.group_id.lower()}"
    max_age = LIFETIME_SECONDS if arguments.offset else _FRESH_SECONDS
    listing = backend.listings.find(backend.owner, key, max_age)
    if listing is None:
        listing = await _list_members(JobClient(backend), arguments.group_id)
        backend.listings.keep(backend.owner, key, listing)
    return await anyio.to_thread.run_sync(_to_page, listing, arguments)


async def _list_members(client: JobClient, group_id: str) -> Listing:
    _, members = await read_members(client, group_id)
    audience = _Audience(client.backend.default_region)
    progress = client.progress("numbers checked", len(members))
    listing = await build_listing(audience.iter_rows(members), progress)
    listing.facts = [
        ReachableCountry(country=country, reachable=number) for country, number in audience.countries.most_common()
    ]
    return listing


def _to_page(listing: Listing, arguments: ListAudience) -> AudiencePage:
    shown = listing.page(arguments.part, arguments.offset, arguments.limit)
    left_out = {"not_listed": listing.left_out} if listing.left_out else {}
    return AudiencePage(
        total=listing.count(arguments.part),
        **left_out,
        countries=listing.facts,
        contacts=[AudienceMember.model_validate_json(row) for row in shown],
    )


def _to_member(member: Contact, why: str, same_as: str | None = None) -> AudienceMember:
    values = {
        "name": one_line(member.name),
        "phone_number": one_line(member.phone_number),
        "why": why or None,
        "same_as": same_as,
    }
    return AudienceMember(id=member.id, **{name: value for name, value in values.items() if value})


list_audience = read_tool("list_audience", ListAudience, AudiencePage, _run, ("group_id",), for_panel=True)
