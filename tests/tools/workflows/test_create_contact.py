"""create_contact and the contacts that exist already: exact duplicates are refused, likely ones are shown."""

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.hosts import Host, Person, host, host_of_service
from support.services import UnreliableService

Fields = dict[str, Any]
OLA = {"name": "Ola Nordmann", "phone_number": "+4799999999", "email": "ola@example.com"}
NAME, NUMBER, ADDRESS = ({name: value} for name, value in OLA.items())
STORED_ONLY = {"company_name": "Fjord AS", "notes": "Likes fish", "tags": ["vip"], "email": "private@example.com"}


async def count(connected: Host) -> int:
    return int((await connected.call("list_contacts"))["total"])


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        (OLA, OLA),
        (OLA, {"name": "ola  NORDMANN", "phone_number": "999 99 999", "email": " OLA@example.com"}),
        (OLA, {**OLA, "company_name": "Another AS", "tags": ["new"], "notes": "new"}),
        (OLA, {**NAME, **NUMBER}),
        ({**NAME, **NUMBER}, OLA),
        ({**NAME, **ADDRESS}, {**NAME, **ADDRESS}),
        ({**NAME, "phone_number": "1234"}, {**NAME, "phone_number": "1234"}),
        (NAME, NAME),
        ({**NAME, "company_name": "Fjord AS"}, {**NAME, "company_name": "FJORD AS"}),
        ({**NAME, "company_name": "Fjord AS"}, NAME),
    ],
    ids=[
        *("the same call", "another notation", "other fields", "less", "more", "only an address", "no valid number"),
        *("only a name", "a name in the same company", "a name whose company is not given"),
    ],
)
async def test_exact_duplicate_is_refused_with_its_id(
    either: Host, stored: dict[str, Any], new: dict[str, Any]
) -> None:
    ola = await either.call("create_contact", **stored)

    line = await either.error("create_contact", **new)

    assert line.startswith(f"duplicate: contact {ola['id']} exists already (same name")
    assert "nothing was created" in line
    assert "update_contact" in line
    assert "allow_duplicate: true" in line
    assert await count(either) == 1


@pytest.mark.parametrize(
    ("stored", "new", "same"),
    [
        (OLA, {**OLA, "phone_number": "+4798765432"}, None),
        (OLA, {**OLA, "email": "another@example.com"}, ["name", "phone_number"]),
        (OLA, {**OLA, "type": "company"}, ["name", "phone_number", "email"]),
        (OLA, NAME, ["name"]),
        ({**NAME, "company_name": "Fjord AS"}, {**NAME, "company_name": "Fjell AS"}, ["name"]),
        (OLA, {"name": "Nordmann, Ola", **NUMBER}, ["phone_number"]),
    ],
    ids=[
        *("another number", "another address", "a company", "only a name"),
        *("another company of a namesake", "another order of words"),
    ],
)
async def test_contact_that_is_no_exact_duplicate_is_created_and_likely_ones_are_shown(
    either: Host, stored: Fields, new: Fields, same: list[str] | None
) -> None:
    ola = await either.call("create_contact", **stored)

    created = await either.call("create_contact", **new)

    shown = created.get("likely_duplicates")
    if same is not None:
        assert shown == [{"id": ola["id"], "name": "Ola Nordmann", "same": same}]
        assert "compare, then merge_contacts" in created["warnings"][-1]
    assert await count(either) == 2


@pytest.mark.parametrize(
    ("new", "same"),
    [
        ({"name": "O. Nordmann", "email": "OLA@example.com"}, ["email"]),
        ({**NAME, "phone_number": "+4798765432"}, None),
        ({"name": "Kari Berg", "email": "n/a@example.com", "phone_number": "00000000"}, None),
    ],
)
async def test_likely_duplicates_are_found_by_the_rule_of_imports(
    directory: Host, new: Fields, same: list[str] | None
) -> None:
    """A number or address *and* a compatible name; placeholders identify no person."""
    ola = await directory.call("create_contact", **OLA)
    await directory.call("create_contact", **NAME, email="n/a@example.com", phone_number="00000000")

    created = await directory.call("create_contact", **new)

    expected = [{"id": ola["id"], "name": "Ola Nordmann", "same": same}] if same else None
    assert created.get("likely_duplicates") == expected


async def test_contact_that_shares_a_number_has_a_warning_and_is_no_likely_duplicate(either: Host) -> None:
    ola = await either.call("create_contact", **OLA)

    kari = await either.call("create_contact", name="Kari Berg", **NUMBER)

    assert kari["warnings"] == [f"contact {ola['id']} has the same number or e-mail address, but another name"]
    assert "likely_duplicates" not in kari


async def test_allowed_duplicate_is_created_and_shows_the_others(either: Host, unsteady: UnreliableService) -> None:
    """The argument is the tool's and not the API's, and the answer is short however many there are."""
    *_, created = [await either.call("create_contact", **OLA, allow_duplicate=True) for _ in range(5)]

    assert await count(either) == 5
    assert [each["same"] for each in created["likely_duplicates"]] == [["name", "phone_number", "email"]] * 3
    assert "warnings" not in created
    assert all("allow_duplicate" not in contact for contact in unsteady.service.contacts.values())


async def test_refusal_repeats_nothing_that_is_stored(either: Host) -> None:
    await either.call("create_contact", **{**OLA, **STORED_ONLY})

    line = await either.error("create_contact", name="OLA NORDMANN", **NUMBER)

    stored = ("Ola", "9999", "Fjord", "fish", "vip", "private")
    assert not [each for each in stored if each.casefold() in line.casefold()]


Respond = Callable[[httpx.Request], Any]


def _fail_first_creation(service: UnreliableService, *, done: bool) -> Respond:
    """Lose the answer of the first creation, or ask to wait in place of it."""
    left = [1]

    async def respond(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and left:
            left.clear()
            if not done:
                return httpx.Response(429, headers={"Retry-After": "0"})
            await service.respond(request)
            raise httpx.ReadError("lost")
        return await service.respond(request)

    return respond


async def test_call_that_is_repeated_after_a_lost_answer_is_refused_with_the_id(unsteady: UnreliableService) -> None:
    async with host_of_service(_fail_first_creation(unsteady, done=True)) as platform:
        lost = await platform.error("create_contact", **OLA)
        again = await platform.error("create_contact", **OLA)

    (contact_id,) = unsteady.service.contacts
    assert lost.startswith("outcome_unknown: ")
    assert again.startswith(f"duplicate: contact {contact_id} ")


async def test_retry_of_the_client_is_not_taken_for_a_duplicate(unsteady: UnreliableService) -> None:
    async with host_of_service(_fail_first_creation(unsteady, done=False)) as platform:
        created = await platform.call("create_contact", **OLA)

    assert list(unsteady.service.contacts) == [created["id"]]
    assert unsteady.seen["POST"] == 1


@pytest.mark.parametrize("decision", ["keep", "change"])
async def test_person_is_asked_about_a_duplicate_only_if_it_is_allowed(tmp_path: Path, decision: str) -> None:
    """The question names the duplicate. The trail has a record of the refusal."""
    person, trail = Person(content={"decision": "change"}), tmp_path / "audit.jsonl"
    async with AsyncExitStack() as opened:
        confirmed = host(tmp_path / "contacts.db", person=person, confirm="create_contact", audit=str(trail))
        connected = await opened.enter_async_context(confirmed)
        ola = await connected.call("create_contact", **OLA)
        line = await connected.error("create_contact", **OLA)
        person.content = {"decision": decision}
        await connected.call("create_contact", **OLA, allow_duplicate=True)
        total = await count(connected)

    first, second = [asked.message for asked in person.asked]
    assert line.startswith("duplicate: ")
    assert "It may be the same" not in first
    assert f'It may be the same as "Ola Nordmann" (id {ola["id"]}, same name and phone_number and email).' in second
    assert "allow_duplicate" not in second
    assert total == (2 if decision == "change" else 1)
    records = [json.loads(each) for each in trail.read_text().splitlines()]
    refused = [record for record in records if record.get("error") == "duplicate"]
    assert [(record["tool"], record["outcome"], record["consent"]) for record in refused] == [
        ("create_contact", "failed", "none")
    ]
