"""check_group_audience: check which members of a group an SMS would reach, before it is sent."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import Field

from contacts_mcp.contract import Contact, GroupId, Record
from contacts_mcp.tools._answers import ContactSummary, ShortAnswer, one_line, summarize
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._audience import UNREACHABLE, judge_reach, read_members
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._tool import Backend, read_tool
from contacts_mcp.tools._turns import iterate_cooperatively
from contacts_mcp.wording import count

_SAMPLE_SIZE, _SHARING_SHOWN = 5, 3
_MAX_COUNTRIES = 20
_MAX_SMS_RECIPIENTS = 1_000  # recipients of one request that sends an SMS
_ADVICE = {
    "not_e164": "update_matching_contacts with this group and normalize_phones fixes numbers that are not E.164",
    "no_number": "update_contact adds a missing number",
    "duplicates": "find_duplicate_contacts shows who is in the directory twice",
}


class CheckGroupAudience(Arguments):
    """Check whom an SMS to a group would reach: unreachable members and why, duplicate numbers, countries, SMS
    requests needed. Sends nothing.
    """

    group_id: GroupId


class UnreachableMember(ContactSummary):
    """A member whom no SMS reaches."""

    why: str = Field(description="no_number, not_e164 or invalid.")


class SharedNumber(Record):
    """A number that several members have."""

    phone_number: str
    members: list[ContactSummary]
    count: int = Field(description="Members with this number.")


class Country(Record):
    """A country (ISO 3166) and its reachable members."""

    country: str
    numbers: int = Field(description="Members with a number of this country.")


class Audience(ShortAnswer):
    """Which members an SMS reaches. `reachable` + `no_number` + `not_e164` + `invalid` = `members`."""

    group: str | None
    members: int = Field(description="Members of the group.")
    reachable: int = Field(description="Members with a valid E.164 number.")
    numbers: int = Field(description="Different numbers of the reachable members.")
    no_number: int = Field(description="Members without a number.")
    not_e164: int = Field(description="Members whose number is valid once normalized.")
    invalid: int = Field(description="Members whose number is not valid.")
    landlines: int = Field(description="Reachable members whose number is not a mobile.")
    sms_requests: int = Field(description="Requests needed to send, of at most 1,000 recipients each.")
    countries: list[Country]
    unreachable_sample: list[UnreachableMember]
    unreachable_shown: str | None = Field(default=None, description="How many of them the sample shows.")
    duplicate_sample: list[SharedNumber]
    duplicates_shown: str | None = Field(default=None, description="How many of the shared numbers the sample shows.")
    duplicates: int = Field(description="Reachable members beyond the first of each number.")
    next: list[str] | None = None


@dataclass(slots=True)
class _NumberCounts:
    """Counts members by whether their number is reachable, and by its country."""

    region: str | None
    unreachable: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    by_number: defaultdict[str, list[Contact]] = field(default_factory=lambda: defaultdict(list))
    landlines: int = 0
    sample: list[UnreachableMember] = field(default_factory=list)

    def add(self, member: Contact) -> None:
        reach = judge_reach(member, self.region)
        if not reach.why:
            self.by_number[member.phone_number or ""].append(member)
            self.countries[reach.country] += 1
            self.landlines += reach.is_landline
            return
        self.unreachable[reach.why] += 1
        if len(self.sample) < _SAMPLE_SIZE:
            self.sample.append(UnreachableMember(**summarize(member).model_dump(exclude_unset=True), why=reach.why))

    def find_shared(self) -> list[tuple[str, list[Contact]]]:
        """Return the numbers that several members have, those of most members first."""
        shared = [(number, members) for number, members in self.by_number.items() if len(members) > 1]
        return sorted(shared, key=lambda pair: -len(pair[1]))


async def _run(backend: Backend, arguments: CheckGroupAudience) -> Audience:
    client = JobClient(backend)
    group, members = await read_members(client, arguments.group_id)
    counts = _NumberCounts(backend.default_region)
    async for member in iterate_cooperatively(members, client.progress("numbers checked", len(members))):
        counts.add(member)
    return _to_audience(group.name, len(members), counts)


def _to_audience(name: str | None, members: int, counts: _NumberCounts) -> Audience:
    reachable, numbers = sum(counts.countries.values()), len(counts.by_number)
    duplicates = reachable - numbers
    problems = {**counts.unreachable, "duplicates": duplicates}
    shared = counts.find_shared()
    return Audience(
        group=one_line(name),
        members=members,
        reachable=reachable,
        numbers=numbers,
        **{why: counts.unreachable[why] for why in UNREACHABLE},
        landlines=counts.landlines,
        sms_requests=-(-numbers // _MAX_SMS_RECIPIENTS),
        countries=[Country(country=key, numbers=each) for key, each in counts.countries.most_common(_MAX_COUNTRIES)],
        unreachable_sample=counts.sample,
        unreachable_shown=_describe_shown(len(counts.sample), counts.unreachable.total(), "member"),
        duplicate_sample=[_to_shared(number, having) for number, having in shared[:_SAMPLE_SIZE]],
        duplicates_shown=_describe_shown(min(len(shared), _SAMPLE_SIZE), len(shared), "number"),
        duplicates=duplicates,
        next=[advice for problem, advice in _ADVICE.items() if problems.get(problem)] or None,
    )


def _to_shared(number: str, members: Sequence[Contact]) -> SharedNumber:
    shown = [summarize(each, "name") for each in members[:_SHARING_SHOWN]]
    return SharedNumber(phone_number=number, members=shown, count=len(members))


def _describe_shown(shown: int, total: int, noun: str) -> str | None:
    """Say how many of all rows a sample shows, such as `5 of 12 members`; None if there are none."""
    return f"{shown} of {count(total, noun)}" if total else None


check_group_audience = read_tool(
    "check_group_audience", CheckGroupAudience, Audience, _run, ("group_id",), view="audience"
)
