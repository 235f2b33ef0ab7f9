"""Isolation of tenants: every endpoint and extension with ids of another tenant."""

import asyncio

import pytest

from contacts_mcp.directory.service._openapi import openapi_document

FOREIGN = [
    ("GET", "/v1/contacts/{contact}", None),
    ("PATCH", "/v1/contacts/{contact}", {"name": "Taken"}),
    ("DELETE", "/v1/contacts/{contact}", None),
    ("POST", "/v1/contacts/{contact}/gdpr-delete", {"reason": "not mine"}),
    ("GET", "/v1/contacts/groups/{group}", None),
    ("PATCH", "/v1/contacts/groups/{group}", {"name": "Taken"}),
    ("DELETE", "/v1/contacts/groups/{group}", None),
    ("GET", "/v1/contacts/groups/{group}/members", None),
    ("POST", "/v1/contacts/groups/{group}/members", {"contact_ids": ["{contact}"]}),
    ("DELETE", "/v1/contacts/groups/{group}/members/{contact}", None),
    ("GET", "/v1/directory/contacts?fields=id&group_id={group}", None),
]


class Owner:
    """A caller with a contact in a group."""

    def __init__(self, client):
        self.client = client

    async def begin(self):
        self.contact = (await self.client.post("/v1/contacts", json={"name": "Ola", "tags": ["vip"]})).json()
        self.group = (await self.client.post("/v1/contacts/groups", json={"name": "VIP"})).json()
        members = f"/v1/contacts/groups/{self.group['id']}/members"
        await self.client.post(members, json={"contact_ids": [self.contact["id"]]})
        return self

    async def everything(self):
        """Everything that this caller can read."""
        paths = (
            f"/v1/contacts/{self.contact['id']}",
            "/v1/contacts",
            "/v1/contacts/groups",
            f"/v1/contacts/groups/{self.group['id']}/members",
            "/v1/directory/contacts?fields=id&fields=name",
        )
        return [(await self.client.get(path)).json() for path in paths]


@pytest.fixture
async def ola(service):
    return await Owner(await service.caller("ola")).begin()


@pytest.fixture
async def kari(service):
    return await Owner(await service.caller("kari")).begin()


def test_every_endpoint_has_a_case():
    tried = {f"{method} {path.partition('?')[0]}" for method, path, _ in FOREIGN}
    named = {http.replace("{contact}", "{contact_id}").replace("{group}", "{group_id}") for http in tried}
    elsewhere = {  # tested below: they name no id, or name it in their bodies
        "GET /v1/contacts",
        "POST /v1/contacts",
        "GET /v1/contacts/groups",
        "POST /v1/contacts/groups",
        "GET /v1/directory",
        "POST /v1/directory/contacts",
    }

    paths = openapi_document()["paths"]
    assert named | elsewhere == {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert len(named | elsewhere) == 17


async def test_ids_of_another_tenant_are_404_and_its_records_do_not_change(ola, kari):
    before = await ola.everything()
    ids = {"contact": ola.contact["id"], "group": ola.group["id"]}
    for method, path, body in FOREIGN:
        sent = {"contact_ids": [ids["contact"]]} if body and "contact_ids" in body else body
        answer = await kari.client.request(method, path.format(**ids), json=sent)

        assert answer.status_code == 404, (method, path, answer.text)
        assert "Ola" not in answer.text

    assert await ola.everything() == before


async def test_lists_searches_scans_and_counts_contain_only_own_records(ola, kari):
    for caller, other in ((ola, kari), (kari, ola)):
        listed = [
            (await caller.client.get(path)).text
            for path in (
                "/v1/contacts",
                "/v1/contacts?search=ola",
                "/v1/contacts?tags=vip",
                "/v1/contacts?type=person",
                "/v1/contacts/groups",
                "/v1/directory/contacts?fields=id",
                "/v1/directory/contacts?fields=id&search=ola",
            )
        ]
        assert all((caller.contact["id"] in text or caller.group["id"] in text) for text in listed)
        assert not any(other.contact["id"] in text or other.group["id"] in text for text in listed)
        assert (await caller.client.get("/v1/contacts")).json()["total"] == 1


async def test_batch_does_not_change_contacts_of_another_tenant(ola, kari):
    before = await ola.everything()
    update = {"id": ola.contact["id"], "name": "Taken"}

    answer = await kari.client.post("/v1/directory/contacts", json={"creates": [{"name": "Per"}], "updates": [update]})

    assert [result["status"] for result in answer.json()["results"]] == [201, 404]
    assert await ola.everything() == before


async def test_contact_of_another_tenant_cannot_join_or_leave_a_group(ola, kari):
    members = f"/v1/contacts/groups/{kari.group['id']}/members"

    added = await kari.client.post(members, json={"contact_ids": [ola.contact["id"]]})
    removed = await kari.client.delete(f"{members}/{ola.contact['id']}")

    assert added.json() == {"added": 0}
    assert removed.status_code == 404
    assert ola.contact["id"] not in (await kari.client.get(members)).text


async def test_idempotency_keys_of_two_tenants_are_independent(ola, kari):
    headers = {"Idempotency-Key": "same"}

    first, second = [
        await caller.client.post("/v1/contacts", json={"name": "Per"}, headers=headers) for caller in (ola, kari)
    ]

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert "Idempotency-Replayed" not in second.headers


async def test_two_keys_of_one_tenant_share_its_contacts(service):
    first, second = await service.caller("ola"), await service.caller("ola")
    made = (await first.post("/v1/contacts", json={"name": "Ola"})).json()

    assert (await second.get(f"/v1/contacts/{made['id']}")).json() == made


async def test_concurrently_created_keys_share_one_new_tenant(service):
    made = await asyncio.gather(*(service.directory.create_key("test", f"tenant {n % 2}") for n in range(8)))

    assert len({key.tenant for _, key in made}) == 2
    assert len({text for text, _ in made}) == 8
