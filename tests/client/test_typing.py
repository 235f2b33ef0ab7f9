"""The types that a type checker infers for answers; checked by `.ci/run`, and here at run time."""

from typing import assert_type

import httpx

from contacts_mcp.client import ContactsClient, SyncContactsClient
from contacts_mcp.contract import Added, AddGroupMembers, Contact, DeleteContact, GetContact, ListContactGroups
from contacts_mcp.contract.models import GroupList

ID = "a1b2c3d4-5678-9abc-def0-123456789abc"


async def answers(client: ContactsClient) -> None:
    assert_type(await client.send(GetContact(contact_id=ID)), Contact)
    assert_type(await client.send(ListContactGroups()), GroupList)
    assert_type(await client.send(AddGroupMembers(group_id=ID, contact_ids=[ID])), Added)
    assert_type(await client.send(DeleteContact(contact_id=ID)), None)
    assert_type(await client.list_all(), list[Contact])


def sync_answers(client: SyncContactsClient) -> None:
    assert_type(client.send(GetContact(contact_id=ID)), Contact)
    assert_type(client.send(DeleteContact(contact_id=ID)), None)
    assert_type(next(client.iterate()), Contact)
    assert_type(client.list_all(), list[Contact])
    assert_type(SyncContactsClient(timeout=60, max_retries=5), SyncContactsClient)


async def test_answers_have_the_inferred_types() -> None:
    body = {"id": ID, "groups": [], "added": 1, "contacts": [{"id": ID}]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))

    async with ContactsClient(base_url="http://service", transport=transport) as client:
        await answers(client)
        sync_answers(SyncContactsClient(base_url="http://service", transport=transport))
        assert isinstance(await client.send(GetContact(contact_id=ID)), Contact)
