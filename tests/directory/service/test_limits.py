"""The limits of the service: the request rate of a key, and the size of a body."""

import pytest

CONTACTS = "/v1/contacts"


async def statuses(client, times):
    return [(await client.get(CONTACTS)).status_code for _ in range(times)]


async def test_request_above_the_rate_limit_is_429_with_retry_after(open_service, path, clock):
    client = await (await open_service(path, rate=6)).caller()
    assert await statuses(client, 10) == [200] * 10

    answer = await client.get(CONTACTS)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "10"
    assert answer.json() == {"detail": "This key may make 6 requests a minute"}


async def test_request_after_the_retry_after_time_is_accepted(open_service, path, clock):
    client = await (await open_service(path, rate=7)).caller()
    for _ in range(60):
        if (answer := await client.get(CONTACTS)).status_code == 429:
            assert int(answer.headers["Retry-After"]) >= 1
            clock.now += int(answer.headers["Retry-After"])
            assert (await client.get(CONTACTS)).status_code == 200


async def test_allowance_refills_with_time(open_service, path, clock):
    client = await (await open_service(path, rate=120)).caller()

    assert await statuses(client, 21) == [200] * 20 + [429]
    clock.now += 1
    assert await statuses(client, 3) == [200, 200, 429]
    clock.now += 3_600
    assert await statuses(client, 21) == [200] * 20 + [429]


async def test_rate_limit_of_one_key_does_not_affect_another_key_of_its_tenant(open_service, path):
    service = await open_service(path, rate=6)
    busy, other = await service.caller(), await service.caller()
    await statuses(busy, 11)

    assert (await other.get(CONTACTS)).status_code == 200


async def test_refused_requests_count_against_the_limit(open_service, path):
    client = await (await open_service(path, rate=6)).caller(scopes=["read"])

    refused = [(await client.post(CONTACTS, json={"name": "Ola"})).status_code for _ in range(11)]

    assert refused == [403] * 10 + [429]


async def test_rate_zero_means_no_limit(open_service, path):
    client = await (await open_service(path, rate=0)).caller()

    assert set(await statuses(client, 300)) == {200}


@pytest.mark.parametrize("page", ["/healthz", "/docs", "/openapi.json"])
async def test_open_pages_do_not_count_against_the_limit(open_service, path, page):
    client = await (await open_service(path, rate=6)).caller()

    assert {(await client.get(page)).status_code for _ in range(12)} == {200}


async def test_body_over_one_mebibyte_is_413(open_service, path):
    client = await (await open_service(path)).caller()

    answer = await client.post(CONTACTS, json={"name": "a", "unknown": "x" * 1024 * 1024})

    assert answer.status_code == 413
    assert "1 MiB" in answer.json()["detail"]
    assert (await client.get(CONTACTS)).json()["total"] == 0


async def test_batch_body_may_be_larger_than_other_bodies(open_service, path):
    """A thousand long notes are accepted in a batch only."""
    client = await (await open_service(path)).caller()
    creates = [{"name": f"Person {n}", "notes": "x" * 9_000} for n in range(1_000)]

    batch = await client.post("/v1/directory/contacts", json={"creates": creates})
    single = await client.post(CONTACTS, json={"name": "x", "notes": "x" * 2_000_000})

    assert {each["status"] for each in batch.json()["results"]} == {201}
    assert single.status_code == 413
