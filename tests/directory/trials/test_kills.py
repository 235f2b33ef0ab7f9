"""Processes and servers that are killed while they write keep acknowledged writes, and no partial ones."""

import asyncio
import random

import pytest

from contacts_mcp.directory import parse_location
from support.postgres import run_postgres

pytestmark = pytest.mark.system


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.load)])
async def test_killed_process_keeps_acknowledged_writes_and_no_partial_ones(crowd, lost, kills):
    """Another process keeps writing."""
    chance = random.Random(1)
    crowd.start("survivor", 2, 3_600)  # seconds: it writes until it is killed
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
async def test_killed_server_keeps_acknowledged_writes_and_no_partial_ones(crowd, lost, crashing_server):
    """All processes of the server are killed, and it is restarted; meanwhile writers get a 503."""
    chance = random.Random(1)
    (crowd.folder / "go").touch()
    for number in range(5):
        crowd.start(f"s{number}", 4, 600)
        await asyncio.to_thread(crowd.await_events, f"s{number}", chance.randrange(20, 300))
        await asyncio.to_thread(crashing_server.crash)
        await asyncio.to_thread(crowd.processes[f"s{number}"].wait, 120)
        await asyncio.to_thread(crashing_server.start)

    ledger = crowd.ledger()
    print(f"5 crashes, {ledger.done.total()} acknowledged, {len(ledger.failed)} refused")  # noqa: T201 - with -s
    assert ledger.failed
    assert {status for status, _ in ledger.failed} == {503}, ledger.failed
    assert await lost() == []


@pytest.fixture
def crashing_server():
    with run_postgres(safe=True) as server:
        yield server


@pytest.fixture
def place(request):
    """The usual locations, or a server of the test's own."""
    if request.param == "crashing":
        return parse_location(request.getfixturevalue("crashing_server").create_database())
    return request.getfixturevalue("path" if request.param == "sqlite" else "database")


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames and "crashing_server" not in metafunc.fixturenames:
        metafunc.parametrize("place", ["sqlite", "postgresql"], indirect=True)
