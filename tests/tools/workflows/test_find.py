"""find_contacts: who is meant, with as much as tells them apart, and whether that is clear."""

import json
from typing import Any

import pytest

from counting import count_tokens
from harness import Host
from manyfold import Unsteady

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
async def test_one_call_finds_who_is_meant(people: Host, query: str, name: str) -> None:
    """Any order, accents, typos, part of a number, e-mail, company."""
    found = await people.call("find_contacts", query=query)

    best = found["candidates"][0]
    assert best["name"] == name
    assert best["why"]
    assert 0 < best["score"] <= 100


async def test_an_ambiguous_name_is_answered_with_what_tells_apart(people: Host) -> None:
    """Never a pick: two namesakes come with the field in which they differ, and the advice to ask."""
    found = await people.call("find_contacts", query="ola nordmann")

    first, second = found["candidates"][:2]
    assert found["clear"] is False
    assert {first["company_name"], second["company_name"]} == {"ACME AS", "Fjord Consulting"}
    assert found["next"] == "ask which one is meant"


async def test_a_clear_one_is_said_to_be(people: Host) -> None:
    """The best is well ahead of the rest."""
    assert (await people.call("find_contacts", query="kari nordmann"))["clear"] is True


async def test_somebody_unknown_is_nobody(people: Host) -> None:
    """With a hint of what else to ask for."""
    found = await people.call("find_contacts", query="Zebedee Quux")

    assert found["candidates"] == []
    assert found["clear"] is False
    assert found["next"].startswith("nobody fits")


async def test_five_candidates_are_about_three_hundred_tokens(either: Host) -> None:
    """Whatever they are called."""
    for number in range(8):
        name = f"Ola {'Christoffer ' * 4}Nordmann-Håkonsen {number}"
        await either.call(
            "create_contact", name=name, company_name=f"Selskap {number} " * 8, email=f"ola{number}@example.com"
        )

    found = await either.call("find_contacts", query="ola nordmann")

    assert len(found["candidates"]) == 5
    assert count_tokens(json.dumps(found, ensure_ascii=False, separators=(",", ":"))) <= 420
    assert found["more"] == 3


async def test_the_service_is_asked_a_bounded_number_of_times(platform: Host, unsteady: Unsteady) -> None:
    """However many contacts there are, and whether it finds anybody or not."""
    for number in range(3_000):
        unsteady.service.create_contact({}, {"type": "person", "name": f"Person{number} Berg", "tags": []})
    unsteady.seen.clear()

    await platform.call("find_contacts", query="Zebedee Quuxx")

    assert unsteady.seen["GET"] <= 400
