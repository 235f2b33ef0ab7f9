"""Bulk updates are undone by their receipt; the values that they replaced are encrypted, expire, and are erased."""

import sqlite3
from contextlib import asynccontextmanager, closing
from uuid import uuid4

import httpx
import pytest

from contacts_mcp.directory import Directory, PostgresServer
from contacts_mcp.directory.store import _undo
from support.clock import Clock

SECRETS = ["first secret of the operator, long", "second secret of the operator, long"]
DAY = 24 * 60 * 60
NOWHERE = "00000000-0000-4000-8000-000000000000"
OLD_NOTE = "Met at the fair in Bergen"

on_file = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


@pytest.fixture
def clock():
    clock = Clock()
    clock.now = 1_800_000_000.0
    return clock


@pytest.fixture
def serve(location, clock):
    """Open the directory, and yield an HTTP client of it and the directory."""

    @asynccontextmanager
    async def serve(secrets=SECRETS, where=location):
        async with (
            Directory(where, undo_secrets=secrets, now=clock) as directory,
            httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://directory") as client,
        ):
            client.directory = directory
            yield client

    return serve


@pytest.fixture
async def http(serve):
    async with serve() as client:
        yield client
        assert await client.directory.maintenance.check() == []


async def make(http, **fields):
    answer = await http.post("/v1/contacts", json={"name": "Ola Nordmann", "tags": ["a"], "notes": OLD_NOTE, **fields})
    return answer.json()["id"]


async def change(http, ids, receipt=None, **values):
    """Update contacts as one part of a bulk update; the receipt, and until when the update can be undone."""
    receipt = receipt or str(uuid4())
    body = {"updates": [{"id": each, **values} for each in ids], "undo": receipt}
    answer = await http.post("/v1/directory/contacts", json=body)
    assert answer.status_code == 200, answer.text
    assert {each["status"] for each in answer.json()["results"]} == {200}
    return receipt, answer.json()["undo_until"]


async def undo(http, receipt):
    answer = await http.post(f"/v1/directory/undo/{receipt}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def notes(http, *ids):
    return [(await http.get(f"/v1/contacts/{each}")).json()["notes"] for each in ids]


def undone(restored=0, changed=0, deleted=0, remaining=0):
    return {"restored": restored, "changed": changed, "deleted": deleted, "remaining": remaining}


async def test_directory_that_has_a_key_offers_undo(http):
    assert (await http.get("/v1/directory")).json() == {
        "extensions": ["batch", "persons", "receipts", "restore", "scan", "undo"]
    }


async def test_undo_by_receipt_brings_back_every_value_that_the_update_replaced(http):
    """In both parts of the update, and in the index."""
    before = [await make(http, name=f"Ola {n}", phone_number="90000001", company_name="Old AS") for n in range(2)]
    full = [(await http.get(f"/v1/contacts/{each}")).json() for each in before]
    new = {"notes": None, "tags": ["a", "b"], "phone_number": "+4790000001", "company_name": "New", "type": "company"}

    receipt, until = await change(http, before[:1], **new)
    await change(http, before[1:], receipt, **new)
    page = (await http.get(f"/v1/directory/undo/{receipt}")).json()
    done = await undo(http, receipt)

    assert (page["total"], page["erased"], page["next"], page["undo_until"]) == (2, 0, None, until)
    assert [(each["id"], each["status"], each["current"]) for each in page["contacts"]] == [
        (each, "unchanged", {**new, "tags": ["a", "b"]}) for each in before
    ]
    assert page["contacts"][0]["before"] == {name: full[0][name] for name in new}
    assert done == undone(restored=2)
    for was, contact_id in zip(full, before, strict=True):
        now = (await http.get(f"/v1/contacts/{contact_id}")).json()
        assert now == {**was, "updated_at": now["updated_at"]}
        assert now["updated_at"] > was["updated_at"]
    assert (await http.get("/v1/contacts", params={"search": "Old AS"})).json()["total"] == 2
    assert (await http.get("/v1/contacts", params={"tags": "b"})).json()["total"] == 0


async def test_contact_that_was_changed_since_or_deleted_is_left_alone_and_counted(http):
    same, other_field, changed, deleted = [await make(http) for _ in range(4)]
    receipt, _ = await change(http, [same, other_field, changed, deleted], notes="New")
    await http.patch(f"/v1/contacts/{other_field}", json={"company_name": "Fjell AS"})
    await http.patch(f"/v1/contacts/{changed}", json={"notes": "By hand"})
    await http.delete(f"/v1/contacts/{deleted}")

    page = (await http.get(f"/v1/directory/undo/{receipt}")).json()
    done = await undo(http, receipt)

    assert [each["status"] for each in page["contacts"]] == ["unchanged", "unchanged", "changed", "deleted"]
    assert done == undone(restored=2, changed=1, deleted=1)
    assert await notes(http, same, other_field, changed) == [OLD_NOTE, OLD_NOTE, "By hand"]


async def test_contact_that_was_deleted_and_restored_gets_its_value_back(http):
    ola = await make(http)
    receipt, _ = await change(http, [ola], notes="New")
    await http.delete(f"/v1/contacts/{ola}")
    await http.post(f"/v1/directory/persons/{ola}/restore")

    assert await undo(http, receipt) == undone(restored=1)
    assert await notes(http, ola) == [OLD_NOTE]


async def test_record_that_was_merged_since_stays_merged_and_its_value_is_erased_with_the_person(http, read_sealed):
    keep, merged = await make(http), await make(http)
    receipt, _ = await change(http, [keep, merged], notes="New")
    await http.post(f"/v1/directory/persons/{keep}/merge", json={"merge_ids": [merged]})

    page = (await http.get(f"/v1/directory/undo/{receipt}")).json()
    await http.post(f"/v1/contacts/{keep}/gdpr-delete", json={"reason": "Article 17 request"})

    assert [(each["id"], each["status"]) for each in page["contacts"]] == [(keep, "unchanged"), (merged, "deleted")]
    assert await read_sealed(http) == []


async def test_receipt_works_once(http):
    ola = await make(http)
    receipt, _ = await change(http, [ola], notes="New")
    await undo(http, receipt)
    await http.patch(f"/v1/contacts/{ola}", json={"notes": "New"})

    again = await http.post(f"/v1/directory/undo/{receipt}")

    assert (again.status_code, again.json()["detail"]) == (404, "Undo receipt not found")
    assert (await http.get(f"/v1/directory/undo/{receipt}")).status_code == 404
    assert await notes(http, ola) == ["New"]


async def test_large_update_is_undone_in_parts_and_each_contact_once(http):
    made = await http.post("/v1/directory/contacts", json={"creates": [{"name": f"P {n}"} for n in range(1_000)]})
    ids = [each["id"] for each in made.json()["results"]]
    more = [await make(http) for _ in range(3)]
    receipt, _ = await change(http, ids, notes="New")
    await change(http, more, receipt, notes="New")

    assert await undo(http, receipt) == undone(restored=1_000, remaining=3)
    page = (await http.get(f"/v1/directory/undo/{receipt}")).json()
    assert ([each["id"] for each in page["contacts"]], page["total"], page["erased"]) == (more, 3, 0)
    assert await undo(http, receipt) == undone(restored=3)
    assert await notes(http, ids[0], ids[-1], *more) == [None, None, *[OLD_NOTE] * 3]


async def test_pages_hold_each_contact_once(http):
    ids = [await make(http) for _ in range(5)]
    receipt, _ = await change(http, ids, notes="New")
    found, after = [], "0"

    while after:
        params = {"limit": 2, "after": after}
        page = (await http.get(f"/v1/directory/undo/{receipt}", params=params)).json()
        found += [each["id"] for each in page["contacts"]]
        after = page["next"]

    assert found == ids


async def test_update_of_nothing_and_batch_without_a_receipt_store_nothing(http, read_sealed):
    ola = await make(http)

    receipt, until = await change(http, [ola], notes=OLD_NOTE)
    plain = await http.post("/v1/directory/contacts", json={"updates": [{"id": ola, "notes": "New"}]})

    assert until is not None
    assert plain.json().keys() == {"results"}
    assert await read_sealed(http) == []
    assert (await http.get(f"/v1/directory/undo/{receipt}")).status_code == 404


async def test_contact_cannot_be_changed_twice_under_one_receipt(http):
    """The values before the first change would be lost."""
    ola = await make(http)
    receipt, _ = await change(http, [ola], notes="First")

    body = {"updates": [{"id": ola, "notes": "Second"}], "undo": receipt}
    refused = await http.post("/v1/directory/contacts", json=body)

    assert refused.status_code == 409
    assert await notes(http, ola) == ["First"]
    assert await undo(http, receipt) == undone(restored=1)


# How long, and how much.


async def test_receipt_expires_after_a_day_and_its_values_are_deleted(http, serve, clock, read_sealed):
    """By the next update or opening, or by the process that recorded them."""
    ola = await make(http)
    receipt, until = await change(http, [ola], notes="New")
    assert until == "2027-01-16T08:00:00.000000Z"
    assert len(await read_sealed(http)) == 1

    clock.now += DAY - 1
    assert (await http.get(f"/v1/directory/undo/{receipt}")).status_code == 200
    clock.now += 1
    assert (await http.get(f"/v1/directory/undo/{receipt}")).status_code == 404
    assert (await http.post(f"/v1/directory/undo/{receipt}")).status_code == 404
    assert await notes(http, ola) == ["New"]
    async with serve() as other:
        await other.get("/v1/contacts")

    assert await read_sealed(http) == []


async def test_process_that_recorded_values_deletes_them_when_they_expire(http, clock, read_sealed):
    await change(http, [await make(http)], notes="New")
    clock.now += DAY

    offer = http.directory.app.state.undo
    offer._start_expiring(http.directory._database)  # what its timer calls
    await offer._expiring

    assert await read_sealed(http) == []


@pytest.mark.parametrize("limit", ["MAX_UNDO_CONTACTS", "MAX_TENANT_UNDO_CONTACTS", "MAX_TENANT_UNDO_BYTES"])
async def test_update_of_too_many_contacts_is_made_but_keeps_no_values(http, monkeypatch, limit, read_sealed):
    """Its other parts keep none either, also those before."""
    ids = [await make(http) for _ in range(4)]
    kept, _ = await change(http, ids[:1], company_name="New")

    receipt, first = await change(http, ids[:2], notes="New")
    size = sum(len(bytes.fromhex(each)) for each in await read_sealed(http))
    monkeypatch.setattr(_undo, limit, size if limit == "MAX_TENANT_UNDO_BYTES" else 3)
    _, second = await change(http, ids[2:], receipt, notes="New")
    _, third = await change(http, [await make(http)], receipt, notes="New")

    assert first is not None
    assert (second, third) == (None, None)
    assert (await http.post(f"/v1/directory/undo/{receipt}")).status_code == 404
    assert await notes(http, *ids) == ["New"] * 4
    assert await undo(http, kept) == undone(restored=1)


# Keys.


async def read_everything(folder):
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def read_sealed(location, request):
    """The encrypted values that the database holds, as hexadecimal digits."""

    async def read_sealed(http):
        def work(connection):
            return [bytes(row[0]).hex() for row in connection.exec_driver_sql("SELECT sealed FROM undo_entries")]

        return await http.directory._database.read(work)

    return read_sealed


@on_file
async def test_replaced_values_are_unreadable_in_the_file_and_its_key_is_private(serve, path):
    async with serve() as http:
        ola = await make(http)
        await change(http, [ola], notes="New")
    key = path.with_name("contacts.db.undo-key")

    assert key.stat().st_mode & 0o777 == 0o600
    assert OLD_NOTE.encode() not in await read_everything(path.parent)


@on_file
@pytest.mark.parametrize("key", [None, b"x" * 32, b"short"], ids=["lost", "wrong", "damaged"])
async def test_without_its_key_an_update_can_no_longer_be_undone_and_nothing_else_changes(serve, path, key):
    async with serve() as http:
        ola = await make(http)
        receipt, _ = await change(http, [ola], notes="New")
    key_file = path.with_name("contacts.db.undo-key")
    key_file.unlink()
    if key is not None:
        key_file.write_bytes(key)

    async with serve() as http:
        answers = [await http.get(f"/v1/directory/undo/{receipt}"), await http.post(f"/v1/directory/undo/{receipt}")]
        later, until = await change(http, [ola], notes="Later")
        is_undone = (await http.post(f"/v1/directory/undo/{later}")).status_code == 200
        left = await notes(http, ola)

    for answer in answers:
        assert (answer.status_code, answer.json()["detail"][:36]) == (409, "This update can no longer be undone:")
    is_usable = key != b"short"
    assert (is_undone, until is not None, left) == (is_usable, is_usable, ["New" if is_usable else "Later"])


@on_file
async def test_entry_moved_to_another_contact_receipt_or_tenant_cannot_be_decrypted(serve, path):
    async with serve() as http:
        ids = [await make(http), await make(http)]
        receipts = [(await change(http, [each], notes="New"))[0] for each in ids]
    with closing(sqlite3.connect(path)) as connection, connection:
        (first,) = connection.execute("SELECT sealed FROM undo_entries WHERE contact_seq = 1").fetchone()
        connection.execute("UPDATE undo_entries SET sealed = ? WHERE contact_seq = 2", [first])

    async with serve() as http:
        moved = await http.post(f"/v1/directory/undo/{receipts[1]}")

        assert (moved.status_code, await notes(http, ids[1])) == (409, ["New"])
        assert await undo(http, receipts[0]) == undone(restored=1)


@pytest.mark.system
async def test_postgres_directory_undoes_with_any_of_the_operators_secrets_and_offers_nothing_without(database, clock):
    @asynccontextmanager
    async def serve(secrets):
        async with (
            Directory(database, undo_secrets=secrets, now=clock) as directory,
            httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://directory") as client,
        ):
            yield client

    async with serve(SECRETS[:1]) as http:
        ola = await make(http)
        receipt, _ = await change(http, [ola], notes="New")
    async with serve([]) as http:
        assert "undo" not in (await http.get("/v1/directory")).json()["extensions"]
        assert (await http.get(f"/v1/directory/undo/{receipt}")).status_code == 404
        assert (await change(http, [await make(http)], notes="New"))[1] is None
    async with serve(SECRETS[1:]) as http:
        assert (await http.post(f"/v1/directory/undo/{receipt}")).status_code == 409
    async with serve(SECRETS[::-1]) as http:
        assert await undo(http, receipt) == undone(restored=1)


# Erasure.


async def test_erased_contact_leaves_no_entry_and_is_counted(http, read_sealed):
    ola, kari = await make(http), await make(http)
    receipt, _ = await change(http, [ola, kari], notes="New")
    await http.post(f"/v1/contacts/{ola}/gdpr-delete", json={"reason": "Article 17 request"})

    page = (await http.get(f"/v1/directory/undo/{receipt}")).json()

    assert ([each["id"] for each in page["contacts"]], page["total"], page["erased"]) == ([kari], 2, 1)
    assert len(await read_sealed(http)) == 1
    assert await undo(http, receipt) == undone(restored=1)
    assert (await http.get(f"/v1/contacts/{ola}")).status_code == 404


@on_file
async def test_erasure_removes_the_encrypted_values_from_the_bytes_of_the_file(serve, path, read_sealed):
    async with serve() as http:
        ola = await make(http)
        await change(http, [ola], notes="New")
        (sealed,) = await read_sealed(http)
        await http.post(f"/v1/contacts/{ola}/gdpr-delete", json={"reason": "Article 17 request"})
        assert bytes.fromhex(sealed) not in await read_everything(path.parent)
    assert bytes.fromhex(sealed) not in await read_everything(path.parent)


@on_file
async def test_expiry_removes_the_encrypted_values_from_the_bytes_of_the_file(serve, path, clock, read_sealed):
    async with serve() as http:
        await change(http, [await make(http)], notes="New")
        (sealed,) = await read_sealed(http)
    assert bytes.fromhex(sealed) in await read_everything(path.parent)
    clock.now += DAY

    async with serve() as http:
        await http.get("/v1/contacts")

    assert bytes.fromhex(sealed) not in await read_everything(path.parent)


@pytest.mark.system
async def test_statistics_of_postgres_hold_no_encrypted_value(database, sql, clock):
    async with (
        Directory(database, undo_secrets=SECRETS, now=clock) as directory,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://directory") as client,
    ):
        await change(client, [await make(client) for _ in range(20)], notes="New")
        sql("ANALYZE undo_entries")

    found = sql("SELECT attname FROM pg_stats WHERE tablename = 'undo_entries' ORDER BY 1")

    assert found.split() == ["contact_seq", "receipt_hash", "tenant"]


# One transaction, tenants, backups.


async def test_update_and_its_entries_are_made_together_or_not_at_all(http, location):
    """If an entry cannot be stored, its contact is not changed."""
    ola = await make(http)
    refuse = {
        True: [
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
            "CREATE TRIGGER refuse BEFORE INSERT ON undo_entries EXECUTE FUNCTION refuse()",
        ],
        False: ["CREATE TRIGGER refuse BEFORE INSERT ON undo_entries BEGIN SELECT RAISE(ABORT, 'no'); END"],
    }[isinstance(location, PostgresServer)]
    await http.directory._database.write(lambda connection: [connection.exec_driver_sql(each) for each in refuse])
    receipt = str(uuid4())

    body = {"updates": [{"id": ola, "notes": "New"}], "undo": receipt}
    answer = await http.post("/v1/directory/contacts", json=body)

    assert answer.status_code >= 400
    assert await notes(http, ola) == [OLD_NOTE]
    assert (await http.get(f"/v1/directory/undo/{receipt}")).status_code == 404


async def test_receipt_of_another_tenant_is_not_found_and_undoes_nothing(http):
    directory = http.directory
    await directory.create_key("other", "other")
    ola = await make(http)
    receipt, _ = await change(http, [ola], notes="New")
    app = await directory.app_of("other")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://directory") as other:
        answers = [await other.get(f"/v1/directory/undo/{receipt}"), await other.post(f"/v1/directory/undo/{receipt}")]
        theirs = await make(other)
        await change(other, [theirs], receipt, notes="New")  # the same receipt by chance
        assert await undo(other, receipt) == undone(restored=1)

    assert [each.status_code for each in answers] == [404, 404]
    assert await notes(http, ola) == ["New"]
    assert await undo(http, receipt) == undone(restored=1)


async def test_backup_holds_no_replaced_values_and_a_restored_directory_undoes_nothing(http, tmp_path, read_sealed):
    ola = await make(http)
    receipt, _ = await change(http, [ola], notes="New")
    (sealed,) = await read_sealed(http)
    backup = tmp_path / "backup" / "copy.db"

    await http.directory.maintenance.back_up(backup, lambda _: None)
    held = await read_everything(backup.parent)
    await http.directory.maintenance.restore_backup(backup, [], lambda _: None)

    assert bytes.fromhex(sealed) not in held
    assert OLD_NOTE.encode() not in held
    assert not any("undo-key" in file.name for file in backup.parent.iterdir())
    assert await read_sealed(http) == []
    assert (await http.post(f"/v1/directory/undo/{receipt}")).status_code == 404
    assert await notes(http, ola) == ["New"]
