"""Concurrent transactions on a PostgreSQL server: the second waits for the first, and both results are consistent."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial

import pytest

from contacts_mcp.directory import BackupRefused, ContactErased, store
from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.database import OWNER, Database
from contacts_mcp.directory.database._postgres import connect
from contacts_mcp.directory.maintenance import _backup, _contacts, check
from contacts_mcp.directory.store import create_once, parse_query, read_receipts

pytestmark = pytest.mark.system

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND state = 'active'"
)
RARE = "SELECT sum(live) FROM counters WHERE term = 'rare'"
VALUES = {"type": "person", "company_name": None, "phone_number": None, "email": None, "tags": [], "notes": None}


class Transactions:
    """Transactions on one database, each in a session of its own."""

    def __init__(self, database):
        self.engine = connect(database)

    async def run(self, work, *args, **kwargs):
        """Return the result of work in a transaction."""
        async with self.engine.begin() as connection:
            return await connection.run_sync(lambda sync: work(sync, OWNER, *args, **kwargs))

    async def wait_for_waiters(self, number=1):
        """Wait until this many transactions wait for a lock."""
        async with asyncio.timeout(30), self.engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            while (await autocommit.exec_driver_sql(WAITING)).scalar_one() < number:  # noqa: ASYNC110 - PostgreSQL sends no event
                await asyncio.sleep(0.01)

    async def meet(self, first, second):
        """Return the result of the second work, which waits for the first; the first commits once the second waits."""
        async with self.engine.begin() as held:
            await held.run_sync(first, OWNER)
            after = asyncio.create_task(self.run(second))
            await self.wait_for_waiters()
        return (await asyncio.gather(after, return_exceptions=True))[0]

    async def jam(self, row, *works):
        """Return the results of works that wait for a locked row; each starts once the one before it waits."""
        async with self.engine.begin() as held:
            await held.exec_driver_sql(row)
            tasks = []
            for work in works:
                tasks.append(asyncio.create_task(self.run(work)))
                await self.wait_for_waiters(len(tasks))
        return await asyncio.gather(*tasks)


@pytest.fixture
async def db(database):
    """Transactions on the database, which is checked after each test."""
    transactions = Transactions(database)
    yield transactions
    await transactions.engine.dispose()
    async with aclosing(Database(database)) as opened:
        assert await opened.read(check) == []


def named(name, **fields):
    return {**VALUES, "name": name, **fields}


@pytest.fixture
def ola(db):
    return partial(db.run, store.create_contact, named("Ola Nordmann", email="ola@example.com", tags=["a"]))


def creating(name, **fields):
    return lambda connection, tenant: store.create_contact(connection, tenant, named(name, **fields))


def updating(contact, **fields):
    return lambda connection, tenant: store.update_contact(connection, tenant, contact["id"], fields)


def deleting(contact):
    return lambda connection, tenant: store.delete_contact(connection, tenant, contact["id"])


def erasing(contact):
    return lambda connection, tenant: store.erase_contact(connection, tenant, contact["id"], "asked", "test")


def joining(group, *some):
    return lambda connection, tenant: store.add_members(connection, tenant, group["id"], [each["id"] for each in some])


def grouping():
    return lambda connection, tenant: store.create_group(connection, tenant, {"name": "G", "description": None})


async def test_concurrent_updates_of_different_fields_are_all_kept(db, ola):
    made = await ola()

    await db.meet(updating(made, notes="one"), updating(made, company_name="Two AS"))

    row = await db.run(store.get_contact, made["id"])
    assert (row["notes"], row["company_name"]) == ("one", "Two AS")


@pytest.mark.parametrize("gone", [deleting, erasing])
async def test_update_waiting_for_a_deletion_is_not_found(ola, db, gone):
    made = await ola()

    assert isinstance(await db.meet(gone(made), updating(made, name="Per", notes="late")), DirectoryNotFound)


@pytest.mark.parametrize("gone", [deleting, erasing])
async def test_deletion_waiting_for_an_update_removes_the_new_values(db, ola, gone):
    """It removes the new words and the new type from the index."""
    made = await ola()

    await db.meet(updating(made, name="Per Hansen", type="company", tags=["b"]), gone(made))

    with pytest.raises(DirectoryNotFound):
        await db.run(store.get_contact, made["id"])


@pytest.mark.parametrize("gone", [deleting, erasing])
async def test_contact_deleted_while_it_joins_is_not_a_member(db, ola, gone):
    group, first, second = await db.run(grouping()), await ola(), await ola()

    await db.meet(joining(group, first), gone(first))
    added = await db.meet(gone(second), joining(group, first, second))

    assert added == 0
    assert (await db.run(store.get_group, group["id"]))["member_count"] == 0


async def test_member_added_twice_concurrently_joins_once(db, ola):
    group, made = await db.run(grouping()), await ola()

    assert await db.meet(joining(group, made), joining(group, made)) == 0
    assert (await db.run(store.get_group, group["id"]))["member_count"] == 1


async def test_no_contact_joins_a_group_that_is_being_deleted(db, ola):
    group, other, made = await db.run(grouping()), await db.run(grouping()), await ola()

    deleted = await db.meet(
        lambda connection, tenant: store.delete_group(connection, tenant, group["id"]), joining(group, made)
    )
    joined = await db.meet(
        joining(other, made), lambda connection, tenant: store.delete_group(connection, tenant, other["id"])
    )

    assert isinstance(deleted, DirectoryNotFound)
    assert joined is None


async def test_contact_erased_twice_concurrently_has_one_receipt(db, ola):
    made = await ola()

    await db.meet(erasing(made), erasing(made))

    assert len(await db.run(lambda connection, _: list(read_receipts(connection)))) == 1


async def test_receipts_of_concurrent_erasures_form_a_chain(db, ola):
    one, other = await ola(), await db.run(creating("Kari"))

    await db.meet(erasing(one), erasing(other))

    assert [row["seq"] for row in await db.run(lambda connection, _: list(read_receipts(connection)))] == [1, 2]


async def test_record_that_is_merged_while_its_erasure_waits_is_erased_as_well(db, ola):
    keep, other, late = await ola(), await ola(), await ola()
    await db.run(store.merge_contacts, keep["id"], [other["id"]])

    await db.meet(
        lambda connection, tenant: store.merge_contacts(connection, tenant, keep["id"], [late["id"]]), erasing(keep)
    )

    assert (await db.run(store.read_person, late["id"])).status == "erased"
    assert len(await db.run(lambda connection, _: list(read_receipts(connection)))) == 3


async def test_merge_into_a_contact_that_is_being_erased_is_not_found(db, ola):
    keep, other = await ola(), await ola()

    late = await db.meet(
        erasing(keep), lambda connection, tenant: store.merge_contacts(connection, tenant, keep["id"], [other["id"]])
    )

    assert isinstance(late, DirectoryNotFound)
    assert (await db.run(store.read_person, other["id"])).status == "live"


async def test_purge_and_erasure_of_the_same_contact_do_not_deadlock(db, ola):
    """The purge locks all its contacts before it locks the end of the chain."""
    made = [await ola() for _ in range(3)]
    for each in made:
        await db.run(deleting(each))
    last = max(made, key=lambda row: row["id"])

    async with db.engine.begin() as held:
        await held.run_sync(
            lambda sync: sync.exec_driver_sql(f"SELECT 1 FROM contacts WHERE id = '{last['id']}' FOR UPDATE")
        )
        purging = asyncio.create_task(
            db.run(lambda connection, _: _contacts.purge(connection, datetime(9999, 1, 1, tzinfo=UTC), "old", None))
        )
        await db.wait_for_waiters()
        await held.run_sync(lambda sync: store.erase_contact(sync, OWNER, last["id"], "asked", "test"))

    assert await purging == 2
    assert len(await db.run(lambda connection, _: list(read_receipts(connection)))) == 3


async def test_contact_restored_and_erased_concurrently_is_erased(db, ola):
    one, other = await ola(), await ola()
    await db.run(deleting(one))
    await db.run(deleting(other))

    await db.meet(lambda connection, _: _contacts.restore_contact(connection, one["id"]), erasing(one))
    late = await db.meet(erasing(other), lambda connection, _: _contacts.restore_contact(connection, other["id"]))

    assert isinstance(late, ContactErased)


async def test_name_word_stays_if_it_is_added_while_its_last_contact_is_deleted(db, ola):
    """The creation waits for the deletion, and the other way round."""
    first = await ola()
    await db.meet(deleting(first), creating("Nordmann Ola"))
    (second, *_) = (await db.run(store.list_contacts, parse_query(), page=1, per_page=9)).rows

    await db.meet(creating("Nordmann"), deleting(second))


async def test_name_word_added_twice_concurrently_survives_the_first_deletion(db):
    """The second transaction only waits for the first, and keeps the word nevertheless."""
    async with db.engine.begin() as late:
        async with db.engine.begin() as early:
            first = await early.run_sync(lambda sync: store.create_contact(sync, OWNER, named("Newname")))
            coming = asyncio.create_task(late.run_sync(lambda sync: creating("Newname")(sync, OWNER)))
            await db.wait_for_waiters()
        await coming  # written, not committed
        going = asyncio.create_task(db.run(deleting(first)))
        await db.wait_for_waiters()
    await going


async def test_contacts_that_exchange_names_do_not_deadlock(db):
    ola, kari = await db.run(creating("Olav")), await db.run(creating("Kari"))
    row = "SELECT 1 FROM spellings WHERE word = 'kari' AND form = word FOR UPDATE"

    rows = await db.jam(row, updating(kari, name="Olav"), updating(ola, name="Kari"))

    assert [row["name"] for row in rows] == ["Olav", "Kari"]


async def test_contacts_that_exchange_types_do_not_deadlock(db, monkeypatch):
    """Even if both are counted in the same slot."""
    monkeypatch.setattr("contacts_mcp.directory.store._index._COUNTER_SLOTS", 2)
    ola, kari = await db.run(creating("Olav")), await db.run(creating("Kari", type="company"))
    row = "SELECT 1 FROM counters WHERE term = 'company' FOR UPDATE"

    rows = await db.jam(row, updating(kari, type="person"), updating(ola, type="company"))

    assert [row["type"] for row in rows] == ["person", "company"]


async def test_counter_is_deleted_if_the_last_two_contacts_lose_a_tag_concurrently(db, sql):
    first, second = [await db.run(creating(name, tags=["Rare"])) for name in ("Ola", "Kari")]

    await db.meet(deleting(first), updating(second, tags=[]))

    assert sql(RARE) == ""


async def test_tag_added_while_its_last_contact_is_deleted_is_counted(db, sql, monkeypatch):
    """If both are counted in the same slot, the deletion waits for the creation."""
    monkeypatch.setattr("contacts_mcp.directory.store._index._COUNTER_SLOTS", 2)
    last = await db.run(creating("Ola", tags=["Rare"]))

    await db.meet(creating("Kari", type="company", tags=["rare"]), deleting(last))

    assert sql(RARE) == "1"


async def test_tag_added_in_another_slot_while_its_last_contact_is_deleted_is_counted(db, sql):
    last = await db.run(creating("Ola", tags=["rare"]))

    async with db.engine.begin() as held:
        held.sync_connection.info["slot"] = 99
        await held.run_sync(lambda sync: creating("Kari", tags=["rare"])(sync, OWNER))
        await db.run(deleting(last))

    assert sql(RARE) == "1"


@pytest.mark.parametrize("joins", [False, True])
async def test_batches_lock_contacts_in_the_order_of_their_ids(db, joins):
    """Even if there are too many for one statement, and another batch has some of them in the order of their age."""
    made = await db.run(store.create_contacts, [named(f"Person {number}") for number in range(700)])
    by_id = sorted(made, key=lambda row: row["id"])
    young = max(by_id[:100], key=lambda row: row["seq"])
    old = next(row for row in by_id[600:] if row["seq"] < young["seq"])
    group = await db.run(grouping())

    def changing(rows):
        return lambda connection, tenant: store.update_contacts(
            connection, tenant, [(row["id"], {"notes": "x"}) for row in rows]
        )

    row = f"SELECT 1 FROM contacts WHERE seq = {old['seq']} FOR UPDATE"
    few, many = await db.jam(row, changing([young, old]), joining(group, *made) if joins else changing(made))

    assert len(few) == 2
    assert (many if joins else len(many)) == 700


async def test_request_repeated_concurrently_creates_one_contact(db):
    def once(connection, tenant):
        return create_once(connection, tenant, "key", named("Ola"), store.create_contact, store.get_contact)

    row, again = await db.meet(once, once)

    assert again
    assert (await db.run(store.list_contacts, parse_query(), page=1, per_page=9)).rows[0]["id"] == row["id"]


async def test_backup_is_restored_completely_during_concurrent_writes(db, database, ola, tmp_path):
    """The restore waits for running transactions and replaces what they wrote."""
    await ola()
    await _backup.back_up(database, tmp_path / "backup.db")

    async with db.engine.begin() as held:
        await held.run_sync(lambda sync: creating("Kari Nordmann")(sync, OWNER))
        restoring = asyncio.create_task(_backup.restore_backup(database, tmp_path / "backup.db"))
        await db.wait_for_waiters()

    assert (await restoring).contacts == 1
    assert (await db.run(store.list_contacts, parse_query(), page=1, per_page=9)).total == 1


async def test_contact_erased_during_a_restore_stays_erased(db, database, ola, tmp_path):
    """The restore repeated only earlier erasures in the backup, so it is refused."""
    made = await ola()
    await _backup.back_up(database, tmp_path / "backup.db")

    async with db.engine.begin() as held:
        await held.run_sync(lambda sync: erasing(made)(sync, OWNER))
        restoring = asyncio.create_task(_backup.restore_backup(database, tmp_path / "backup.db"))
        await db.wait_for_waiters()

    with pytest.raises(BackupRefused, match="restore the backup again"):
        await restoring
    assert (await _backup.restore_backup(database, tmp_path / "backup.db")).erased_again == 1
