"""Searches and lists on a standby, with real servers: what it answers, and when the primary does."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import httpx
import pytest

from contacts_mcp.directory import Directory, parse_location, with_replica
from support.postgres_pair import run_pair
from support.processes import wait_until

pytestmark = pytest.mark.system

LISTS = ("/v1/contacts", "/v1/contacts?search=ola", "/v1/contacts/groups")


@pytest.fixture(scope="module")
def pair():
    with run_pair() as servers:
        yield servers


_numbers = itertools.count(1)


@pytest.fixture
def database(pair):
    name = f"contacts{next(_numbers)}"
    pair.primary.sql(f"CREATE DATABASE {name}")
    return name


@asynccontextmanager
async def client_of(location):
    async with (
        Directory(location) as directory,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://directory") as client,
    ):
        yield client


def over_both(pair, database):
    return with_replica(
        parse_location(pair.url_of(pair.primary, database)), parse_location(pair.url_of(pair.standby, database))
    )


def scans(node, database):
    """How often a server has read the contacts."""
    node.sql("SELECT pg_stat_force_next_flush()", database)
    return int(
        node.sql("SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname='contacts'", database)
    )


async def names(http):
    return [contact["first_name"] for contact in (await http.get("/v1/contacts")).json()["contacts"]]


async def create(http, name):
    assert (await http.post("/v1/contacts", json={"name": name})).status_code == 201


async def test_lists_are_answered_by_the_standby(pair, database):
    async with client_of(over_both(pair, database)) as http:
        await create(http, "Ola")
        pair.wait_for_replay()
        before = scans(pair.standby, database)

        for address in LISTS:
            assert (await http.get(address)).status_code == 200
        assert await names(http) == ["Ola"]

    assert scans(pair.standby, database) > before


async def test_write_of_any_process_is_read_back_while_the_standby_is_behind(pair, database):
    """The primary answers, for the writer and for others."""
    location = over_both(pair, database)
    async with client_of(location) as here, client_of(location) as there:
        await create(here, "Before")
        assert await names(there) == ["Before"]
        pair.standby.sql("SELECT pg_wal_replay_pause()")
        try:
            for number in range(5):
                await create(here, f"Contact{number}")
                assert (await names(here))[0] == (await names(there))[0] == f"Contact{number}"
        finally:
            pair.standby.sql("SELECT pg_wal_replay_resume()")


async def test_searches_find_the_contacts_that_were_just_created(pair, database):
    """Many writers and readers at a time, with a standby that follows: nobody misses an own contact."""
    async with client_of(over_both(pair, database)) as http:

        async def write_and_search(writer):
            for turn in range(10):
                name = f"writer{writer}turn{turn}"
                await create(http, name)
                found = (await http.get("/v1/contacts", params={"search": name})).json()["contacts"]
                assert [contact["first_name"] for contact in found] == [name]

        await asyncio.gather(*(write_and_search(writer) for writer in range(8)))


async def test_standby_that_ends_is_replaced_by_the_primary(pair, database, caplog):
    async with client_of(over_both(pair, database)) as http:
        await create(http, "Ola")
        assert await names(http) == ["Ola"]
        pair.primary.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        pair.primary.sql("SELECT pg_reload_conf()")
        pair.standby.kill()

        for _ in range(5):
            assert await names(http) == ["Ola"]
        await create(http, "Kari")
        assert await names(http) == ["Kari", "Ola"]

    assert caplog.text.count("does not answer") == 1
    pair.standby.start()
    await wait_until(lambda: pair.primary.sql("SELECT count(*) FROM pg_stat_replication") == "1")
