"""The route for one receipt of an erasure: what it shows, to whom, and what it says of the chain."""

import sqlite3
from contextlib import closing

import pytest

from contacts_mcp.directory import store
from contacts_mcp.directory.api import _receipts
from contacts_mcp.hash_chain import ChainEnd

on_file = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


async def erase(http, contact, reason="Article 17 request"):
    answer = await http.post(f"/v1/contacts/{contact['id']}/gdpr-delete", json={"reason": reason})
    assert answer.status_code == 200, answer.text


async def read(http, number):
    answer = await http.get(f"/v1/directory/receipts/{number}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_receipt_shows_the_erasure_and_its_place_in_the_chain(http, create):
    first, second = await create(name="Ola", email=None), await create(name="Kari", notes="secret")
    await erase(http, first)
    await erase(http, second, "Customer asked")

    one, two = await read(http, 1), await read(http, 2)

    assert (two["number"], two["contact_id"], two["reason"], two["actor"]) == (
        2,
        second["id"],
        "Customer asked",
        "embedded",
    )
    assert {"name", "notes"} <= set(two["fields"])
    assert two["erased_at"] > second["updated_at"]
    assert (one["previous"], two["previous"]) == ("", one["hash"])
    assert one["chain"] == two["chain"] == {"length": 2, "hash": two["hash"], "faults": []}
    assert "secret" not in str(two)


@pytest.mark.parametrize(("number", "status"), [(2, 404), (2**62, 404), (0, 422), ("x", 422), (2**62 + 1, 422)])
async def test_receipt_that_does_not_exist_is_refused(http, create, number, status):
    await erase(http, await create())

    assert (await http.get(f"/v1/directory/receipts/{number}")).status_code == status


@on_file
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE receipts SET reason = 'another' WHERE seq = 2", "receipt 2 was changed"),
        ("DELETE FROM receipts WHERE seq = 2", "receipt 2 is missing"),
        ("UPDATE receipt_chain SET length = 2", "the chain must end with receipt 2 but ends with receipt 3"),
        ("UPDATE receipt_chain SET length = 4", "the chain must end with receipt 4 but ends with receipt 3"),
    ],
)
async def test_receipt_tells_that_the_chain_was_tampered_with(http, create, path, monkeypatch, change, fault):
    """Also across the pages in which receipts are read."""
    monkeypatch.setattr(_receipts, "_PAGE_SIZE", 2)
    for _ in range(3):
        await erase(http, await create())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)

    assert fault in (await read(http, 3))["chain"]["faults"]


async def test_receipt_of_many_pages_is_verified(http, create, monkeypatch):
    monkeypatch.setattr(_receipts, "_PAGE_SIZE", 2)
    for _ in range(5):
        await erase(http, await create())

    assert (await read(http, 5))["chain"]["faults"] == []


async def test_erasure_during_the_verification_is_no_fault(http, create, monkeypatch):
    """The chain is verified up to its end when the verification began: here, before the third erasure."""
    for _ in range(3):
        await erase(http, await create())
    second = (await read(http, 2))["hash"]
    monkeypatch.setattr(store, "receipt_chain_end", lambda _: ChainEnd(2, second))

    assert (await read(http, 2))["chain"] == {"length": 2, "hash": second, "faults": []}
