"""update_matching_contacts, add_matching_to_group, find_duplicate_contacts, check_group_audience."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client

from contacts_mcp.client import ContactsClient
from contacts_mcp.client._retry import MAX_ATTEMPTS
from contacts_mcp.directory import Directory
from harness import MODERN, NOBODY, Host, Person, server_over, text_of
from manyfold import Unsteady


async def fill(host: Host, count: int, **more: Any) -> list[str]:
    return [(await host.call("create_contact", name=f"Person{number} Berg", **more))["id"] for number in range(count)]


async def apply(host: Host, tool: str, **arguments: Any) -> dict[str, Any]:
    """Plan and apply."""
    plan = await host.call(tool, **arguments)
    return await host.call(tool, **arguments, apply=True, plan=plan["plan"])


async def test_a_change_of_a_few_that_overwrites_nothing_needs_nobody(either: Host, person: Person) -> None:
    """Tags come and go by a filter, and the counts add up."""
    ids = await fill(either, 5, tags=["fair"])
    await either.call("create_contact", name="Other")

    plan = await either.call("update_matching_contacts", tags=["fair"], add_tags=["vip"], remove_tags=["FAIR"])
    done = await either.call(
        "update_matching_contacts", tags=["fair"], add_tags=["vip"], remove_tags=["FAIR"], apply=True, plan=plan["plan"]
    )

    assert (plan["matched"], plan["to_change"], plan["overwritten"]) == (5, 5, 0)
    assert plan["sample"][0]["change"] == "tags: fair → vip"
    assert (done["changed"], done["unchanged"], done["failed"], done["unknown"]) == (5, 0, 0, 0)
    assert (await either.call("get_contact", contact_id=ids[0]))["tags"] == ["vip"]
    assert not person.asked


@pytest.mark.parametrize(
    ("count", "change", "asked"),
    [
        (24, {"add_tags": ["x"]}, False),
        (25, {"add_tags": ["x"]}, True),
        (1, {"set_company_name": "New"}, True),
        (1, {"set_notes": "New"}, False),
    ],
)
async def test_many_or_what_overwrites_is_put_to_a_person(
    either: Host, person: Person, count: int, change: dict[str, Any], asked: bool
) -> None:
    """From 25 on, or where a field that is not empty gets another value; an empty one may be filled."""
    await fill(either, count, company_name="Old")
    person.content = {"decision": "change"}

    done = await apply(either, "update_matching_contacts", **change)

    assert done["changed"] == count
    assert bool(person.asked) is asked


async def test_a_no_changes_nothing(either: Host, person: Person) -> None:
    """The question says how many, who, and what is lost."""
    ids = await fill(either, 2, company_name="Old")
    plan = await either.call("update_matching_contacts", set_company_name="New")

    line = await either.error("update_matching_contacts", set_company_name="New", apply=True, plan=plan["plan"])

    assert line.startswith("refused: ")
    assert person.question.startswith('Change: 2 contacts, "Person')
    assert 'company_name becomes "New"' in person.question
    assert "overwritten: 2 times company_name" in person.question
    assert (await either.call("get_contact", contact_id=ids[0]))["company_name"] == "Old"


async def test_what_is_no_number_in_any_writing_is_counted_and_stays(either: Host, person: Person) -> None:
    """The others are written as E.164, which overwrites nothing: it is the same number."""
    for name, number in (("A", "+47 999 99 999"), ("B", "call me"), ("C", "+4790000002")):
        row = (await either.call("create_contact", name=name))["id"]
        await either.call("update_contact", contact_id=row, phone_number=number)
    await either.call("update_contact", contact_id=row, phone_number="+47 90 00 00 02x")

    done = await apply(either, "update_matching_contacts", normalize_phones=True, default_region="SE")

    assert done["not_normalized"] >= 1
    assert done["overwritten"] == 0
    assert not person.asked


async def test_a_plan_is_refused_once_somebody_else_matches(either: Host) -> None:
    """The person agreed to other contacts."""
    await fill(either, 2, tags=["a"])
    plan = await either.call("update_matching_contacts", tags=["a"], add_tags=["b"])
    await fill(either, 1, tags=["a"])

    line = await either.error("update_matching_contacts", tags=["a"], add_tags=["b"], apply=True, plan=plan["plan"])

    assert line.startswith("conflict: ")


async def test_a_plan_is_refused_once_something_else_would_be_lost(either: Host, person: Person) -> None:
    """The person agreed to what was to be overwritten then, and is asked anew about what is there now."""
    (ola,) = await fill(either, 1, company_name="Old")
    given = {"set_company_name": "New"}
    plan = await either.call("update_matching_contacts", **given)
    await either.call("update_contact", contact_id=ola, company_name="Newer")

    line = await either.error("update_matching_contacts", **given, apply=True, plan=plan["plan"])

    assert line.startswith("conflict: ")
    assert not person.asked
    assert (await either.call("get_contact", contact_id=ola))["company_name"] == "Newer"


async def test_a_change_that_says_nothing_is_refused(either: Host) -> None:
    """And so is a fingerprint without apply's plan."""
    assert "names nothing to change" in await either.error("update_matching_contacts", tags=["a"])


async def test_a_group_is_filled_by_a_filter(either: Host) -> None:
    """The ids never pass through the model: five rows are shown of however many; who is in it already is no change."""
    ids = await fill(either, 30, tags=["fair"])
    group = (await either.call("create_contact_group", name="Fair"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=ids[:4])

    plan = await either.call("add_matching_to_group", group_id=group, tags=["fair"])
    done = await either.call("add_matching_to_group", group_id=group, tags=["fair"], apply=True, plan=plan["plan"])

    assert (plan["matched"], plan["already_members"], plan["joining"], plan["members"]) == (30, 4, 26, 30)
    assert len(plan["sample"]) == 5
    assert done["members"] == (await either.call("list_group_members", group_id=group))["total"] == 30


@pytest.mark.parametrize("tool", ["add_matching_to_group", "check_group_audience"])
async def test_a_group_that_is_not_there_is_an_error(either: Host, tool: str) -> None:
    """In one line."""
    assert (await either.error(tool, group_id=NOBODY)).startswith("not_found: ")


async def test_an_audience_is_counted_before_anything_is_sent(either: Host) -> None:
    """Who is reached, who is not and why, who is there twice, which countries, how many requests."""
    people = [
        ("Mobile", "+4799999999"),
        ("Same", "+4799999999"),
        ("Swede", "+46701234567"),
        ("Landline", "+4722222222"),
        ("None", None),
        ("Wrong", "+4711111111"),
    ]
    ids = []
    for name, number in people:
        given = {"phone_number": number} if number else {}
        ids.append((await either.call("create_contact", name=name, **given))["id"])
    group = (await either.call("create_contact_group", name="All"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=ids)

    found = await either.call("check_group_audience", group_id=group)

    assert (found["members"], found["reachable"], found["numbers"], found["duplicates"]) == (6, 4, 3, 1)
    assert (found["no_number"], found["not_e164"], found["invalid"], found["landlines"]) == (1, 0, 1, 1)
    assert found["sms_requests"] == 1
    assert found["countries"] == [{"country": "NO", "numbers": 3}, {"country": "SE", "numbers": 1}]
    assert {each["why"] for each in found["unreachable_sample"]} == {"no_number", "invalid"}
    assert found["duplicate_sample"][0]["count"] == 2
    assert any("update_contact" in advice for advice in found["next"])


async def test_duplicates_come_with_evidence_most_certain_first(either: Host) -> None:
    """And with what to call next."""
    for name, more in (
        ("Ola Nordmann", {"phone_number": "+4799999999", "email": "ola@example.com"}),
        ("Nordmann, Ola", {"phone_number": "+4799999999"}),
        ("Kari Hansen", {"email": "family@example.com"}),
        ("Per Hansen", {"email": "family@example.com"}),
        ("Ola Nordmann", {"email": "another@example.com"}),
    ):
        await either.call("create_contact", name=name, **more)

    found = await either.call("find_duplicate_contacts")

    first = found["clusters"][0]
    assert (found["compared"], found["certain"]) == (5, 1)
    assert first["confidence"] == "certain"
    assert "same phone" in first["evidence"]
    assert {each["name"] for each in first["contacts"]} == {"Ola Nordmann", "Nordmann, Ola"}
    assert "merge_contacts" in found["next"]
    assert found["total"] == found["certain"] + found["likely"] + found["possible"]


async def test_no_duplicates_is_an_answer(either: Host) -> None:
    """Nothing more to say."""
    await fill(either, 3)

    found = await either.call("find_duplicate_contacts")

    assert (found["total"], found["clusters"]) == (0, [])
    assert "next" not in found


async def test_a_failure_among_many_is_counted_and_named(platform: Host, unsteady: Unsteady, person: Person) -> None:
    """The others are changed, and the answer says whose change failed and why."""
    ids = await fill(platform, 4, tags=["a"])
    plan = await platform.call("update_matching_contacts", add_tags=["b"])
    answer = unsteady.service.answer

    def refuse(method: str, path: str, query: Any, body: Any) -> Any:
        if method == "PATCH" and ids[2] in path:
            return 422, {"detail": [{"loc": ["body", "tags"], "msg": "too many", "type": "x"}]}
        return answer(method, path, query, body)

    unsteady.service.answer = refuse  # type: ignore[method-assign]
    result = await platform.raw("update_matching_contacts", add_tags=["b"], apply=True, plan=plan["plan"])

    said = result.structured_content or {}
    assert not result.is_error, text_of(result)
    assert (said["changed"], said["failed"]) == (3, 1)
    assert said["failures"][0]["id"] == ids[2]
    assert "tags" in said["failures"][0]["why"]
    assert not person.asked


class _HardToAsk(httpx.ASGITransport):
    """A directory that cannot be asked what it offers until a client has given up once."""

    questions = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.questions += request.url.path == "/v1/directory"
        if request.url.path == "/v1/directory" and self.questions <= MAX_ATTEMPTS:
            raise httpx.ConnectError("not now")
        return await super().handle_async_request(request)


async def test_what_is_overwritten_is_known_even_where_the_service_says_late_what_it_offers(tmp_path: Path) -> None:
    """Rows of lists have no notes: were they taken for rows in full, notes would go without anybody being asked."""
    async with (
        Directory(tmp_path / "contacts.db") as kept,
        ContactsClient(base_url="http://service", transport=_HardToAsk(kept.app)) as api,
        Client(server_over(api), mode=MODERN) as client,
    ):
        await Host(client).call("create_contact", name="Ola", notes="mine", tags=["vip"])

        plan = await Host(client).call("update_matching_contacts", tags=["vip"], set_notes="yours")

    assert plan["overwritten"] == 1
