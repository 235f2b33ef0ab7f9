"""`Idempotency-Key`: a repeated request creates nothing more, with and without API keys."""

import asyncio

import pytest
from sqlalchemy import update

from contacts_mcp.directory import Directory
from contacts_mcp.directory.database import idempotency_keys
from contacts_mcp.directory.store import _idempotency

KINDS = {
    "contact": ("/v1/contacts", {"name": "Ola", "email": "ola@example.com"}),
    "group": ("/v1/contacts/groups", {"name": "VIP", "description": "Ours"}),
}


@pytest.fixture(params=KINDS)
def kind(request):
    """The path and the body of a request that creates a record."""
    return KINDS[request.param]


@pytest.fixture
async def send(http, kind):
    """Create a record with an idempotency key."""

    async def send(key="key", **changes):
        path, body = kind
        return await http.post(path, json={**body, **changes}, headers={"Idempotency-Key": key})

    return send


async def count(http, path):
    answer = (await http.get(path)).json()
    return len(answer["groups"] if "groups" in answer else answer["contacts"])


async def test_repeated_request_returns_the_created_record(http, kind, send):
    first, again = await send(), await send()

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await count(http, kind[0]) == 1


async def test_repeated_request_returns_the_record_in_its_current_state(http, kind, send):
    made = (await send()).json()
    await http.patch(f"{kind[0]}/{made['id']}", json={"name": "New"})

    again = await send()

    assert again.status_code == 201
    assert again.json()["name"] == "New"


async def test_body_with_the_same_normalized_values_counts_as_a_repeat(http, kind, send):
    await send()

    assert (await send(name=f"  {kind[1]['name']} ", unknown=1)).headers["Idempotency-Replayed"] == "true"
    assert await count(http, kind[0]) == 1


async def test_same_key_with_another_body_is_409_and_creates_nothing(http, kind, send):
    await send()

    answer = await send(name="SECRET")

    assert answer.status_code == 409
    assert list(answer.json()) == ["detail"]
    assert "SECRET" not in answer.text
    assert await count(http, kind[0]) == 1


async def test_contact_and_group_with_the_same_key_conflict(http):
    headers = {"Idempotency-Key": "key"}
    await http.post("/v1/contacts", json={"name": "Ola"}, headers=headers)

    assert (await http.post("/v1/contacts/groups", json={"name": "Ola"}, headers=headers)).status_code == 409


async def test_another_key_creates_another_record(http, kind, send):
    await send("one")
    await send("two")

    assert await count(http, kind[0]) == 2


async def test_repeated_request_for_a_deleted_record_is_404_and_creates_nothing(http, kind, send):
    made = (await send()).json()
    await http.delete(f"{kind[0]}/{made['id']}")

    assert (await send()).status_code == 404
    assert await count(http, kind[0]) == 0


async def test_erasure_forgets_the_idempotency_key(http, location):
    headers = {"Idempotency-Key": "key"}
    made = (await http.post("/v1/contacts", json={"name": "Ola"}, headers=headers)).json()
    await http.post(f"/v1/contacts/{made['id']}/gdpr-delete", json={"reason": "asked"})

    async with Directory(location) as directory:
        assert await directory._database.read(lambda c: c.execute(idempotency_keys.select()).all()) == []


async def test_refused_request_does_not_use_up_the_key(http, kind, send):
    assert (await send(name="")).status_code == 422

    assert (await send()).status_code == 201


async def test_failed_request_does_not_use_up_the_key(http, kind, send, monkeypatch):
    def fail(*_):
        raise RuntimeError

    with monkeypatch.context() as broken:
        make_id = "_groups.uuid4" if "groups" in kind[0] else "_contacts._new_ids"
        broken.setattr(f"contacts_mcp.directory.store.{make_id}", fail)
        assert (await send()).status_code == 500

    answer = await send()
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers


async def test_key_can_be_used_again_after_a_day(http, kind, send, location):
    await send()
    async with Directory(location) as directory:
        await directory._database.write(
            lambda c: c.execute(update(idempotency_keys).values(expires=idempotency_keys.c.expires - 86_400))
        )

        answer = await send(name="Another")

        assert answer.status_code == 201
        kept = await directory._database.read(lambda c: c.execute(idempotency_keys.select()).all())
        assert [row.record_id for row in kept] == [answer.json()["id"]]
    assert _idempotency.KEY_TTL_SECONDS == 86_400


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\tb"])
async def test_invalid_key_is_422(http, kind, key):
    answer = await http.post(kind[0], json=kind[1], headers={"Idempotency-Key": key.encode("latin-1")})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "idempotency-key"]
    assert await count(http, kind[0]) == 0


async def test_key_of_255_characters_is_accepted(send):
    assert (await send("~" * 255)).status_code == 201


async def test_stored_keys_reveal_nothing_about_the_record(http, kind, send, location):
    await send("a-telling-key")

    async with Directory(location) as directory:
        (row,) = await directory._database.read(lambda c: c.execute(idempotency_keys.select()).all())
    assert not any(said in str(row) for said in ("telling", *kind[1].values()))


async def test_concurrent_repeats_create_one_record(http, kind, send, open_directory, location):
    """Two directories are like two processes for the database."""
    path, body = kind
    async with open_directory(location) as other:
        headers = {"Idempotency-Key": "key"}
        asked = [(http, other)[n % 2].post(path, json=body, headers=headers) for n in range(16)]
        answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert await count(http, path) == 1


async def test_concurrent_requests_with_other_bodies_create_one_record_and_are_409(http, kind, send):
    answers = await asyncio.gather(*(send(name=f"Name {n}") for n in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert await count(http, kind[0]) == 1


async def test_idempotency_keys_work_in_the_served_directory(service, kind):
    caller = await service.caller(**{"Idempotency-Key": "key"})

    first, again = [await caller.post(kind[0], json=kind[1]) for _ in range(2)]

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
