"""Records that were merged into a contact: an erasure reaches all of them, and a restored one is separate again."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from contacts_mcp.directory import ContactErased, Directory, store
from contacts_mcp.directory._errors import Conflict, DirectoryNotFound, PersonalReason
from contacts_mcp.directory.database import OWNER
from contacts_mcp.directory.maintenance import check

on_file = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


@pytest.fixture
async def directory(location):
    async with Directory(location) as opened:
        yield opened
        assert await opened.maintenance.check() == []


@pytest.fixture
def write(directory):
    """Run a function of the store as a writer of the owner."""

    async def write(work, *args, **kwargs):
        return await directory._database.erase(work, OWNER, *args, **kwargs)

    return write


@pytest.fixture
def read(directory):
    async def read(contact_id):
        return await directory._database.read(store.read_person, OWNER, contact_id)

    return read


@pytest.fixture
def make(write):
    async def make(name="Ola Nordmann", **fields):
        empty = {"type": "person", "company_name": None, "phone_number": None, "email": None, "tags": [], "notes": None}
        return (await write(store.create_contact, {**empty, "name": name, **fields}))["id"]

    return make


async def test_merged_contact_is_deleted_and_linked_to_the_kept_one(make, write, read):
    keep, other, deleted = await make(), await make(), await make()
    group = await write(store.create_group, {"name": "VIP", "description": None})
    await write(store.add_members, group["id"], [keep, other])
    await write(store.delete_contact, deleted)

    assert await write(store.merge_contacts, keep, [other, deleted]) == [other, deleted]

    person = await read(keep)
    assert (person.status, person.row["name"], person.group_ids) == ("live", "Ola Nordmann", [group["id"]])
    assert sorted(each.row["id"] for each in person.merged) == sorted([other, deleted])
    assert {each.status for each in person.merged} == {"deleted"}
    assert (await read(other)).row["merged_into"] == keep
    assert (await read(other)).group_ids == []


async def test_contact_is_merged_only_into_a_live_one_and_only_once(make, write, read):
    keep, other, third, erased = await make(), await make(), await make(), await make()
    await write(store.merge_contacts, keep, [other])
    await write(store.erase_contacts, [erased], "asked", "test")

    assert await write(store.merge_contacts, third, [other, erased, third]) == []
    assert await write(store.merge_contacts, keep, [other]) == [other]
    for gone in (other, "11111111-1111-4111-8111-111111111111"):
        with pytest.raises(DirectoryNotFound):
            await write(store.merge_contacts, gone, [third])
    assert (await read(other)).row["merged_into"] == keep


async def test_erasure_reaches_every_record_that_was_merged_into_the_contact(make, write, read, directory):
    """Through two merges, and also if the contact is deleted by then."""
    first, second, third, stranger = await make(), await make(), await make(), await make()
    await write(store.merge_contacts, second, [first])
    await write(store.merge_contacts, third, [second])
    await write(store.delete_contact, third)

    receipts = await write(store.erase_contacts, [third], "Article 17", "test")

    assert {receipt.contact_id for receipt in receipts} == {first, second, third}
    assert [receipt.number for receipt in receipts] == [1, 2, 3]
    assert {(await read(each)).status for each in (first, second, third)} == {"erased"}
    assert (await read(stranger)).status == "live"
    assert await directory.maintenance.list_deleted() == []
    for each in (first, second, third):
        with pytest.raises(ContactErased):
            await directory.maintenance.restore_contact(each)


@pytest.mark.parametrize("by", ["the documented call", "a purge"])
async def test_every_way_to_erase_reaches_merged_records(make, write, read, directory, http, by):
    keep, other = await make(), await make()
    await write(store.merge_contacts, keep, [other])
    if by == "a purge":
        await write(store.delete_contact, keep)
        assert await directory.maintenance.purge(datetime(9999, 1, 1, tzinfo=UTC), "old") == 2
    else:
        await http.post(f"/v1/contacts/{keep}/gdpr-delete", json={"reason": "Article 17"})

    assert {(await read(each)).status for each in (keep, other)} == {"erased"}


async def test_erased_contacts_keep_their_first_receipts(make, write, read):
    keep, other = await make(email="ola@example.com"), await make()
    await write(store.merge_contacts, keep, [other])
    first = await write(store.erase_contacts, [other], "asked", "test")

    both = await write(store.erase_contacts, [keep], "asked", "test")
    again = await write(store.erase_contacts, [keep], "asked again", "test")

    assert both == again
    assert both[0] == first[0]
    assert (both[1].contact_id, both[1].fields) == (keep, ["name", "email"])
    person = await read(keep)
    assert (person.receipt, [each.receipt for each in person.merged]) == (both[1], [both[0]])


async def test_several_persons_are_erased_together_or_not_at_all(make, write, read):
    ola, kari, merged = await make(), await make("Kari Hansen"), await make()
    await write(store.merge_contacts, ola, [merged])

    with pytest.raises(DirectoryNotFound):
        await write(store.erase_contacts, [ola, "11111111-1111-4111-8111-111111111111"], "asked", "test")
    with pytest.raises(PersonalReason):
        await write(store.erase_contacts, [ola, kari], "Kari Hansen asked", "test")
    with pytest.raises(Conflict, match="read them again"):
        await write(store.erase_contacts, [ola, kari], "asked", "test", only=True)
    assert {(await read(each)).status for each in (ola, kari)} == {"live"}

    assert len(await write(store.erase_contacts, [ola, kari, merged], "asked", "test", only=True)) == 3


async def test_restored_contact_is_separate_again(make, write, read, directory):
    keep, other = await make(), await make()
    await write(store.merge_contacts, keep, [other])

    restored = await directory.maintenance.restore_contact(other)

    assert restored["was_merged_into"] == keep
    await write(store.erase_contacts, [keep], "asked", "test")
    assert (await read(other)).status == "live"


async def test_record_that_was_merged_into_a_restored_one_stays_linked_to_it(make, write, read):
    """The restored contact is a person of its own, with all that was merged into it."""
    first, second, third = await make(), await make(), await make()
    await write(store.merge_contacts, second, [first])
    await write(store.merge_contacts, third, [second])

    restored = await write(store.restore_contact, second)

    assert (restored.was_deleted, restored.merged_into, restored.record.status) == (True, third, "live")
    assert [each.row["id"] for each in (await read(second)).merged] == [first]
    assert (await read(third)).merged == []


async def test_restored_contact_is_found_again_and_is_in_no_group(http, create, create_group):
    ola, group = await create("Ola Nordmann", tags=["vip"]), await create_group()
    await http.post(f"/v1/contacts/groups/{group['id']}/members", json={"contact_ids": [ola["id"]]})
    await http.delete(f"/v1/contacts/{ola['id']}")
    url = f"/v1/directory/persons/{ola['id']}/restore"

    restored, again = (await http.post(url)).json(), (await http.post(url)).json()

    assert (restored["status"], restored["was_deleted"], restored["was_merged_into"]) == ("live", True, None)
    assert again == {**restored, "was_deleted": False}
    found = (await http.get("/v1/contacts", params={"search": "ola nord", "tags": "vip"})).json()
    assert [row["id"] for row in found["contacts"]] == [ola["id"]]
    assert (await http.get(f"/v1/directory/persons/{ola['id']}")).json()["group_ids"] == []


async def test_restoring_an_erased_contact_is_409(http, create):
    ola = await create("Ola Nordmann")
    await http.post(f"/v1/contacts/{ola['id']}/gdpr-delete", json={"reason": "asked"})

    answer = await http.post(f"/v1/directory/persons/{ola['id']}/restore")

    assert (answer.status_code, "nothing of it is left" in answer.text) == (409, True)


async def test_contact_that_never_existed_or_belongs_to_another_tenant_is_not_found(make, write, read):
    made = await make()

    with pytest.raises(DirectoryNotFound):
        await read("11111111-1111-4111-8111-111111111111")
    with pytest.raises(DirectoryNotFound):
        await write(lambda connection, _: store.read_person(connection, 2, made))
    with pytest.raises(DirectoryNotFound):
        await write(lambda connection, _: store.erase_contacts(connection, 2, [made], "asked", "test"))


@on_file
async def test_erased_person_leaves_no_byte_of_a_merged_record(make, write, path):
    """Neither in the file nor in the write-ahead log."""
    keep = await make("Ola Nordmann")
    merged = await make("Qvxname Zwqlast", email="qvxmail@example.com", notes="Qvxnotes", phone_number="+4790817263")
    await write(store.merge_contacts, keep, [merged])

    await write(store.erase_contacts, [keep], "asked", "test")

    files = b"".join(file.read_bytes() for file in path.parent.iterdir()).lower()
    assert [secret for secret in (b"qvx", b"zwqlast", b"90817263") if secret in files] == []


@on_file
async def test_merged_record_of_an_old_copy_is_erased_when_the_copy_is_opened(
    make, write, path, tmp_path, open_directory
):
    keep, merged = await make(), await make("Kari Hansen")
    await write(store.merge_contacts, keep, [merged])
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "old.db")) as target:
        source.backup(target)
    await write(store.erase_contacts, [keep], "asked", "test")
    (tmp_path / "old.db.receipts").write_bytes((path.parent / f"{path.name}.receipts").read_bytes())

    async with Directory(tmp_path / "old.db") as old:
        person = await old._database.read(store.read_person, OWNER, keep)
        assert [person.status, *(each.status for each in person.merged)] == ["erased", "erased"]
        assert await old._database.read(check) == []


async def test_person_is_read_with_status_links_groups_and_receipt(http, create, create_group):
    keep, other = await create("Ola Nordmann", email="ola@example.com"), await create("Ola N")
    group = await create_group()
    await http.post(f"/v1/contacts/groups/{group['id']}/members", json={"contact_ids": [keep["id"]]})
    url = f"/v1/directory/persons/{keep['id']}"

    merged = await http.post(f"{url}/merge", json={"merge_ids": [other["id"]]})
    live = (await http.get(url)).json()
    body = {"also_erase": [other["id"]], "reason": "Article 17"}
    receipts = (await http.post(f"{url}/erase", json=body)).json()["receipts"]
    erased = (await http.get(url)).json()

    assert merged.json() == {"merged": [other["id"]]}
    assert (live["status"], live["email"], live["group_ids"]) == ("live", "ola@example.com", [group["id"]])
    (linked,) = live["merged"]
    assert (linked["status"], linked["merged_into"], linked["name"]) == ("deleted", keep["id"], "Ola N")
    assert [each["number"] for each in receipts] == [1, 2]
    assert (erased["status"], erased["name"], erased["group_ids"]) == ("erased", None, [])
    assert {erased["receipt"], erased["merged"][0]["receipt"]} == {1, 2}
    assert erased["erased_at"] == next(each["erased_at"] for each in receipts if each["contact_id"] == keep["id"])


async def test_erasure_without_a_record_that_was_merged_meanwhile_is_409_and_erases_nothing(http, create):
    keep, other = await create(), await create()
    url = f"/v1/directory/persons/{keep['id']}"
    await http.post(f"{url}/merge", json={"merge_ids": [other["id"]]})

    answer = await http.post(f"{url}/erase", json={"reason": "Article 17"})

    assert answer.status_code == 409
    assert (await http.get(f"/v1/contacts/{keep['id']}")).status_code == 200


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("nordmann ola", ["Ola Nordmann"]),
        ("ola nord", ["Ola Nordmann"]),
        ("90 00 00 01", ["Ola Nordmann", "Eva"]),
        ("kari@example.com", ["Kari Bjørnsen"]),
        ("BJORNSEN", ["Kari Bjørnsen"]),
        ("ower", []),
        ("", ["Ola Nordmann", "Kari Bjørnsen", "Eva", "Lower_case"]),
    ],
)
async def test_deleted_contacts_are_found_by_the_words_and_digits_of_a_search(http, create, search, found):
    made = [
        await create("Ola Nordmann", phone_number="+4790000001"),
        await create("Kari Bjørnsen", email="kari@example.com"),
        await create("Eva", phone_number="90000001"),
        await create("Lower_case"),
    ]
    for each in made:
        await http.delete(f"/v1/contacts/{each['id']}")
    await create("Ola Nordmann", phone_number="+4790000001")  # live
    erased = await create("Ola Nordmann", phone_number="+4790000001")
    await http.post(f"/v1/contacts/{erased['id']}/gdpr-delete", json={"reason": "asked"})

    page = (await http.get("/v1/directory/deleted", params={"search": search, "limit": 2})).json()
    names = [each["name"] for each in page["contacts"]]
    while page["next"]:
        params = {"search": search, "limit": 2, "after": page["next"]}
        page = (await http.get("/v1/directory/deleted", params=params)).json()
        names += [each["name"] for each in page["contacts"]]

    assert names == found
