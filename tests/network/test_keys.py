"""Malformed and wrong API keys: whose access they give, and the cost of a flood of wrong ones."""

import asyncio
import time

import pytest
from starlette.requests import HTTPConnection

from contacts_mcp import contract
from contacts_mcp.client import ClientPool, ContactsClient, Credential
from contacts_mcp.middleware import Refusal
from contacts_mcp.transports.http.access import ApiKeyAccess
from network.servers import api_here, key_of, mark_of, quick_folder, server_of_tenants
from support.raw_hosts import HttpConnection, ModernConnection, key, raw_call

OLA, KARI = key_of(mark_of(1)), key_of(mark_of(2))
FLOOD, AGAIN = 500, 50


TAKEN = {
    "odd case": f"x-aPi-KEY: {OLA}",
    "blanks around": f"X-API-Key: \t {OLA} \t",
    "a bearer": f"Authorization: Bearer {OLA}",
    "a bearer in odd case": f"AUTHORIZATION: bEaReR   {OLA}",
    "both headers": f"X-API-Key: {OLA}\r\nAuthorization: Bearer {OLA}",
    "twice": f"X-API-Key: {OLA}\r\nX-API-Key: {OLA}",
    "beside an empty one": f"X-API-Key:\r\nAuthorization: Bearer {OLA}",
    "beside a password": f"X-API-Key: {OLA}\r\nAuthorization: Basic a2FyaTprYXJp",
    "beside another name": f"X-API-Key: {OLA}\r\nX_API_Key: {KARI}\r\nX-API-Key-2: {KARI}\r\nApiKey: {KARI}",
}
REFUSED = {
    "two keys": f"X-API-Key: {OLA}\r\nX-API-Key: {KARI}",
    "two keys in two headers": f"X-API-Key: {OLA}\r\nAuthorization: Bearer {KARI}",
    "two bearers": f"Authorization: Bearer {KARI}\r\nAuthorization: Bearer {OLA}",
    "two keys in one header": f"X-API-Key: {OLA}, {KARI}",
    "two keys without a blank": f"X-API-Key: {OLA},{KARI}",
    "two bearers in one header": f"Authorization: Bearer {OLA}, Bearer {KARI}",
    "small letters": f"X-API-Key: {OLA.lower()}",
    "a folded line": f"X-API-Key: {OLA}\r\n {KARI}",
    "a quoted newline": f"X-API-Key: {OLA}%0a",
    "a cut key": f"X-API-Key: {OLA[:-1]}",
    "a longer key": f"X-API-Key: {OLA}A",
    "a letter outside ASCII": f"X-API-Key: {OLA}é",
    "a placeholder": "X-API-Key: ${WAYSCLOUD_API_KEY}",
    "a password": "Authorization: Basic a2FyaTprYXJp",
    "another name": f"X_API_Key: {OLA}",
    "nothing": "X-API-Key:",
    "a bearer of nothing": "Authorization: Bearer",
}
BROKEN = {
    "a blank before the colon": f"X-API-Key : {OLA}",
    "a lone line feed": f"X-API-Key: {OLA}\nX-API-Key: {KARI}",
    "a carriage return": f"X-API-Key: {OLA}\rX-API-Key: {KARI}",
    "a zero byte": f"X-API-Key: {OLA}\0",
}


async def test_key_gives_access_only_to_its_owner():
    """Headers in every spelling: only the exact key works."""
    async with server_of_tenants() as (api, port):
        for secret, name in ((OLA, "Ola"), (KARI, "Kari")):
            async with ModernConnection(port, key(secret)) as caller:
                await caller.call("create_contact", name=name)
        asked_before = len(api.asked)

        taken = {case: await listed(port, header) for case, header in TAKEN.items()}
        refused = {case: await listed(port, header) for case, header in REFUSED.items()}
        broken = {case: await listed(port, header) for case, header in BROKEN.items()}
        asked = [line for line in api.asked[asked_before:] if line["status"] == 200]

    assert {case: names_in(answer) for case, answer in taken.items()} == dict.fromkeys(TAKEN, frozenset({"Ola"}))
    assert {case: answer.status for case, answer in refused.items()} == dict.fromkeys(REFUSED, 401)
    assert all(answer.line.startswith("unauthorized: ") for answer in refused.values())
    assert all("Bearer" in answer.headers["www-authenticate"] for answer in refused.values())
    for case, answer in broken.items():
        assert answer.status in (400, 401), case
    for answer in [*refused.values(), *broken.values()]:
        assert not names_in(answer)
        assert "wayscloud_pat_" not in answer.head + answer.body
    assert len(asked) == len(TAKEN), "a refused key came to reading"


async def listed(port, header):
    """The answer to a call that lists contacts, with these headers."""
    async with HttpConnection(port) as wire:
        return await wire.send(raw_call("list_contacts", header))


def names_in(answer):
    return frozenset(name for name in ("Ola", "Kari") if name in answer.body)


def bringing(secret):
    return HTTPConnection({"type": "http", "headers": [(b"x-api-key", secret.encode())]})


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (contract.AuthenticationFailed("no"), 401),
        (contract.RateLimited("no", retry_after=7), 429),
        (contract.ServerFault("no", status=500), 503),
        (contract.ValidationFailed("no"), 503),
        (contract.NotFound("no"), 503),
        (contract.UnreadableAnswer("no"), 503),
    ],
)
async def test_key_is_accepted_only_if_the_service_confirms_it(said, status):
    """An answer that says nothing about the key, such as a 404, neither admits the caller nor is cached."""
    answers = [said, None]

    async def check(_credential):
        if answer := answers.pop(0):
            raise answer

    access = ApiKeyAccess(check)
    with pytest.raises(Refusal) as refusal:
        await access.authenticate(bringing(OLA))

    assert refusal.value.status == status
    if status != 401:
        assert (await access.authenticate(bringing(OLA))).principal.startswith("key:")


async def test_key_without_the_right_to_list_contacts_is_accepted():
    """Permissions are checked at each call."""

    async def check(_credential):
        raise contract.PermissionDenied("no")

    assert OLA not in (await ApiKeyAccess(check).authenticate(bringing(OLA))).principal


@pytest.mark.slow
async def test_flood_of_wrong_keys_blocks_no_caller_and_checks_each_once():
    """Known callers continue, new callers get in soon, wrong keys never do."""
    async with (
        server_of_tenants() as (api, port),
        ModernConnection(port, key(OLA)) as known,
        ModernConnection(port, key(KARI)) as newcomer,
    ):
        await known.call("list_contacts")
        wrong = [f"wrong-{number}-{OLA}" for number in range(FLOOD)]
        flood = [asyncio.create_task(tried(port, secret)) for secret in wrong + wrong[:AGAIN]]
        calls = [await known.call("list_contacts") for _ in range(20)]
        limit = time.monotonic() + 30
        while (refused := await newcomer.call("list_contacts")).status == 429:
            assert time.monotonic() < limit, refused.body
        answers = await asyncio.gather(*flood)
        asked_about = sum(line["status"] == 401 for line in api.asked)

    assert [answer.content["total"] for answer in [*calls, refused]] == [0] * 21
    assert {status for _, status in answers} <= {401, 429, 503}
    assert asked_about == len({secret for secret, status in answers if status == 401})


async def tried(port, secret):
    async with ModernConnection(port, key(secret)) as caller:
        return secret, (await caller.call("list_contacts")).status


@pytest.mark.slow
async def test_cache_of_wrong_keys_is_bounded():
    async def check(_credential):
        raise contract.AuthenticationFailed("no")

    access = ApiKeyAccess(check, clock=lambda: 0.0)
    for number in range(10_100):
        with pytest.raises(Refusal):
            await access.authenticate(bringing(f"wrong-{number}"))

    assert len(access._bad) == 10_000
    assert not access._locks


async def test_full_client_pool_keeps_callers_apart():
    """A client in use is never closed. A caller that finds the pool full is asked to retry."""
    with quick_folder() as folder:
        async with api_here(folder) as api:
            pool = ClientPool(
                lambda credential: ContactsClient(credential=credential, base_url=api.address), max_clients=2
            )

            async def work(number):
                credential, mine, crowded = Credential.key(key_of(mark_of(number)), "test"), 0, 0
                while mine < 3:
                    try:
                        async with pool.lease(credential) as client:
                            created = await client.send(contract.CreateContact(name=f"{mine} of {mark_of(number)}"))
                        async with pool.lease(credential) as client:
                            page = await client.send(contract.ListContacts())
                    except contract.RateLimited:
                        crowded += 1
                        await asyncio.sleep(0.005)
                        continue
                    mine = len(page.contacts)
                    assert created.id in {contact.id for contact in page.contacts}
                    assert {contact.name.split()[-1] for contact in page.contacts} == {mark_of(number)}
                    assert len(pool) <= 2
                return crowded

            crowded = await asyncio.gather(*(work(number) for number in range(6)))
            await pool.aclose()

    assert sum(crowded) > 0
