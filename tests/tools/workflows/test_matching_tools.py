"""update_matching_contacts, add_matching_to_group, find_duplicate_contacts, check_group_audience."""

from typing import Any

import httpx
import pytest
from mcp import Client

from contacts_mcp.client import ContactsClient
from contacts_mcp.client._transport import DEFAULT_MAX_RETRIES
from contacts_mcp.directory import Directory
from support.hosts import MISSING_ID, MODERN, Host, server_over, text_of


async def fill(host: Host, count: int, **more: Any) -> list[str]:
    return [(await host.call("create_contact", name=f"Person{number} Berg", **more))["id"] for number in range(count)]


async def test_small_update_that_overwrites_nothing_needs_no_consent(either, person):
    """Tags are added and removed, and the counts add up."""
    ids = await fill(either, 5, tags=["fair"])
    await either.call("create_contact", name="Other")

    plan = await either.call("update_matching_contacts", tags=["fair"], add_tags=["vip"], remove_tags=["FAIR"])
    done = await either.call(
        "update_matching_contacts", tags=["fair"], add_tags=["vip"], remove_tags=["FAIR"], apply=True, plan=plan["plan"]
    )

    assert (plan["matched"], plan["updates"], plan["overwrites"]) == (5, 5, 0)
    assert plan["sample"][0]["change"] == "tags: fair → vip"
    assert (done["updates"], done["unchanged"], done["failed"], done["unknown"]) == (5, 0, 0, 0)
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
async def test_large_or_overwriting_update_needs_consent(either, person, count, change, asked):
    """From 25 contacts on, or if a non-empty field is replaced; filling an empty field needs none."""
    await fill(either, count, company_name="Old")
    person.content = {"decision": "change"}

    done = await either.apply("update_matching_contacts", **change)

    assert done["updates"] == count
    assert bool(person.asked) is asked


async def test_declined_update_changes_nothing(either, person):
    """The question names the contacts and the values that would be lost."""
    ids = await fill(either, 2, company_name="Old")
    plan = await either.call("update_matching_contacts", set_company_name="New")

    await either.declined("update_matching_contacts", set_company_name="New", apply=True, plan=plan["plan"])

    assert person.question.startswith('Change: 2 contacts, "Person')
    assert 'company_name becomes "New"' in person.question
    assert "overwritten: company_name of 2 contacts" in person.question
    assert (await either.call("get_contact", contact_id=ids[0]))["company_name"] == "Old"


async def test_invalid_numbers_are_named_with_the_reason_and_stay(either, person):
    """Other numbers are written as E.164, which overwrites nothing: it is the same number."""
    ids = []
    for name, number in (("A", "+47 999 99 999"), ("B", 'call "me"'), ("C", "070-123 45 67")):
        ids.append((await either.call("create_contact", name=name))["id"])
        await either.call("update_contact", contact_id=ids[-1], phone_number=number)

    done = await either.apply("update_matching_contacts", normalize_phones=True, default_region="SE")

    assert (done["updates"], done["unchanged"]) == (1, 2)
    assert (await either.call("get_contact", contact_id=ids[2]))["phone_number"] == "+46701234567"
    assert done["not_normalized"] == 1
    assert done["not_normalized_sample"] == [{"id": ids[1], "why": "\"call 'me'\" is not valid in SE"}]
    assert done["overwrites"] == 0
    assert not person.asked


async def test_sample_of_invalid_numbers_has_five_of_them(either):
    for number in range(7):
        await either.call("create_contact", name=f"Person {number}", phone_number="12")

    plan = await either.call("update_matching_contacts", normalize_phones=True)

    assert (plan["not_normalized"], len(plan["not_normalized_sample"])) == (7, 5)


@pytest.mark.parametrize(
    ("tool", "change", "count"),
    [("update_matching_contacts", {"add_tags": ["fair"]}, "updates"), ("add_matching_to_group", {}, "new_members")],
)
async def test_empty_plan_asks_for_nothing(either, tool, change, count):
    """It has no fingerprint to apply, and says that nothing would change."""
    ids = await fill(either, 2, tags=["fair"])
    group = (await either.call("create_contact_group", name="Fair"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=ids)

    plan = await either.call(tool, tags=["fair"], group_id=group, **change)

    assert (plan["matched"], plan[count], plan["applied"]) == (2, 0, False)
    assert plan["next"] == "nothing would change; there is nothing to apply"
    assert "plan" not in plan


async def test_update_plan_is_refused_after_another_contact_matches(either):
    """The person consented to other contacts."""
    await fill(either, 2, tags=["a"])
    plan = await either.call("update_matching_contacts", tags=["a"], add_tags=["b"])
    await either.call("create_contact", name="Kari Nordmann", tags=["a"])

    line = await either.error("update_matching_contacts", tags=["a"], add_tags=["b"], apply=True, plan=plan["plan"])

    assert line.startswith("conflict: ")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("update_matching_contacts", {"set_company_name": "New"}),
        ("import_contacts", {"path": "people.csv", "on_match": "update"}),
    ],
)
async def test_plan_is_refused_after_a_value_to_overwrite_changed(either, person, save, tool, arguments):
    """The person consented to losing another value."""
    ola = (await either.call("create_contact", name="Ola", email="ola@example.com", company_name="Old"))["id"]
    save("name,email,company", "Ola,ola@example.com,New")
    plan = await either.call(tool, **arguments)
    await either.call("update_contact", contact_id=ola, company_name="Newer")

    line = await either.error(tool, **arguments, apply=True, plan=plan["plan"])

    assert line.startswith("conflict: ")
    assert not person.asked
    assert (await either.call("get_contact", contact_id=ola))["company_name"] == "Newer"


async def test_update_without_a_change_is_refused(either):
    """It names only a filter."""
    assert "names nothing to change" in await either.error("update_matching_contacts", tags=["a"])
    without = await either.error("update_matching_contacts", apply=True, plan="0123456789abcdef")
    assert "repeat the arguments of the plan" in without


async def test_matching_contacts_are_added_to_a_group(either):
    """The answer shows five contacts; members of the group are no change."""
    ids = await fill(either, 30, tags=["fair"])
    group = (await either.call("create_contact_group", name="Fair"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=ids[:4])

    plan = await either.call("add_matching_to_group", group_id=group, tags=["fair"])
    done = await either.call("add_matching_to_group", group_id=group, tags=["fair"], apply=True, plan=plan["plan"])

    assert (plan["matched"], plan["already_members"], plan["new_members"], plan["members"]) == (30, 4, 26, 30)
    assert len(plan["sample"]) == 5
    assert done["members"] == (await either.call("list_group_members", group_id=group))["total"] == 30


@pytest.mark.parametrize("tool", ["add_matching_to_group", "check_group_audience"])
async def test_missing_group_is_not_found(either, tool):
    """The error is one line."""
    assert (await either.error(tool, group_id=MISSING_ID)).startswith("not_found: ")


async def test_audience_counts_reachable_and_unreachable_members(either):
    """It also counts duplicates, countries and requests."""
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


async def test_audience_says_how_many_of_how_many_its_samples_show(either):
    """A model must not take five members for all of them."""
    numbers = [{}] * 7 + [{"phone_number": "+4790000001"}] * 2 + [{"phone_number": "+4790000002"}]
    created = [
        await either.call("create_contact", name=f"Person {index}", allow_duplicate=True, **number)
        for index, number in enumerate(numbers)
    ]
    group = (await either.call("create_contact_group", name="All"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=[each["id"] for each in created])

    found = await either.call("check_group_audience", group_id=group)

    assert len(found["unreachable_sample"]) == 5
    assert found["unreachable_shown"] == "5 of 7 members"
    assert found["duplicates_shown"] == "1 of 1 number"


async def test_duplicates_are_shown_most_certain_first_with_evidence(either):
    """The answer says what to call next."""
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


async def test_contact_is_in_one_cluster_and_less_certain_ones_are_named_with_it(either):
    """All clusters can be merged in one call, which refuses a contact that is in two."""
    ids = []
    for number, email in (("+4799999999", "ola@a.no"), ("+4799999999", None), ("+4799999989", None)):
        given = {"phone_number": number, **({"email": email} if email else {})}
        created = await either.call("create_contact", name="Ola Nordmann", allow_duplicate=True, **given)
        ids.append(created["id"])

    found = await either.call("find_duplicate_contacts")

    (cluster,) = found["clusters"]
    assert (found["total"], found["certain"], found["possible"]) == (1, 1, 0)
    assert [each["id"] for each in cluster["contacts"]] == ids[:2]
    (wider,) = cluster["less_certain"]
    assert (wider["confidence"], wider["evidence"]) == ("possible", ["nearly the same phone", "same name"])
    assert [each["id"] for each in wider["contacts"]] == ids[2:]
    assert "less_certain: " in found["next"]


async def test_cluster_names_the_fields_that_differ(either):
    """A name in another order, a number in another notation and a missing value do not differ."""
    for name, more in (
        ("Marit Solheim", {"phone_number": "+4799999999", "email": "marit@example.com"}),
        ("Solheim, Marit", {"phone_number": "99 99 99 99", "email": "ms@example.com"}),
        ("Ola Nordmann", {"phone_number": "+4790000001"}),
        ("Ola Nordmann", {"phone_number": "+4790000001", "email": "ola@example.com"}),
    ):
        contact = await either.call("create_contact", name=name)
        await either.call("update_contact", contact_id=contact["id"], **more)

    found = await either.call("find_duplicate_contacts")

    assert [(each["confidence"], each.get("differing")) for each in found["clusters"]] in (
        [("certain", ["email"]), ("certain", None)],
        [("certain", None), ("certain", ["email"])],
    )


async def test_duplicates_of_several_names_are_found_in_one_call(either):
    """Only contacts that one of the searches finds are compared."""
    for name, number in (("Ola Berg", "+4790000001"), ("Kari Vik", "+4790000002"), ("Per Moe", "+4790000003")):
        for _ in range(2):
            await either.call("create_contact", name=name, phone_number=number, allow_duplicate=True)

    found = await either.call("find_duplicate_contacts", searches=["Ola Berg", "Kari Vik"])

    assert found["compared"] == 4
    assert sorted(each["contacts"][0]["name"] for each in found["clusters"]) == ["Kari Vik", "Ola Berg"]


async def test_directory_without_duplicates_answers_no_clusters(either):
    """It advises no next step."""
    await fill(either, 3)

    found = await either.call("find_duplicate_contacts")

    assert (found["total"], found["clusters"]) == (0, [])
    assert "next" not in found


async def test_failed_update_among_many_is_counted_and_named(platform, unsteady, person):
    """The other contacts are changed, and the answer says which update failed and why."""
    ids = await fill(platform, 4, tags=["a"])
    plan = await platform.call("update_matching_contacts", add_tags=["b"])
    answer = unsteady.service.answer

    def refuse(method: str, path: str, query: Any, body: Any) -> Any:
        if method == "PATCH" and ids[2] in path:
            return 422, {"detail": [{"loc": ["body", "tags"], "msg": "too many", "type": "x"}]}
        return answer(method, path, query, body)

    unsteady.service.answer = refuse
    result = await platform.raw("update_matching_contacts", add_tags=["b"], apply=True, plan=plan["plan"])

    said = result.structured_content or {}
    assert not result.is_error, text_of(result)
    assert (said["updates"], said["failed"]) == (3, 1)
    assert said["failures"][0]["id"] == ids[2]
    assert "tags" in said["failures"][0]["why"]
    assert not person.asked


async def test_fields_that_the_service_left_out_are_not_taken_for_empty(tmp_path):
    """Some proxies pass on only the last of several query parameters with the same name."""

    class LastParameterOnly(httpx.ASGITransport):
        async def handle_async_request(self, request):
            request.url = request.url.copy_with(params=dict(request.url.params))
            return await super().handle_async_request(request)

    async with (
        Directory(tmp_path / "contacts.db") as kept,
        ContactsClient(base_url="http://service", transport=LastParameterOnly(kept.app)) as api,
        Client(server_over(api), mode=MODERN) as client,
    ):
        await Host(client).call("create_contact", name="Ola", notes="mine", tags=["vip"])

        line = await Host(client).error("update_matching_contacts", tags=["vip"], set_notes="yours")

    assert line.startswith("unreadable_answer: the directory left out fields that were asked for")


async def test_overwrites_are_counted_if_extensions_are_known_late(tmp_path):
    """List rows have no notes: taken for full contacts, their notes would be overwritten without consent."""
    questions = 0

    class HardToAsk(httpx.ASGITransport):
        """A directory that does not answer which extensions it has until a client has given up once."""

        async def handle_async_request(self, request):
            nonlocal questions
            questions += request.url.path == "/v1/directory"
            if request.url.path == "/v1/directory" and questions <= DEFAULT_MAX_RETRIES + 1:
                raise httpx.ConnectError("not now")
            return await super().handle_async_request(request)

    async with (
        Directory(tmp_path / "contacts.db") as kept,
        ContactsClient(base_url="http://service", transport=HardToAsk(kept.app)) as api,
        Client(server_over(api), mode=MODERN) as client,
    ):
        await Host(client).call("create_contact", name="Ola", notes="mine", tags=["vip"])

        plan = await Host(client).call("update_matching_contacts", tags=["vip"], set_notes="yours")

    assert plan["overwrites"] == 1
