"""gdpr_delete_contact finds the whole person: merged records, related ones, and what was erased before."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.hosts import LEGACY, MISSING_ID, MODERN, Host, Person, each_era, enter_in_one_task, host, host_of_service
from support.services import UnreliableService

REASON = {"reason": "Article 17 request"}
OLA = {"name": "Ola Nordmann", "phone_number": "+4790000001", "email": "ola@example.com"}


@pytest.fixture
def person() -> Person:
    return Person(content={"typed": "Ola Nordmann", "decision": "merge"})


@pytest.fixture(params=[LEGACY, MODERN])
async def directory(tmp_path: Path, person: Person, request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    async with enter_in_one_task(host(tmp_path / "contacts.db", request.param, person)) as opened:
        yield opened


async def create(directory: Host, name: str = "Ola Nordmann", **fields: Any) -> str:
    return str((await directory.call("create_contact", name=name, **fields, allow_duplicate=True))["id"])


async def merge(directory: Host, keep_id: str, *merge_ids: str) -> None:
    await directory.call("merge_contacts", keep_id=keep_id, merge_ids=list(merge_ids))


async def erase(directory: Host, contact_id: str, **more: Any) -> dict[str, Any]:
    return await directory.call("gdpr_delete_contact", contact_id=contact_id, **REASON, **more)


def ids_of(records: list[dict[str, Any]]) -> set[str]:
    return {each["id"] for each in records}


async def test_erasure_of_the_kept_contact_erases_what_was_merged_into_it(directory: Host, person: Person) -> None:
    """The question names every record, also those of an earlier merge."""
    first, second, keep = await create(directory, "Qla N"), await create(directory, "Ola N"), await create(directory)
    await merge(directory, second, first)
    await merge(directory, keep, second)
    person.asked.clear()

    answer = await erase(directory, keep)

    assert "With it, the 2 records that were merged into it:" in person.question
    assert f'"Ola N" (id {second})' in person.question
    assert f"(id {first})" in person.question
    assert answer["erased"] is True
    assert ids_of(answer["records"]) == {first, second, keep}
    assert sorted(each["receipt"] for each in answer["records"]) == [1, 2, 3]
    assert "related" not in answer


async def test_related_records_are_named_live_or_deleted_and_stay_unless_ticked(
    directory: Host, person: Person
) -> None:
    ola = await create(directory, **OLA)
    phone = await create(directory, "Kari Hansen", phone_number="+47 90 00 00 01")
    mail = await create(directory, "Info", email="OLA@example.com")
    name = await create(directory, "Nordmann, Ola", phone_number="+4790000009")
    await create(directory, "Ole Nordmo", phone_number="+4790000008")
    person.content = {"decision": "delete"}
    await directory.call("delete_contact", contact_id=mail)
    person.content, _ = {"typed": "Ola Nordmann"}, person.asked.clear()

    answer = await erase(directory, ola)

    related = {each["id"]: (each["status"], each["shared"]) for each in answer["related"]}
    assert related == {
        phone: ("live", ["same phone"]),
        mail: ("deleted", ["same e-mail"]),
        name: ("live", ["same name"]),
    }
    assert "may be the same person. They stay; tick a record below to erase it as well:" in person.question
    for each in related:
        assert f"(id {each}): same " in person.question
    assert ids_of(answer["records"]) == {ola}
    assert await directory.has({"contact_id": name})


async def test_ticked_records_are_erased_in_the_same_consent(directory: Host, person: Person) -> None:
    """With what was merged into them."""
    ola, other, stays = [await create(directory, **OLA) for _ in range(3)]
    merged = await create(directory, "Olla")
    await merge(directory, other, merged)
    person.asked.clear()

    async def tick() -> None:
        fields = person.asked[-1].requested_schema["properties"]
        (ticked,) = [field for field, schema in fields.items() if schema.get("description") == f"id {other}"]
        assert fields[ticked]["title"].startswith("Also erase ")
        assert fields[ticked]["default"] is False
        person.content = {"typed": "Ola Nordmann", ticked: True}

    person.meanwhile = tick
    answer = await erase(directory, ola)

    assert len(person.asked) == 1
    assert "with 1 merged into it" in person.question
    assert ids_of(answer["records"]) == {ola, other, merged}
    assert ids_of(answer["related"]) == {stays}
    assert await directory.has({"contact_id": stays})


async def test_related_record_shares_the_same_name_or_a_similar_one_but_not_both(
    directory: Host, person: Person
) -> None:
    """A merged record of the person is spelled otherwise."""
    ola, merged = await create(directory), await create(directory, "Ola Nordman")
    await merge(directory, ola, merged)
    other = await create(directory)
    person.asked.clear()

    answer = await erase(directory, ola)

    assert [(each["id"], each["shared"]) for each in answer["related"]] == [(other, ["same name"])]


@pytest.mark.parametrize("value", ["yes", 1, ["x"]])
async def test_form_in_which_a_choice_is_unclear_erases_nothing(directory: Host, person: Person, value: Any) -> None:
    ola, other = await create(directory, **OLA), await create(directory, **OLA)
    person.content = {"typed": "Ola Nordmann", "also_1": value}

    reason = await directory.declined("gdpr_delete_contact", contact_id=ola, **REASON)

    assert "not filled in as the question asked" in reason
    assert await directory.has({"contact_id": ola})
    assert await directory.has({"contact_id": other})


@pytest.mark.parametrize("change", ["appears", "merged", "edited"])
async def test_consent_covers_only_the_records_that_were_shown(directory: Host, person: Person, change: str) -> None:
    ola, other, third = await create(directory, **OLA), await create(directory, **OLA), await create(directory, "Eva")

    async def meanwhile() -> None:
        person.meanwhile = None
        if change == "appears":
            await create(directory, **OLA)
        elif change == "edited":
            await directory.call("update_contact", contact_id=other, notes="new")
        else:
            await merge(directory, other, third)
            person.content = {"typed": "Ola Nordmann"}

    person.meanwhile = meanwhile
    line = await directory.error("gdpr_delete_contact", contact_id=ola, **REASON)

    assert line.startswith("not_confirmed: the target was changed")
    assert await directory.has({"contact_id": ola})


async def test_many_related_records_are_counted_beyond_twenty(directory: Host, person: Person) -> None:
    ola = await create(directory, **OLA)
    for number in range(23):
        await create(directory, f"Person {number}", phone_number=OLA["phone_number"])

    answer = await erase(directory, ola)

    assert len(answer["related"]) == 20
    assert answer["more_related"] == 3
    assert "3 more may be the same person; they stay." in person.question
    fields = person.asked[0].requested_schema["properties"]
    assert len([field for field in fields if field.startswith("also_")]) == 20
    assert len(person.question) < 6_000


@each_era
async def test_host_without_forms_includes_only_ids_that_the_question_named(tmp_path: Path, era: str) -> None:
    """In two steps: the second question names them all, and its token is for exactly these."""
    async with host(tmp_path / "contacts.db", era, guard="two-step") as directory:
        ola, other, stranger = (
            await create(directory, **OLA),
            await create(directory, **OLA),
            await create(directory, "Eva"),
        )

        first = await directory.call("gdpr_delete_contact", contact_id=ola, **REASON)
        refused = await directory.error("gdpr_delete_contact", contact_id=ola, related_ids=[stranger], **REASON)
        second = await directory.call("gdpr_delete_contact", contact_id=ola, related_ids=[other], **REASON)
        wrong = await directory.error(
            "gdpr_delete_contact",
            contact_id=ola,
            related_ids=[other],
            confirmation_token=first["confirmation_token"],
            **REASON,
        )
        answer = await directory.call(
            "gdpr_delete_contact",
            contact_id=ola,
            related_ids=[other],
            confirmation_token=second["confirmation_token"],
            **REASON,
        )

        assert f"(id {other}): same phone, same e-mail, same name" in first["question"]
        assert "a call with their ids in related_ids asks about those, too" in first["question"]
        assert refused.startswith("invalid: related_ids: names 1 contact that the question did not name")
        assert "Also erased (same phone, same e-mail, same name): person" in second["question"]
        assert "They stay" not in second["question"]
        assert wrong.startswith("not_confirmed: ")
        assert ids_of(answer["records"]) == {ola, other}
        assert answer["consent"] == "not verified"
        assert await directory.has({"contact_id": stranger})


async def test_erasing_again_says_when_and_under_which_receipt_and_asks_no_person(
    directory: Host, person: Person
) -> None:
    ola = await create(directory, **OLA)
    first = await erase(directory, ola)
    person.asked.clear()

    again = await erase(directory, ola)

    assert not person.asked
    assert again["erased"] is True
    assert "was erased before, at 20" in again["seen"]
    assert "under receipt 1; nothing was changed" in again["seen"]
    assert again["records"] == first["records"]
    assert first["consent"] == "person"
    assert "consent" not in again


async def test_erasure_says_what_is_gone_and_what_remains(directory: Host) -> None:
    answer = await erase(directory, await create(directory, **OLA))

    assert answer["cleared"] == ["name", "company_name", "phone_number", "email", "tags", "notes"]
    receipts, trail = answer["remains"]
    assert "a numbered receipt, without personal data" in receipts
    assert trail == "in this server's audit trail: the caller, the time and the ids"


async def test_repeated_erasure_reports_chosen_records_that_it_did_not_erase(directory: Host, person: Person) -> None:
    ola, other = await create(directory, **OLA), await create(directory, **OLA)
    await erase(directory, ola)

    again = await erase(directory, ola, related_ids=[other])

    assert f"not erased, as the question was not asked again: {other}" in again["seen"]
    assert await directory.has({"contact_id": other})


async def test_id_that_never_existed_is_not_found_before_any_person_is_asked(directory: Host, person: Person) -> None:
    line = await directory.error("gdpr_delete_contact", contact_id=MISSING_ID, **REASON)

    assert line.startswith("not_found: ")
    assert not person.asked


async def test_erasing_a_merged_record_names_the_contact_that_has_its_data(directory: Host, person: Person) -> None:
    keep, other = await create(directory, "Eva Berg"), await create(directory, **OLA)
    await merge(directory, keep, other)
    person.asked.clear()

    answer = await erase(directory, other)

    assert ids_of(answer["records"]) == {other}
    (kept,) = answer["related"]
    assert (kept["id"], kept["shared"][0]) == (keep, "it was merged into this one")


async def test_reason_must_not_name_a_related_record(directory: Host, person: Person) -> None:
    ola = await create(directory, **OLA)
    await create(directory, "Kari Hansen", phone_number=OLA["phone_number"])

    line = await directory.error("gdpr_delete_contact", contact_id=ola, reason="kari hansen asked")

    assert line.startswith("invalid: reason: must not contain")
    assert not person.asked


async def test_trail_has_all_erased_ids_and_receipts(tmp_path: Path, person: Person) -> None:
    """The record before the erasure has all ids, too: after a crash it is the only one."""
    trail = tmp_path / "trail.jsonl"
    async with host(tmp_path / "contacts.db", MODERN, person, audit=str(trail)) as directory:
        keep, other, ticked, unticked = [await create(directory) for _ in range(4)]
        await merge(directory, keep, other)
        person.content = {"typed": "Ola Nordmann", f"also_{sorted((ticked, unticked)).index(ticked) + 1}": True}
        await erase(directory, keep)

    records = [each for each in map(json.loads, trail.read_text().splitlines()) if each["risk"] == "erase"]
    begun, done = [each for each in records if each["outcome"] != "asked"]
    assert (begun["outcome"], begun["contact_id"]) == ("begun", keep)
    assert set(begun["agreed_ids"]) == {keep, other, ticked}
    assert set(done["erased_ids"]) == {keep, other, ticked}
    assert done["receipts"] == [1, 2, 3]


@pytest.fixture
async def platform(person: Person) -> AsyncIterator[Host]:
    """A host over a service that has only the documented API."""
    async with enter_in_one_task(host_of_service(UnreliableService().respond, MODERN, person)) as opened:
        yield opened


async def test_platform_erasure_says_what_is_known_and_what_is_not(platform: Host, person: Person) -> None:
    """In words for a data protection officer; live related records are named, and erased if they are ticked."""
    ola, other, stays = [await create(platform, **OLA) for _ in range(3)]
    named = sorted((other, stays)).index(other) + 1
    person.content = {"typed": "Ola Nordmann", f"also_{named}": True}

    answer = await erase(platform, ola)

    assert f"(id {stays}): same phone, same e-mail, same name" in person.question
    assert answer["erased"] is True
    assert ids_of(answer["records"]) == {ola, other}
    assert ids_of(answer["related"]) == {stays}
    assert any(line.startswith(f"the service accepted the request to erase {ola} at 20") for line in answer["known"])
    assert any("permanently anonymize contact data" in line for line in answer["known"])
    assert any("merged into this one or deleted earlier" in line for line in answer["unknown"])
    assert any("backups" in line and "ask WAYSCloud" in line for line in answer["unknown"])
    assert "receipt" not in answer["records"][0]


async def test_platform_contact_that_is_not_shown_is_erased_by_a_short_phrase(platform: Host, person: Person) -> None:
    """The API does not say whether it ever existed."""
    person.content = {"typed": f"erase {MISSING_ID[:4]}"}

    line = await platform.error("gdpr_delete_contact", contact_id=MISSING_ID, **REASON)

    assert line.startswith("not_found: ")
    assert "does not say whether it was deleted, was erased or never existed" in person.question


async def test_question_says_that_related_records_could_not_be_searched(person: Person) -> None:
    service = UnreliableService()

    def respond(request: httpx.Request) -> Any:
        if request.url.path == "/v1/contacts" and request.method == "GET":
            return httpx.Response(403, json={"detail": "no lists"})
        return service.respond(request)

    async with host_of_service(respond, MODERN, person) as platform:
        ola = await create(platform, **OLA)
        answer = await erase(platform, ola)

    assert "Not complete: other records could not be searched (permission_denied)." in person.question
    assert answer["unknown"][-1] == "related records: other records could not be searched (permission_denied)"
