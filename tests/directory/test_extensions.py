"""The directory's extensions, scan and batch, behave like the single routes."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import Connection

from contacts_mcp.directory import PostgresServer, store

NOWHERE = "00000000-0000-0000-0000-000000000000"
ALL = ["id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at"]


async def scan(http, **query):
    """Return all contacts of a scan, page by page."""
    found, after = [], {}
    while after != {"after": None}:
        page = (await http.get("/v1/directory/contacts", params={"fields": ALL, **query, **after})).json()
        found += [dict(zip(page["fields"], row, strict=True)) for row in page["rows"]]
        after = {"after": page["next"]}
    return found


async def batch(http, **body):
    answer = await http.post("/v1/directory/contacts", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


async def test_directory_route_lists_the_extensions(http, location):
    """Clients use an extension only if it is listed. To undo updates, a server's directory needs the operator's key."""
    undo = [] if isinstance(location, PostgresServer) else ["undo"]

    assert (await http.get("/v1/directory")).json() == {
        "extensions": ["batch", "persons", "receipts", "restore", "scan", *undo]
    }


async def test_scan_returns_the_same_contacts_as_the_single_route(http):
    """Every live contact in full, oldest first, in pages of any size."""
    made = await batch(
        http,
        creates=[{"name": f"Person {n}", "tags": ["a"], "notes": "x", "email": f"p{n}@example.com"} for n in range(7)],
    )
    await http.delete(f"/v1/contacts/{made[3]['id']}")

    found = await scan(http, limit=3)

    live = [each["id"] for each in made if each is not made[3]]
    assert [each["id"] for each in found] == live
    assert found == [(await http.get(f"/v1/contacts/{each}")).json() for each in live]


async def test_scan_has_the_filters_of_a_list(http):
    """By type, search, tags, and the members of a group; an unknown group is 404."""
    ids = [
        each["id"]
        for each in await batch(
            http,
            creates=[
                {"name": f"Bjørn {n}", "type": ["person", "company"][n % 2], "tags": [f"t{n % 3}"]} for n in range(12)
            ],
        )
    ]
    group = (await http.post("/v1/contacts/groups", json={"name": "g"})).json()["id"]
    await http.post(f"/v1/contacts/groups/{group}/members", json={"contact_ids": ids[:5]})

    for query in ({"type": "company"}, {"tags": ["T1"]}, {"search": "bjorn 1"}, {"type": "person", "tags": ["t0"]}):
        listed = (await http.get("/v1/contacts", params={**query, "per_page": 100})).json()["contacts"]
        assert {each["id"] for each in await scan(http, **query)} == {each["id"] for each in listed}
    assert [each["id"] for each in await scan(http, group_id=group)] == ids[:5]
    missing = await http.get("/v1/directory/contacts", params={"fields": "id", "group_id": NOWHERE})
    assert missing.status_code == 404


async def test_scan_returns_each_contact_once_during_concurrent_writes(http):
    """The contacts that exist from the first page to the last; others are created and deleted."""
    lasting = {each["id"] for each in await batch(http, creates=[{"name": f"Stays {n}"} for n in range(60)])}
    passing = [each["id"] for each in await batch(http, creates=[{"name": f"Goes {n}"} for n in range(30)])]
    chance = random.Random(1)

    async def disturb() -> None:
        for gone in passing:
            await http.delete(f"/v1/contacts/{gone}")
            await http.post("/v1/contacts", json={"name": "New"})
            await http.patch(f"/v1/contacts/{chance.choice(sorted(lasting))}", json={"notes": "changed"})

    found, _ = await asyncio.gather(scan(http, limit=7), disturb())

    seen = [each["id"] for each in found if each["id"] in lasting]
    assert sorted(seen) == sorted(lasting)


async def test_scan_page_with_long_notes_is_shortened_without_losing_contacts(http, monkeypatch):
    """A page may be shorter than its limit; only a null cursor is the end."""
    monkeypatch.setattr("contacts_mcp.directory.store._contacts._MAX_NOTES_PER_PAGE", 100)
    await batch(http, creates=[{"name": f"Person {n}", "notes": "x" * 60} for n in range(9)])

    page = (await http.get("/v1/directory/contacts", params={"fields": ["id", "notes"]})).json()

    assert len(page["rows"]) == 2
    assert len(await scan(http)) == 9


async def test_batch_has_the_outcomes_of_single_requests(http):
    """The same values are stored, found and rejected; a rejected item does not affect the others."""
    bodies = [
        {"name": "  Bjørn   Håkonsen ", "phone_number": "+47 900 00 002", "tags": ["VIP", "vip"]},
        {"name": ""},
        {"name": "Kjær", "type": "company", "email": "nonsense"},
        {"name": "Kari", "type": "person", "email": "kari@example.com", "notes": " "},
        "no object",
    ]
    outcomes = await batch(http, creates=bodies)
    singles = [await http.post("/v1/contacts", json=body) for body in bodies]

    assert [each["status"] for each in outcomes] == [single.status_code for single in singles]
    assert "name" in outcomes[1]["detail"]
    assert "nonsense" not in str(outcomes)
    same = ("name", "type", "phone_number", "email", "tags", "notes", "company_name")
    for outcome, single in zip(outcomes, singles, strict=True):
        if outcome["status"] == 201:
            stored = (await http.get(f"/v1/contacts/{outcome['id']}")).json()
            assert {name: stored[name] for name in same} == {name: single.json()[name] for name in same}
    assert (await http.get("/v1/contacts", params={"search": "hakonsen"})).json()["total"] == 2
    assert (await http.get("/v1/contacts", params={"search": "90000002"})).json()["total"] == 2


async def test_batch_update_keeps_absent_fields_and_clears_null_fields(http):
    """An unknown contact is 404, and searches find the new values."""
    ola, kari = [
        each["id"]
        for each in await batch(
            http, creates=[{"name": "Ola", "email": "ola@example.com", "tags": ["a"]}, {"name": "Kari"}]
        )
    ]

    outcomes = await batch(
        http,
        updates=[{"id": ola, "email": None, "name": "Per"}, {"id": NOWHERE, "name": "x"}, {"id": kari, "type": None}],
    )

    assert [each["status"] for each in outcomes] == [200, 404, 422]
    stored = (await http.get(f"/v1/contacts/{ola}")).json()
    assert (stored["name"], stored["email"], stored["tags"]) == ("Per", None, ["a"])
    assert (await http.get("/v1/contacts", params={"search": "per"})).json()["total"] == 1
    assert (await http.get("/v1/contacts", params={"search": "ola"})).json()["total"] == 0


async def test_batch_without_a_change_keeps_updated_at(http):
    """Like a single update."""
    (made,) = await batch(http, creates=[{"name": "Ola"}])
    before = (await http.get(f"/v1/contacts/{made['id']}")).json()

    await batch(http, updates=[{"id": made["id"], "name": "Ola"}])

    assert (await http.get(f"/v1/contacts/{made['id']}")).json() == before


async def test_failed_batch_has_no_effect(http, monkeypatch):
    """A failure after the creates leaves no contact."""

    def fail(connection: Connection, changes: Any) -> Any:
        raise RuntimeError(connection, changes)

    monkeypatch.setattr(store, "update_contacts", fail)
    answer = await http.post("/v1/directory/contacts", json={"creates": [{"name": "Ola"}], "updates": []})

    assert answer.status_code == 500
    assert (await http.get("/v1/contacts")).json()["total"] == 0


@pytest.mark.parametrize(
    "body", [{}, {"creates": [{"name": "x"}] * 1001}, {"creates": "x"}, [], {"creates": [], "updates": []}]
)
async def test_batch_with_too_few_or_too_many_contacts_is_rejected(http, body):
    """One to a thousand contacts of each kind are accepted."""
    assert (await http.post("/v1/directory/contacts", json=body)).status_code == 422


@pytest.mark.parametrize(
    "query", [{}, {"fields": "secret"}, {"fields": "id", "after": "x"}, {"fields": "id", "limit": 5001}]
)
async def test_scan_with_an_invalid_parameter_is_rejected(http, query):
    """The fields, the cursor and the limit are validated."""
    assert (await http.get("/v1/directory/contacts", params=query)).status_code == 422
