"""The primary PostgreSQL server is killed and its standby promoted, while many callers write through two servers."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx
import pytest

from contacts_mcp.directory import Directory, parse_location
from network.servers import over_directory, quick_folder, replicas
from support.lost_host import needs_namespaces, new_host
from support.postgres_pair import PostgresPair, run_pair
from support.processes import MAX_WAIT_SECONDS, wait_until
from support.raw_hosts import ModernConnection

pytestmark = pytest.mark.load

CALLERS = 64
FAILOVERS = 10
MAX_SECONDS_TO_SERVICE = 5.0
"""From the promotion until both servers have stored another contact."""
UNDER_WAY = 40
"""Contacts that are stored before the primary is killed."""
UNKNOWN = "outcome_unknown"


@dataclass
class World:
    """Two MCP servers over the directory of a primary and its standby."""

    pair: PostgresPair
    database: str
    ports: list[int]
    stored: dict[str, str] = field(default_factory=dict)
    """The ids of contacts by name, whose creation was acknowledged."""
    refused: dict[str, str] = field(default_factory=dict)
    """The errors by name of the contact that a caller asked for."""
    stored_by: Counter[int] = field(default_factory=Counter)
    """How many contacts each server has stored."""
    is_over: bool = False

    async def has_stored_more(self, contacts: int) -> None:
        """Wait until each server has stored so many contacts more."""
        wanted = {port: self.stored_by[port] + contacts for port in self.ports}
        await wait_until(lambda: all(self.stored_by[port] >= number for port, number in wanted.items()), "none stored")


@contextmanager
def world() -> Iterator[World]:
    with quick_folder() as folder, run_pair() as pair:
        pair.primary.sql("CREATE DATABASE contacts")
        settings = over_directory(pair.url("contacts"))
        with replicas(folder, settings, settings) as servers:
            yield World(pair, "contacts", [server.port for server in servers])


async def test_failover_to_the_standby_loses_nothing_and_makes_nothing_twice(tried):
    """What was acknowledged is there once, an unknown outcome at most once, and any other error has changed nothing."""
    with world() as here:
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLERS):
                callers.create_task(write(here, number))
            try:
                waits = [await fail_over(here) for _ in range(FAILOVERS)]
            finally:
                here.is_over = True
        there = Counter(here.pair.primary.sql("SELECT name FROM contacts", here.database).splitlines())

    lost = [name for name in here.stored if there[name] != 1]
    twice = [name for name, number in there.items() if number > 1]
    denied = {name: error for name, error in here.refused.items() if not error.startswith(UNKNOWN)}
    untrue = [error for name, error in denied.items() if there[name] or "nothing was changed" not in error]
    assert (lost, twice, untrue) == ([], [], [])
    assert set(there) <= {*here.stored, *here.refused}
    assert max(waits) <= MAX_SECONDS_TO_SERVICE
    tried("contacts stored around failovers", len(here.stored))
    tried("calls refused around failovers, with nothing changed", len(denied))
    tried("calls with an unknown outcome around failovers", len(here.refused) - len(denied))
    tried("milliseconds from the longest promotion to service", int(max(waits) * 1000))


async def write(here: World, number: int) -> None:
    """Create one contact after the other, each with its own name, through one of the two servers."""
    port = here.ports[number % len(here.ports)]
    async with ModernConnection(port) as caller:
        for turn in itertools.count():
            if here.is_over:
                return
            name = f"Caller {number} {turn}"
            answer = await caller.call("create_contact", name=name)
            if answer.failed:
                here.refused[name] = answer.line
            else:
                here.stored[name] = answer.content["id"]
                here.stored_by[port] += 1


async def fail_over(here: World) -> float:
    """Kill the primary, promote the standby, and give it a standby; return the seconds until both servers store."""
    await here.has_stored_more(UNDER_WAY)
    await asyncio.to_thread(here.pair.primary.kill)
    await asyncio.to_thread(here.pair.promote)
    promoted = time.monotonic()
    await here.has_stored_more(1)
    seconds = time.monotonic() - promoted
    await asyncio.to_thread(here.pair.follow)
    return seconds


@needs_namespaces
async def test_primary_whose_machine_is_lost_is_replaced_by_the_promoted_standby():
    """Such a machine ends no connection: they must be given up, and the lost host must not hide the other one."""
    with new_host() as machine, run_pair(machine) as pair:
        pair.primary.sql("CREATE DATABASE contacts")
        async with Directory(parse_location(pair.url("contacts"))) as directory, client_of(directory) as http:
            assert await create(http, "Before") == HTTPStatus.CREATED
            machine.vanish()

            meanwhile = asyncio.create_task(create(http, "Meanwhile"))
            await asyncio.to_thread(pair.promote)
            await wait_until_created(http, "After")

            assert await meanwhile in (HTTPStatus.CREATED, HTTPStatus.SERVICE_UNAVAILABLE)
            stored = pair.primary.sql("SELECT name FROM contacts", "contacts").splitlines()
            assert {"Before", "After"} <= set(stored)
            assert len(stored) == len(set(stored))


def client_of(directory: Directory) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://directory", timeout=60)


async def create(http: httpx.AsyncClient, name: str) -> int:
    return (await http.post("/v1/contacts", json={"name": name})).status_code


async def wait_until_created(http: httpx.AsyncClient, name: str) -> None:
    async with asyncio.timeout(MAX_WAIT_SECONDS):
        while await create(http, name) != HTTPStatus.CREATED:
            pass
