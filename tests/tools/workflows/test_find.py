"""find_contacts: the best matches, what distinguishes them, and whether the best one is unambiguous."""

import json
from typing import Any

import pytest

from support.hosts import Host
from support.texts import count_tokens

PEOPLE: list[dict[str, Any]] = [
    {"name": "Bjørn Håkonsen", "phone_number": "+4790000002", "email": "bjorn@example.com"},
    {"name": "Ola Nordmann", "phone_number": "+4799999999", "company_name": "ACME AS", "tags": ["vip", "oslo"]},
    {
        "name": "Ola Nordmann",
        "phone_number": "+4790000009",
        "company_name": "Fjord Consulting",
        "email": "ola@fjord.example",
    },
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


async def test_namesakes_are_shown_with_all_that_tells_them_apart(people):
    """The server does not pick one, but advises to ask, unless the person already said which."""
    found = await people.call("find_contacts", query="ola nordmann")

    first, second = sorted(found["candidates"][:2], key=lambda each: each["company_name"])
    assert found["clear"] is False
    assert (first["company_name"], first["phone_number"], first["tags"]) == ("ACME AS", "+4799999999", ["vip", "oslo"])
    assert (second["company_name"], second["email"]) == ("Fjord Consulting", "ola@fjord.example")
    assert found["next"] == "if what the person said does not tell which of these is meant, ask"


async def test_several_queries_in_one_call_are_answered_in_their_order(people):
    """Of a clear match only the contact is shown; the others show their candidates."""
    queries = ["Karri Nordman", "ola nordmann", "Zebedee Quux", "99999999"]

    found = await people.call("find_contacts", queries=queries)

    kari, ola, nobody, number = found["results"]
    assert [each["query"] for each in found["results"]] == queries
    assert [each["name"] for each in kari["candidates"]] == ["Kari Nordmann"]
    assert [each["clear"] for each in found["results"]] == [True, False, False, True]
    assert len(ola["candidates"]) >= 2
    assert nobody["candidates"] == []
    assert number["candidates"][0]["company_name"] == "ACME AS"


async def test_queries_are_bounded_and_one_is_required(people):
    assert "at most 10 items" in await people.error("find_contacts", queries=[f"Ola {n}" for n in range(11)])
    assert "needs a query, or several queries" in await people.error("find_contacts", limit=3)


async def test_ten_ambiguous_queries_fit_in_one_answer(people):
    """Each keeps at least two candidates."""
    found = await people.call("find_contacts", queries=[f"nordmann ola {'abcdefghij'[n]}" for n in range(10)])

    assert "left_out" not in found
    assert [len(each["candidates"]) for each in found["results"]] == [2] * 10


async def test_best_match_far_ahead_is_clear(people):
    """Its score is well above the others."""
    assert (await people.call("find_contacts", query="kari nordmann"))["clear"] is True


async def test_unknown_name_finds_no_candidates(people):
    """The answer states this as a fact, and sends the model to no person."""
    found = await people.call("find_contacts", query="Zebedee Quux")

    assert found["candidates"] == []
    assert found["clear"] is False
    assert found["note"] == "no contact has a similar name, company, number or e-mail address"
    assert "next" not in found


async def test_five_candidates_take_at_most_550_tokens(either):
    """However long their values are."""
    for number in range(8):
        name = f"Ola {'Christoffer ' * 4}Nordmann-Håkonsen {number}"
        await either.call(
            "create_contact", name=name, company_name=f"Selskap {number} " * 8, email=f"ola{number}@example.com"
        )

    found = await either.call("find_contacts", query="ola nordmann")

    assert len(found["candidates"]) == 5
    assert count_tokens(json.dumps(found, ensure_ascii=False, separators=(",", ":"))) <= 550
    assert found["more"] == 3


async def test_find_sends_a_bounded_number_of_requests(platform, unsteady):
    """However many contacts there are, and even if none matches."""
    for number in range(3_000):
        unsteady.service.create_contact({}, {"type": "person", "name": f"Person{number} Berg", "tags": []})
    unsteady.seen.clear()

    await platform.call("find_contacts", query="Zebedee Quuxx")

    assert unsteady.seen["GET"] <= 400
