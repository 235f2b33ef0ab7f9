"""Processes and servers that are killed while they write: what was acknowledged is there, and nothing by halves."""

import asyncio
import random

import pytest

import postgres_server
from contacts_mcp.directory import parse_location

pytestmark = pytest.mark.system


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.load)])
async def test_a_process_that_is_killed_leaves_what_it_acknowledged_and_nothing_by_halves(crowd, lost, kills):
    """Meanwhile another one goes on."""
    chance = random.Random(1)
    crowd.start("survivor", 2, 3_600)  # longer than any of this: it ends when it is killed
    await asyncio.to_thread(crowd.go)
    for number in range(kills):
        crowd.start(f"k{number}", 4, 600)
        await asyncio.to_thread(crowd.await_events, f"k{number}", chance.randrange(2, 120))
        crowd.kill(f"k{number}")

    survivor = crowd.processes["survivor"]
    assert survivor.poll() is None
    crowd.kill("survivor")
    ledger = crowd.ledger()
    print(f"{crowd.place}: {kills} kills, {ledger.done.total()} acknowledged, {len(ledger.begun)} under way")  # noqa: T201 - with -s
    assert ledger.failed == []
    assert ledger.begun
    assert await lost() == []


@pytest.mark.load
@pytest.mark.parametrize("place", ["crashing"], indirect=True)
async def test_a_server_that_is_killed_keeps_what_it_acknowledged_and_nothing_by_halves(crowd, lost, crashing_server):
    """Whole, with all its processes, and started again; writers are told that it does not answer."""
    chance = random.Random(1)
    (crowd.folder / "go").touch()
    for number in range(8):
        crowd.start(f"s{number}", 4, 600)
        await asyncio.to_thread(crowd.await_events, f"s{number}", chance.randrange(20, 300))
        await asyncio.to_thread(crashing_server.crash)
        await asyncio.to_thread(crowd.processes[f"s{number}"].wait, 120)
        await asyncio.to_thread(crashing_server.start)

    ledger = crowd.ledger()
    print(f"8 crashes, {ledger.done.total()} acknowledged, {len(ledger.failed)} refused")  # noqa: T201 - with -s
    assert ledger.failed
    assert {status for status, _ in ledger.failed} == {503}, ledger.failed
    assert await lost() == []


@pytest.fixture
def crashing_server():
    with postgres_server.running(safe=True) as server:
        yield server


@pytest.fixture
def place(request):
    """As everywhere, and on a server of the test's own."""
    if request.param == "crashing":
        return parse_location(request.getfixturevalue("crashing_server").create_database())
    return request.getfixturevalue("path" if request.param == "sqlite" else "database")


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames and "crashing_server" not in metafunc.fixturenames:
        metafunc.parametrize("place", ["sqlite", "postgresql"], indirect=True)
