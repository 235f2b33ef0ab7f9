"""An operator's erasure of contacts of several tenants is one transaction."""

import pytest

from contacts_mcp.directory import Directory, store
from contacts_mcp.directory._errors import Conflict, DirectoryNotFound, PersonalReason
from contacts_mcp.directory.database import OWNER

FIELDS = {"type": "person", "company_name": None, "phone_number": None, "email": None, "tags": [], "notes": None}


@pytest.fixture
async def directory(location):
    async with Directory(location) as opened:
        yield opened
        assert await opened.maintenance.check() == []


@pytest.fixture
async def both(directory):
    """The ids of a contact of the owner and of one of another tenant."""
    await directory.create_key("app", "other")
    other = await directory._database.read(store.find_tenant, "other")
    made = [
        await directory._database.write(store.create_contact, tenant, {**FIELDS, "name": name})
        for tenant, name in ((OWNER, "Ola Nordmann"), (other, "Kari Olsen"))
    ]
    return [row["id"] for row in made]


async def statuses(directory, ids):
    return [each.record.status for each in await directory.maintenance.read_contacts(ids)]


async def test_refused_erasure_of_one_tenant_keeps_the_contacts_of_the_other(directory, both):
    with pytest.raises(PersonalReason):
        await directory.maintenance.erase_contacts(both, "asked by Kari Olsen")

    assert await statuses(directory, both) == ["live", "live"]
    assert await directory.maintenance.list_receipts() == []


async def test_erasure_with_an_unknown_id_erases_nothing(directory, both):
    with pytest.raises(DirectoryNotFound):
        await directory.maintenance.erase_contacts([*both, "11111111-1111-4111-8111-111111111111"], "asked")

    assert await statuses(directory, both) == ["live", "live"]


async def test_record_that_was_merged_after_the_question_is_not_erased_unseen(directory, both):
    merged = await directory._database.write(store.create_contact, OWNER, {**FIELDS, "name": "O. N."})
    await directory._database.write(store.merge_contacts, OWNER, both[0], [merged["id"]])

    with pytest.raises(Conflict):
        await directory.maintenance.erase_contacts(both, "asked")
    assert await statuses(directory, both) == ["live", "live"]

    receipts = await directory.maintenance.erase_contacts([*both, merged["id"]], "asked")
    assert [receipt.number for receipt in receipts] == [1, 2, 3]
    assert await statuses(directory, both) == ["erased", "erased"]


async def test_app_of_an_unknown_tenant_is_an_error(directory):
    with pytest.raises(DirectoryNotFound, match="Tenant not found"):
        await directory.app_of("nobody")
