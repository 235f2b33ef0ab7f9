"""All stores of approvals behave alike: in memory, in a folder, in Redis, and in the directory's database."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest

from contacts_mcp.app import Embedded, connect
from contacts_mcp.contract import Risk
from contacts_mcp.directory import Directory, parse_location
from contacts_mcp.guard import (
    Approvals,
    ApprovalStore,
    ApprovalStoreUnavailable,
    Consent,
    Decision,
    FileApprovalStore,
    GuardedCall,
    MemoryApprovalStore,
    RedisStore,
    Seal,
    Target,
)
from contacts_mcp.private_folder import PrivateFolder
from support.clock import Clock
from support.processes import free_port, needs_redis, run_redis

TARGET = Target(label="Ola", effect="He goes.", fingerprint="a")
SOON = 600.0


@asynccontextmanager
async def memory(_request) -> AsyncIterator[list[ApprovalStore]]:
    yield [MemoryApprovalStore()] * 2


@asynccontextmanager
async def folder(request) -> AsyncIterator[list[ApprovalStore]]:
    path = request.getfixturevalue("tmp_path") / "approvals"
    yield [FileApprovalStore(PrivateFolder(path)) for _ in range(2)]


@asynccontextmanager
async def redis(_request) -> AsyncIterator[list[ApprovalStore]]:
    with free_port() as port, run_redis(port):
        stores = [RedisStore(f"redis://127.0.0.1:{port}/0") for _ in range(2)]
        yield stores
        for store in stores:
            await store.aclose()


@asynccontextmanager
async def directories(location) -> AsyncIterator[list[ApprovalStore]]:
    async with AsyncExitStack() as opened:
        connections = [connect(Embedded(location, "test")) for _ in range(2)]
        for connection in connections:
            await opened.enter_async_context(connection.lifespan())
        yield connections


def sqlite(request):
    return directories(request.getfixturevalue("tmp_path") / "contacts.db")


def postgresql(request):
    return directories(parse_location(request.getfixturevalue("postgres").create_database()))


@pytest.fixture(
    params=[
        memory,
        folder,
        pytest.param(redis, marks=[pytest.mark.system, needs_redis]),
        sqlite,
        pytest.param(postgresql, marks=pytest.mark.system),
    ],
    ids=lambda open_stores: open_stores.__name__,
)
async def stores(request):
    """Two stores of different processes, which share their records; in memory it is one."""
    async with request.param(request) as opened:
        yield opened


each_crowd = pytest.mark.parametrize("callers", [100, pytest.param(1_000, marks=pytest.mark.slow)])


@each_crowd
async def test_record_is_created_once_by_many_parallel_callers(stores, callers):
    """The first content stays, in each of the processes."""
    expires = time.time() + SOON
    tries = [stores[number % 2].create("aa-1", f"content {number}", expires) for number in range(callers)]

    created = await asyncio.gather(*tries)

    winner = created.index(True)
    assert sum(created) == 1
    assert [await store.read("aa-1") for store in stores] == [f"content {winner}"] * 2


async def test_names_are_found_by_their_beginning_only(stores):
    expires = time.time() + SOON
    for name in ("aa-1", "aa-1-used", "aab-1", "bb-1", "b_-1", "b%-1"):
        await stores[0].create(name, "", expires)

    found = {prefix: sorted(await stores[1].names(prefix)) for prefix in ("aa-", "b_-", "b%", "c")}

    assert found == {"aa-": ["aa-1", "aa-1-used"], "b_-": ["b_-1"], "b%": ["b%-1"], "c": []}


async def test_missing_record_is_none(stores):
    assert await stores[0].read("aa-1") is None


async def test_content_comes_back_as_it_was(stores):
    content = "Ø 'quoted' \" \\ % _ \U0001f600 " + "x" * 300_000
    await stores[0].create("aa-1", content, time.time() + SOON)

    assert await stores[1].read("aa-1") == content


async def ola() -> Target:
    return TARGET


def call(**arguments) -> GuardedCall:
    return GuardedCall("delete_contact", Risk.DESTROY, arguments, "local", ola)


def approvals_of(stores) -> list[Approvals]:
    """The approvals of two processes with one key."""
    return [Approvals(store, Seal(SOON, ["k" * 32])) for store in stores]


async def ask(approvals, seconds=SOON, **arguments):
    return await approvals.request(
        call(**arguments), TARGET, directory="", asked_by="a host 1", lifetime_seconds=seconds
    )


async def test_approval_that_has_expired_cannot_be_decided_and_is_not_listed(stores):
    here, there = approvals_of(stores)
    expired, waiting = await ask(here, -1.0, contact_id="1"), await ask(here, contact_id="2")

    decision = Decision(expired.id, True, Consent.TERMINAL, "uid 1", time.time())

    assert await there.pending("") == [waiting]
    assert not await there.decide(expired, decision)
    assert await here.decision_on(expired) is None


@each_crowd
async def test_one_of_many_parallel_decisions_counts_and_is_used_once(stores, callers):
    both = approvals_of(stores)
    approval = await ask(both[0], contact_id="1")
    decisions = [Decision(approval.id, bool(n % 2), Consent.TERMINAL, f"uid {n}", 1.0) for n in range(callers)]

    stored = await asyncio.gather(*(both[n % 2].decide(approval, each) for n, each in enumerate(decisions)))
    used = await asyncio.gather(*(both[n % 2].use(approval) for n in range(callers // 10)))

    winner = decisions[stored.index(True)]
    assert sum(stored) == 1
    assert [await each.decision_on(approval) for each in both] == [winner] * 2
    assert sum(used) == 1


async def test_record_of_another_key_is_not_read(stores):
    here, _ = approvals_of(stores)
    await ask(here, contact_id="1")

    assert await Approvals(stores[1], Seal(SOON, ["x" * 32])).pending("") == []


async def test_directory_forgets_expired_records(tmp_path):
    """The next record deletes them."""
    async with sqlite_of(tmp_path) as (store, _):
        await store.create("old", "", time.time() - 1)
        await store.create("alive", "", time.time() + SOON)

        assert (await store.read("old"), await store.read("alive")) == (None, "")


def sqlite_of(tmp_path):
    return directories(tmp_path / "contacts.db")


async def test_backup_has_no_approvals_and_restoring_one_removes_those_of_the_directory(tmp_path):
    """What was asked about another state of the contacts must not run."""
    async with Directory(tmp_path / "contacts.db") as directory:
        await directory.create_approval("aa-1", "sealed content", time.time() + SOON)
        await directory.maintenance.back_up(tmp_path / "copy.db", lambda _: None)
        held = (tmp_path / "copy.db").read_bytes()
        await directory.maintenance.restore_backup(tmp_path / "copy.db", [], lambda _: None)

        assert b"sealed content" not in held
        assert await directory.approval_names("") == []


async def test_folder_forgets_records_a_minute_after_they_have_expired(tmp_path):
    store = FileApprovalStore(PrivateFolder(tmp_path / "approvals"), Clock())
    for seconds in (-61, -59, 600):
        await store.create(f"expires{seconds}", "", Clock.now + seconds)

    assert sorted(await store.names("")) == ["expires-59", "expires600"]


@contextmanager
def redis_that_ended(_tmp_path):
    with free_port() as port:
        with run_redis(port):
            pass
        yield RedisStore(f"redis://127.0.0.1:{port}/0")


@contextmanager
def removed_folder(tmp_path):
    private = PrivateFolder(tmp_path / "approvals")
    private.path.rmdir()
    private.path.write_text("a file")
    yield FileApprovalStore(private)


@contextmanager
def directory_of_another_program(tmp_path):
    (tmp_path / "contacts.db").write_text("This is not a database, but a text of some length.")
    yield connect(Embedded(tmp_path / "contacts.db", "test"))


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(redis_that_ended, marks=[pytest.mark.system, needs_redis]),
        removed_folder,
        directory_of_another_program,
    ],
    ids=lambda broken: broken.__name__,
)
async def test_store_that_cannot_be_used_is_unavailable(tmp_path, broken):
    """Each method says so, and none of them what the driver said."""
    with broken(tmp_path) as store:
        for attempt in (store.create("a", "b", time.time() + SOON), store.read("a"), store.names("a")):
            with pytest.raises(ApprovalStoreUnavailable) as raised:
                await attempt
            assert (raised.value.code, raised.value.message) == (
                "approvals_unavailable",
                "cannot read or store a person's decision",
            )
