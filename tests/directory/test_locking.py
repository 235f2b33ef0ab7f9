"""Two transactions on a PostgreSQL server that meet: the second waits, and what both leave is true.

The first is held open at the end of its work; the second is begun, and is seen to wait, before the first may go on.
"""

import asyncio
from functools import partial

import pytest

from contacts_mcp.directory import maintenance, store
from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.database import OWNER, Database
from contacts_mcp.directory.database._postgres import connect
from contacts_mcp.directory.maintenance import check
from contacts_mcp.directory.store import create_once, parse_query, read_receipts

pytestmark = pytest.mark.system

BOUND = 30
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND state = 'active'"
)
VALUES = {"type": "person", "company_name": None, "phone_number": None, "email": None, "tags": [], "notes": None}


@pytest.fixture
async def server(database):
    """The database as several transactions see it."""
    engine = connect(database)
    yield engine
    await engine.dispose()


@pytest.fixture
def run(server):
    """Do some work in a transaction of its own."""

    async def run(work, *args, **kwargs):
        async with server.begin() as connection:
            return await connection.run_sync(lambda sync: work(sync, OWNER, *args, **kwargs))

    return run


@pytest.fixture
def waiting(server):
    """Wait until that many transactions wait for a lock."""

    async def waiting(number=1):
        async with asyncio.timeout(BOUND), server.connect() as connection:
            looking = await connection.execution_options(isolation_level="AUTOCOMMIT")
            while (await looking.exec_driver_sql(WAITING)).scalar_one() < number:
                pass

    return waiting


@pytest.fixture
def meet(server, run, waiting):
    """What the second says that waits for the first, which ends when it is seen to wait."""

    async def meet(first, second):
        async with server.begin() as held:
            await held.run_sync(lambda sync: first(sync, OWNER))
            after = asyncio.create_task(run(second))
            await waiting()
        return (await asyncio.gather(after, return_exceptions=True))[0]

    return meet


@pytest.fixture
def jam(server, run, waiting):
    """What works say that wait behind a row, each begun when the one before waits, once it is free."""

    async def jam(row, *works):
        async with server.begin() as held:
            await held.exec_driver_sql(row)
            tasks = []
            for work in works:
                tasks.append(asyncio.create_task(run(work)))
                await waiting(len(tasks))
        return await asyncio.gather(*tasks)

    return jam


@pytest.fixture(autouse=True)
async def all_is_true(database):
    """Whatever is done here, nothing is wrong at the end."""
    yield
    opened = Database(database)
    faults = await opened.read(check)
    await opened.aclose()
    assert faults == []


def named(name, **fields):
    return {**VALUES, "name": name, **fields}


@pytest.fixture
def ola(run):
    return partial(run, store.create_contact, named("Ola Nordmann", email="ola@example.com", tags=["a"]))


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


def grouping(name="G"):
    return lambda connection, tenant: store.create_group(connection, tenant, {"name": name, "description": None})


async def test_changes_of_different_fields_are_all_kept(run, ola, meet):
    made = await ola()

    await meet(updating(made, notes="one"), updating(made, company_name="Two AS"))

    row = await run(store.get_contact, made["id"])
    assert (row["notes"], row["company_name"]) == ("one", "Two AS")


@pytest.mark.parametrize("gone", [deleting, erasing])
async def test_who_is_gone_is_not_changed_any_more(ola, meet, gone):
    made = await ola()

    assert isinstance(await meet(gone(made), updating(made, name="Per", notes="late")), DirectoryNotFound)


@pytest.mark.parametrize("gone", [deleting, erasing])
async def test_a_change_that_came_first_goes_as_well(run, ola, meet, gone):
    """Its new words and its new type are what leaves."""
    made = await ola()

    await meet(updating(made, name="Per Hansen", type="company", tags=["b"]), gone(made))

    with pytest.raises(DirectoryNotFound):
        await run(store.get_contact, made["id"])


@pytest.mark.parametrize("gone", [deleting, erasing])
async def test_who_joins_before_going_leaves_and_who_is_gone_does_not_join(run, ola, meet, gone):
    group, first, second = await run(grouping()), await ola(), await ola()

    await meet(joining(group, first), gone(first))
    added = await meet(gone(second), joining(group, first, second))

    assert added == 0
    assert (await run(store.get_group, group["id"]))["member_count"] == 0


async def test_who_is_added_twice_at_once_joins_once(run, ola, meet):
    group, made = await run(grouping()), await ola()

    assert await meet(joining(group, made), joining(group, made)) == 0
    assert (await run(store.get_group, group["id"]))["member_count"] == 1


async def test_a_group_that_is_deleted_meanwhile_is_joined_by_nobody(run, ola, meet):
    group, other, made = await run(grouping()), await run(grouping()), await ola()

    deleted = await meet(
        lambda connection, tenant: store.delete_group(connection, tenant, group["id"]), joining(group, made)
    )
    joined = await meet(
        joining(other, made), lambda connection, tenant: store.delete_group(connection, tenant, other["id"])
    )

    assert isinstance(deleted, DirectoryNotFound)
    assert joined is None


async def test_who_is_erased_twice_at_once_has_one_receipt(run, ola, meet):
    made = await ola()

    await meet(erasing(made), erasing(made))

    assert len(await run(lambda connection, _: list(read_receipts(connection)))) == 1


async def test_receipts_of_erasures_at_once_follow_each_other(run, ola, meet):
    one, other = await ola(), await run(creating("Kari"))

    await meet(erasing(one), erasing(other))

    assert [row["seq"] for row in await run(lambda connection, _: list(read_receipts(connection)))] == [1, 2]


async def test_a_purge_and_an_erasure_of_the_same_do_not_wait_for_each_other(run, server, ola, waiting):
    """The purge holds all that it is about before it takes the end of the chain."""
    made = [await ola() for _ in range(3)]
    for each in made:
        await run(deleting(each))
    last = max(made, key=lambda row: row["id"])

    async with server.begin() as held:
        await held.run_sync(
            lambda sync: sync.exec_driver_sql(f"SELECT 1 FROM contacts WHERE id = '{last['id']}' FOR UPDATE")
        )
        purging = asyncio.create_task(run(lambda connection, _: maintenance.purge(connection, "9", "old")))
        await waiting()
        await held.run_sync(lambda sync: store.erase_contact(sync, OWNER, last["id"], "asked", "test"))

    assert await purging == 2
    assert len(await run(lambda connection, _: list(read_receipts(connection)))) == 3


async def test_a_contact_that_is_restored_and_erased_at_once_is_erased(run, ola, meet):
    one, other = await ola(), await ola()
    await run(deleting(one))
    await run(deleting(other))

    await meet(lambda connection, _: maintenance.restore_contact(connection, one["id"]), erasing(one))
    late = await meet(erasing(other), lambda connection, _: maintenance.restore_contact(connection, other["id"]))

    assert isinstance(late, maintenance.ContactErased)


async def test_a_name_that_comes_while_its_last_contact_goes_is_known(run, ola, meet):
    """Whoever comes waits for who goes, and the other way round."""
    first = await ola()
    await meet(deleting(first), creating("Nordmann Ola"))
    (second, *_) = (await run(store.list_contacts, parse_query(), page=1, per_page=9)).rows

    await meet(creating("Nordmann"), deleting(second))


async def test_a_name_that_two_come_by_at_once_is_not_dropped_with_the_first_of_them(run, server, waiting):
    """The second had only to wait for the first, and keeps the word all the same."""
    async with server.begin() as late:
        async with server.begin() as early:
            first = await early.run_sync(lambda sync: store.create_contact(sync, OWNER, named("Newname")))
            coming = asyncio.create_task(late.run_sync(lambda sync: creating("Newname")(sync, OWNER)))
            await waiting()
        await coming  # written, not committed
        going = asyncio.create_task(run(deleting(first)))
        await waiting()
    await going


async def test_names_that_are_exchanged_do_not_wait_for_each_other(run, jam):
    ola, kari = await run(creating("Olav")), await run(creating("Kari"))
    row = "SELECT 1 FROM spellings WHERE word = 'kari' AND form = word FOR UPDATE"

    rows = await jam(row, updating(kari, name="Olav"), updating(ola, name="Kari"))

    assert [row["name"] for row in rows] == ["Olav", "Kari"]


async def test_types_that_are_exchanged_do_not_wait_for_each_other(run, jam, monkeypatch):
    """Also where both are counted in one slot."""
    monkeypatch.setattr("contacts_mcp.directory.store._index._COUNTER_SLOTS", 2)
    ola, kari = await run(creating("Olav")), await run(creating("Kari", type="company"))
    row = "SELECT 1 FROM counters WHERE term = 'company' FOR UPDATE"

    rows = await jam(row, updating(kari, type="person"), updating(ola, type="company"))

    assert [row["type"] for row in rows] == ["person", "company"]


async def tallied(server, tag):
    async with server.connect() as connection:
        return (await connection.exec_driver_sql(f"SELECT sum(live) FROM counters WHERE term = '{tag}'")).scalar_one()


async def test_a_tag_that_its_last_two_contacts_lose_at_once_is_forgotten(run, server, meet):
    first, second = [await run(creating(name, tags=["Rare"])) for name in ("Ola", "Kari")]

    await meet(deleting(first), updating(second, tags=[]))

    assert await tallied(server, "rare") is None


async def test_a_tag_that_comes_while_its_last_contact_goes_is_counted(run, server, meet, monkeypatch):
    """Where both are counted in one slot: who takes it away waits for who is about to have it."""
    monkeypatch.setattr("contacts_mcp.directory.store._index._COUNTER_SLOTS", 2)
    last = await run(creating("Ola", tags=["Rare"]))

    await meet(creating("Kari", type="company", tags=["rare"]), deleting(last))

    assert await tallied(server, "rare") == 1


async def test_a_tag_that_comes_in_a_slot_of_its_own_while_its_last_contact_goes_is_counted(run, server):
    last = await run(creating("Ola", tags=["rare"]))

    async with server.begin() as held:
        held.sync_connection.info["slot"] = 99
        await held.run_sync(lambda sync: creating("Kari", tags=["rare"])(sync, OWNER))
        await run(deleting(last))

    assert await tallied(server, "rare") == 1


@pytest.mark.parametrize("joins", [False, True])
async def test_many_contacts_are_locked_in_one_order(run, jam, joins):
    """Also where they are too many for one statement, and others come for some of them in the order of their age."""
    made = await run(store.create_contacts, [named(f"Person {number}") for number in range(700)])
    by_id = sorted(made, key=lambda row: row["id"])
    young = max(by_id[:100], key=lambda row: row["seq"])
    old = next(row for row in by_id[600:] if row["seq"] < young["seq"])
    group = await run(grouping())

    def changing(rows):
        return lambda connection, tenant: store.update_contacts(
            connection, tenant, [(row["id"], {"notes": "x"}) for row in rows]
        )

    row = f"SELECT 1 FROM contacts WHERE seq = {old['seq']} FOR UPDATE"
    few, many = await jam(row, changing([young, old]), joining(group, *made) if joins else changing(made))

    assert len(few) == 2
    assert (many if joins else len(many)) == 700


async def test_a_request_that_is_repeated_at_once_makes_one_contact(run, server, meet):
    def once(connection, tenant):
        return create_once(connection, tenant, "key", named("Ola"), store.create_contact, store.get_contact)

    row, again = await meet(once, once)

    assert again
    assert (await run(store.list_contacts, parse_query(), page=1, per_page=9)).rows[0]["id"] == row["id"]


async def test_a_backup_is_brought_back_whole_whoever_writes_meanwhile(run, server, database, waiting, ola, tmp_path):
    """Who has begun is waited for, and what he wrote is replaced as well."""
    await ola()
    await maintenance.back_up(database, tmp_path / "backup.db")

    async with server.begin() as held:
        await held.run_sync(lambda sync: creating("Kari Nordmann")(sync, OWNER))
        restoring = asyncio.create_task(maintenance.restore(database, tmp_path / "backup.db"))
        await waiting()

    assert (await restoring).contacts == 1
    assert (await run(store.list_contacts, parse_query(), page=1, per_page=9)).total == 1


async def test_who_is_erased_while_a_backup_is_brought_back_stays_erased(server, database, waiting, ola, tmp_path):
    """The erasure came after those that were made in the backup: it is not brought back."""
    made = await ola()
    await maintenance.back_up(database, tmp_path / "backup.db")

    async with server.begin() as held:
        await held.run_sync(lambda sync: erasing(made)(sync, OWNER))
        restoring = asyncio.create_task(maintenance.restore(database, tmp_path / "backup.db"))
        await waiting()

    with pytest.raises(maintenance.BackupRefused, match="once more"):
        await restoring
    assert (await maintenance.restore(database, tmp_path / "backup.db")).erased_again == 1
