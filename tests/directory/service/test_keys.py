"""API keys: authentication, scopes, and the limits of request rate and body size."""

import asyncio
import re

import pytest
from starlette.requests import Request

from contacts_mcp.directory import KEY_CACHE_SECONDS, Directory, DirectoryUnavailable
from contacts_mcp.directory.api import _requests
from contacts_mcp.directory.database import now
from contacts_mcp.directory.service._api_keys import ApiKeyMiddleware, KeyCache
from contacts_mcp.directory.store import _keys

CONTACTS = "/v1/contacts"
KEY = re.compile(r"wayscloud_contacts_[a-z0-9]{8}_[A-Za-z0-9]{40}")


@pytest.mark.parametrize("form", ["X-API-Key: {}", "Authorization: Bearer {}", "authorization: bearer  {}"])
async def test_api_key_is_accepted_in_either_header(service, form):
    key, _ = await service.directory.create_key("test")
    name, _, value = form.format(key).partition(": ")
    client = await service.client({name: value})

    assert (await client.get(CONTACTS)).status_code == 200
    assert (await client.post(CONTACTS, json={"name": "Ola"})).status_code == 201


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", [CONTACTS, f"{CONTACTS}/groups", "/v1/directory", "/v1/nothing", "/", "/docs/"])
async def test_request_without_a_key_is_401_for_every_method_and_path(service, method, path):
    answer = await (await service.client()).request(method, path, content=b"{")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="contacts"'
    assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "wayscloud_pat_abc12_YOUR_SECRET"},
        {"X-API-Key": f"wayscloud_contacts_abcdefgh_{'x' * 40}"},
        {"X-API-Key": "{prefix}" + "x" * 40},
        {"X-API-Key": "{key}x"},
        {"X-API-Key": "{key}", "Authorization": "Bearer another"},
        {"Authorization": "{key}"},
        {"Authorization": "Basic {key}"},
        {"Authorization": "Bearer"},
        {"X-API-Key": "é"},
    ],
)
async def test_invalid_api_key_is_401_and_not_repeated(service, headers):
    key, kept = await service.directory.create_key("test")
    prefix = key[: key.index(kept.prefix) + 9]
    sent = {name: value.format(key=key, prefix=prefix).encode("latin-1") for name, value in headers.items()}

    answer = await (await service.client(sent)).get(CONTACTS)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="contacts", error="invalid_token"'
    assert answer.json() == {"detail": "The key is not valid"}


async def test_same_key_in_both_headers_is_accepted(service):
    key, _ = await service.directory.create_key("test")
    client = await service.client({"X-API-Key": key, "Authorization": f"Bearer {key}"})

    assert (await client.get(CONTACTS)).status_code == 200


async def test_revoked_key_stops_working_when_the_cache_expires(service, clock):
    key, kept = await service.directory.create_key("test")
    client = await service.client({"X-API-Key": key})
    assert (await client.get(CONTACTS)).status_code == 200

    await service.directory.revoke_key(kept.prefix)
    clock.now += KEY_CACHE_SECONDS

    assert (await client.get(CONTACTS)).status_code == 401
    clock.now += 1_000
    assert (await client.get(CONTACTS)).status_code == 401


async def test_revoked_key_stops_working_when_keys_are_reloaded(service):
    key, kept = await service.directory.create_key("test")
    client = await service.client({"X-API-Key": key})
    await client.get(CONTACTS)
    await service.directory.revoke_key(kept.prefix)
    assert (await client.get(CONTACTS)).status_code == 200

    service.directory.reload_keys()

    assert (await client.get(CONTACTS)).status_code == 401


async def test_key_created_by_another_process_works_immediately(service, open_directory, location):
    async with open_directory(location):
        key, _ = await service.directory.create_key("test")

    assert (await (await service.client({"X-API-Key": key})).get(CONTACTS)).status_code == 200


async def test_read_key_can_read_and_not_write(service):
    owner, reader = await service.caller(), await service.caller(scopes=["read"])
    made = (await owner.post(CONTACTS, json={"name": "Ola"})).json()["id"]

    assert (await reader.get(f"{CONTACTS}/{made}")).status_code == 200
    refused = [
        await reader.request(method, path, json={"name": "Kari"})
        for method, path in [
            ("POST", CONTACTS),
            ("PATCH", f"{CONTACTS}/{made}"),
            ("DELETE", f"{CONTACTS}/{made}"),
            ("POST", f"{CONTACTS}/{made}/gdpr-delete"),
            ("POST", "/v1/directory/contacts"),
            ("PUT", CONTACTS),
        ]
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert refused[0].json() == {"detail": "This key does not have the scope 'write'"}
    assert (await owner.get(CONTACTS)).json()["total"] == 1


async def test_approver_key_can_read_and_not_write_and_is_told_its_scopes_and_tenant(service):
    approver = await service.caller("acme", scopes=["approve", "read"])

    assert (await approver.get(CONTACTS)).status_code == 200
    assert (await approver.post(CONTACTS, json={"name": "Ola"})).status_code == 403
    described = (await approver.get("/v1/directory")).json()
    assert (described["scopes"], described["tenant"]) == (["read", "approve"], "acme")


async def test_key_cannot_approve_by_default(service):
    _, key = await service.directory.create_key("test")

    assert key.scopes == ("read", "write")


async def test_write_key_can_write_and_not_read(service):
    writer = await service.caller(scopes=["write"])

    assert (await writer.post(CONTACTS, json={"name": "Ola"})).status_code == 201
    assert (await writer.get(CONTACTS)).status_code == 403


async def test_receipt_names_the_key_that_erased_the_contact(service, location, request):
    key, kept = await service.directory.create_key("test")
    client = await service.client({"X-API-Key": key})
    made = (await client.post(CONTACTS, json={"name": "Ola"})).json()["id"]

    await client.post(f"{CONTACTS}/{made}/gdpr-delete", json={"reason": "asked"})

    (actor,) = await service.directory._database.read(lambda c: c.exec_driver_sql("SELECT actor FROM receipts").one())
    assert actor == f"key {kept.prefix}"


async def last_use(service):
    """The last use of the only key, once the running writes are done."""
    while writes := _uses(service)._writes:
        await asyncio.wait(writes)
    (key,) = await service.directory.list_keys()
    return key.last_used_at


def _uses(service):
    layer = service.directory.app.middleware_stack
    while not isinstance(layer, ApiKeyMiddleware):
        layer = getattr(layer, "app", None) or layer._app
    return layer._uses


async def test_last_use_of_a_key_is_stored_by_its_first_request(service):
    client = await service.caller()
    before = now()
    assert (await service.directory.list_keys())[0].last_used_at is None

    await client.get(CONTACTS)

    assert before <= await last_use(service) <= now()


async def test_last_use_is_stored_at_most_once_a_minute(service, clock, monkeypatch):
    client = await service.caller()
    await client.get(CONTACTS)
    first = await last_use(service)

    for _ in range(5):
        clock.now += 20
        await client.get(CONTACTS)
    assert await last_use(service) == first, "another process may have stored it, so the stored time decides"

    monkeypatch.setattr(_keys, "_use_limit", now)
    writes = []
    monkeypatch.setattr("contacts_mcp.directory.service._api_keys.record_use", lambda *_: writes.append(1))
    for _ in range(30):
        clock.now += 5
        await client.get(CONTACTS)
    await last_use(service)
    assert len(writes) == 3


async def test_request_neither_waits_for_the_last_use_nor_fails_with_it(service, monkeypatch):
    stored = asyncio.Event()

    async def fail(*_):
        await stored.wait()
        raise DirectoryUnavailable("The disk is full.")

    client = await service.caller()
    monkeypatch.setattr(service.directory._database, "write", fail)

    assert (await client.get(CONTACTS)).status_code == 200
    stored.set()
    assert await last_use(service) is None


async def test_refused_key_has_no_use(service):
    key, _ = await service.directory.create_key("test")
    client = await service.client({"X-API-Key": f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}"})

    assert (await client.get(CONTACTS)).status_code == 401

    assert await last_use(service) is None


async def test_only_the_prefix_and_the_hash_of_a_key_are_stored(path):
    async with Directory(path, keys=True) as directory:
        key, kept = await directory.create_key("a name")

    assert KEY.fullmatch(key)
    assert kept.prefix.encode() in path.read_bytes()
    assert key[-40:].encode() not in path.read_bytes()


async def test_keys_are_listed_in_order_of_creation(service):
    for number in range(3):
        await service.directory.create_key(f"key {number}", f"tenant {number % 2}", ["read"])

    keys = await service.directory.list_keys()

    assert [(key.name, key.tenant_name, key.scopes) for key in keys] == [
        ("key 0", "tenant 0", ("read",)),
        ("key 1", "tenant 1", ("read",)),
        ("key 2", "tenant 0", ("read",)),
    ]
    assert keys[0].tenant == keys[2].tenant != keys[1].tenant


async def test_owner_with_a_key_and_embedded_owner_share_contacts(service, open_directory, location):
    owner = await service.caller()
    made = (await owner.post(CONTACTS, json={"name": "Ola"})).json()

    async with open_directory(location) as embedded:
        assert (await embedded.get(f"{CONTACTS}/{made['id']}")).json() == made


@pytest.mark.parametrize(
    ("name", "tenant", "scopes"),
    [
        ("", "owner", ["read"]),
        ("a\nb", "owner", ["read"]),
        ("a", " ", ["read"]),
        ("a", "x" * 256, ["read"]),
        ("a", "b", []),
        ("a", "b", ["admin"]),
        ("a", "b", ["approve"]),
        ("a", "b", ["approve", "write"]),
    ],
)
async def test_key_with_invalid_name_tenant_or_scopes_is_refused(service, name, tenant, scopes):
    with pytest.raises(ValueError):
        await service.directory.create_key(name, tenant, scopes)

    assert await service.directory.list_keys() == []


async def test_key_cache_is_bounded(service, clock, monkeypatch):
    monkeypatch.setattr("contacts_mcp.directory.service._api_keys._MAX_CACHED_KEYS", 5)
    cache = KeyCache(service.directory._database, clock)

    for number in range(20):
        assert await cache.find(f"wayscloud_contacts_{number:08}_{'x' * 40}") is None

    assert len(cache._cached) == 5


async def test_request_that_skipped_the_api_key_middleware_has_no_tenant(service):
    """Nothing falls back to the owner."""
    request = Request({"type": "http", "app": service.directory.app})

    with pytest.raises(KeyError):
        await _requests.current_tenant(request)


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


@pytest.mark.slow
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
