"""Isolation of tenants: every endpoint and extension with ids of another tenant."""

import asyncio

import pytest

from endpoint_cases import CASES, CONTACTS, EXTENSIONS, GROUPS

ALL = (*CASES, *EXTENSIONS)


class Owner:
    """A caller with a contact in a group."""

    def __init__(self, client):
        self.client = client

    async def begin(self):
        self.contact = (await self.client.post("/v1/contacts", json={"name": "Ola", "tags": ["vip"]})).json()
        self.group = (await self.client.post("/v1/contacts/groups", json={"name": "VIP"})).json()
        members = f"/v1/contacts/groups/{self.group['id']}/members"
        await self.client.post(members, json={"contact_ids": [self.contact["id"]]})
        self.ids = {**dict.fromkeys(CONTACTS, self.contact["id"]), **dict.fromkeys(GROUPS, self.group["id"])}
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


@pytest.mark.parametrize("case", [case for case in ALL if case.names_records], ids=str)
async def test_ids_of_another_tenant_are_404_and_its_records_do_not_change(ola, kari, case):
    before = await ola.everything()
    method, target, body = case.sent(ola.ids)

    answer = await kari.client.request(method, target, json=body)

    assert answer.status_code == 404, answer.text
    assert "Ola" not in answer.text
    assert await ola.everything() == before


@pytest.mark.parametrize("case", [case for case in ALL if not case.names_records], ids=str)
async def test_call_without_an_id_shows_and_changes_no_record_of_another_tenant(ola, kari, case):
    before = await ola.everything()
    method, target, body = case.sent(ola.ids)

    answer = await kari.client.request(method, target, json=body)

    assert answer.is_success, answer.text
    assert not any(record_id in answer.text for record_id in ola.ids.values())
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


async def test_merge_restore_and_list_of_deleted_contacts_reach_no_other_tenant(ola, kari):
    person = f"/v1/directory/persons/{kari.contact['id']}"
    before = await ola.everything()

    merged = await kari.client.post(f"{person}/merge", json={"merge_ids": [ola.contact["id"]]})
    erased = await kari.client.post(f"{person}/erase", json={"also_erase": [ola.contact["id"]], "reason": "not mine"})

    assert merged.json() == {"merged": []}
    assert erased.status_code == 404
    assert await ola.everything() == before
    await ola.client.delete(f"/v1/contacts/{ola.contact['id']}")
    assert (await kari.client.get("/v1/directory/deleted")).json() == {"contacts": [], "next": None}
    restored = await kari.client.post(f"/v1/directory/persons/{ola.contact['id']}/restore")
    assert restored.status_code == 404
    assert len((await ola.client.get("/v1/directory/deleted")).json()["contacts"]) == 1


async def test_receipt_is_shown_only_to_the_tenant_of_the_erased_contact(ola, kari):
    for owner in (ola, kari):
        await owner.client.post(f"/v1/contacts/{owner.contact['id']}/gdpr-delete", json={"reason": "Article 17"})

    own, other = [await kari.client.get(f"/v1/directory/receipts/{number}") for number in (2, 1)]

    assert own.json()["contact_id"] == kari.contact["id"]
    assert own.json()["chain"]["length"] == 2
    assert own.json()["chain"]["faults"] == []
    assert other.status_code == 404
    assert ola.contact["id"] not in other.text


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
