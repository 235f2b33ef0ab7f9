"""find_contacts: the best matches, what distinguishes them, and whether the best one is unambiguous."""

import json
from typing import Any

import pytest

from support.hosts import Host
from support.texts import count_tokens

PEOPLE: list[dict[str, Any]] = [
    {"name": "Bjørn Håkonsen", "phone_number": "+4790000002", "email": "bjorn@example.com"},
    {"name": "Ola Nordmann", "phone_number": "+4799999999", "company_name": "ACME AS"},
    {"name": "Ola Nordmann", "phone_number": "+4790000009", "company_name": "Fjord Consulting"},
    {"name": "Kari Nordmann", "email": "kari@example.com"},
    {"name": "Anne-Marie O'Brien", "phone_number": "+353851234567"},
]


@pytest.fixture
async def people(either: Host) -> Host:
    for person in PEOPLE:
        await either.call("create_contact", **person)
    return either


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("håkonsen, bjørn", "Bjørn Håkonsen"),
        ("bjorn hakonsen", "Bjørn Håkonsen"),
        ("Bjrn Hakonson", "Bjørn Håkonsen"),
        ("Karri Nordman", "Kari Nordmann"),
        ("anne marie", "Anne-Marie O'Brien"),
        ("0047 99999999", "Ola Nordmann"),
        ("85 123 4567", "Anne-Marie O'Brien"),
        ("kari@example.com", "Kari Nordmann"),
        ("ola acme", "Ola Nordmann"),
    ],
)
async def test_find_matches_partial_and_misspelled_queries(people, query, name):
    """Words in any order, accents, typos, part of a number, e-mail, company."""
    found = await people.call("find_contacts", query=query)

    best = found["candidates"][0]
    assert best["name"] == name
    assert best["why"]
    assert 0 < best["score"] <= 100


async def test_namesakes_are_shown_with_the_field_that_differs(people):
    """The server does not pick one, but advises to ask."""
    found = await people.call("find_contacts", query="ola nordmann")

    first, second = found["candidates"][:2]
    assert found["clear"] is False
    assert {first["company_name"], second["company_name"]} == {"ACME AS", "Fjord Consulting"}
    assert found["next"] == "ask the person which contact they mean"


async def test_best_match_far_ahead_is_clear(people):
    """Its score is well above the others."""
    assert (await people.call("find_contacts", query="kari nordmann"))["clear"] is True


async def test_unknown_name_finds_no_candidates(people):
    """The answer says what else to ask for."""
    found = await people.call("find_contacts", query="Zebedee Quux")

    assert found["candidates"] == []
    assert found["clear"] is False
    assert found["next"].startswith("no contact matches")


async def test_five_candidates_take_at_most_420_tokens(either):
    """However long their values are."""
    for number in range(8):
        name = f"Ola {'Christoffer ' * 4}Nordmann-Håkonsen {number}"
        await either.call(
            "create_contact", name=name, company_name=f"Selskap {number} " * 8, email=f"ola{number}@example.com"
        )

    found = await either.call("find_contacts", query="ola nordmann")

    assert len(found["candidates"]) == 5
    assert count_tokens(json.dumps(found, ensure_ascii=False, separators=(",", ":"))) <= 420
    assert found["more"] == 3


async def test_find_sends_a_bounded_number_of_requests(platform, unsteady):
    """However many contacts there are, and even if none matches."""
    for number in range(3_000):
        unsteady.service.create_contact({}, {"type": "person", "name": f"Person{number} Berg", "tags": []})
    unsteady.seen.clear()

    await platform.call("find_contacts", query="Zebedee Quuxx")

    assert unsteady.seen["GET"] <= 400
