"""check_group_audience: whom an SMS to a group would reach, before anything is sent."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from contacts_mcp import phones
from contacts_mcp.contract import Contact, GetContactGroup, GroupId, ListGroupMembers, Record, Risk
from contacts_mcp.tools._answers import Brief, ShortAnswer
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._tool import run_directly
from contacts_mcp.tools._workflow import workflow_tool
from contacts_mcp.tools.steps import JobClient, Progress, brief, cut, in_turns

_SAMPLE = 5
_COUNTRIES = 20
_RECIPIENTS = 1_000
"""The most that one request to send SMS takes."""
_ADVICE = {
    "not_e164": "update_matching_contacts with this group_id and normalize_phones puts national numbers right",
    "no_number": "update_contact gives a number to whoever has none",
    "duplicates": "find_duplicate_contacts shows who is there twice",
}


class CheckGroupAudience(BaseModel):
    """Check whom an SMS to a group would reach: unreachable members and why, duplicate numbers, countries, requests.
    Sends nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    group_id: GroupId = Field(description="Group id (UUID).")


class Unreachable(Brief):
    """A member whom no SMS reaches, and why."""

    why: str


class Shared(Record):
    """A number that several members have."""

    phone_number: str
    members: list[Brief]
    count: int


class Country(Record):
    """How many reachable numbers a country (ISO 3166) has."""

    country: str
    numbers: int


class Audience(ShortAnswer):
    """Who is reached, who is not and why. `reachable` + `no_number` + `not_e164` + `invalid` are all members."""

    group: str | None
    members: int
    reachable: int
    numbers: int = Field(description="Different numbers among the reachable.")
    no_number: int
    not_e164: int = Field(description="Numbers that are valid once normalised.")
    invalid: int
    landlines: int = Field(description="Reachable by form, but no mobiles.")
    sms_requests: int = Field(description="Of at most 1,000 recipients each.")
    countries: list[Country]
    unreachable_sample: list[Unreachable]
    duplicate_sample: list[Shared]
    duplicates: int = Field(description="Members beyond the first of their number.")
    next: list[str] | None = None


@dataclass(slots=True)
class _Count:
    """Members by what is known of their numbers."""

    region: str | None
    why: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    by_number: defaultdict[str, list[Contact]] = field(default_factory=lambda: defaultdict(list))
    landlines: int = 0
    sample: list[Unreachable] = field(default_factory=list)

    def add(self, member: Contact) -> None:
        number = member.phone_number
        known = phones.parse(number, self.region) if number else None
        if number and known and number == known.e164:
            self.by_number[number].append(member)
            self.countries[known.country] += 1
            self.landlines += known.fixed_line
            return
        why = "no_number" if not number else "not_e164" if known else "invalid"
        self.why[why] += 1
        if len(self.sample) < _SAMPLE:
            self.sample.append(Unreachable(**brief(member).model_dump(exclude_unset=True), why=why))

    @property
    def shared(self) -> Iterable[tuple[str, list[Contact]]]:
        several = [(number, members) for number, members in self.by_number.items() if len(members) > 1]
        return sorted(several, key=lambda pair: -len(pair[1]))


async def _run(backend: Backend, arguments: CheckGroupAudience) -> Audience:
    pace = JobClient(backend)
    group = await pace.send(GetContactGroup(group_id=arguments.group_id))
    members = (await pace.send(ListGroupMembers(group_id=arguments.group_id))).members
    count = _Count(backend.default_region)
    async for member in in_turns(members, Progress(backend.report, "numbers checked", len(members))):
        count.add(member)
    return _audience(group.name, len(members), count)


def _audience(name: str | None, members: int, count: _Count) -> Audience:
    reachable, numbers = sum(count.countries.values()), len(count.by_number)
    troubles = {**count.why, "duplicates": reachable - numbers}
    return Audience(
        group=cut(name),
        members=members,
        reachable=reachable,
        numbers=numbers,
        no_number=count.why["no_number"],
        not_e164=count.why["not_e164"],
        invalid=count.why["invalid"],
        landlines=count.landlines,
        sms_requests=-(-numbers // _RECIPIENTS),
        countries=[Country(country=each, numbers=many) for each, many in count.countries.most_common(_COUNTRIES)],
        unreachable_sample=count.sample,
        duplicate_sample=[
            Shared(phone_number=number, members=[brief(each, "name") for each in whose[:3]], count=len(whose))
            for number, whose in list(count.shared)[:_SAMPLE]
        ],
        duplicates=reachable - numbers,
        next=[advice for trouble, advice in _ADVICE.items() if troubles.get(trouble)] or None,
    )


check_group_audience = workflow_tool(
    "check_group_audience",
    CheckGroupAudience,
    Audience,
    run_directly(Risk.READ, _run),
    risk=Risk.READ,
    target_args=("group_id",),
)
