"""Many processes write to one directory, and processes and servers are killed: no acknowledged write is lost."""

import asyncio
import random

import pytest

from contacts_mcp.directory import parse_location
from support.postgres import run_postgres

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("processes", "tasks", "seconds"), [(3, 8, 3), pytest.param(8, 8, 10, marks=pytest.mark.load)])
async def test_concurrent_processes_lose_no_write(writers, processes, tasks, seconds):
    for number in range(processes):
        writers.start(f"p{number}", tasks, seconds)
    await asyncio.to_thread(writers.begin)
    ended = await asyncio.to_thread(writers.wait, seconds + 120)

    expected = writers.read_logs()
    counts = dict(expected.completed)
    print(f"{writers.location}: {sum(counts.values())} writes and reads in {seconds} s: {counts}")  # noqa: T201 - with -s
    assert ended == [0] * processes, writers.error_output()
    assert expected.failures == []
    # A scrub may fail while other processes write.
    assert all("bytes could not be removed" in line for line in writers.error_output().splitlines())
    assert expected.completed["field"] > processes
    assert await writers.find_differences() == []


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.load)])
async def test_killed_process_keeps_acknowledged_writes_and_no_partial_ones(writers, kills):
    """Another process keeps writing."""
    chance = random.Random(1)
    writers.start("survivor", 2, 3_600)  # seconds: it writes until it is killed
    await asyncio.to_thread(writers.begin)
    for number in range(kills):
        writers.start(f"k{number}", 4, 600)
        await asyncio.to_thread(writers.await_events, f"k{number}", chance.randrange(2, 120))
        writers.kill(f"k{number}")

    survivor = writers.processes["survivor"]
    assert survivor.poll() is None
    writers.kill("survivor")
    expected = writers.read_logs()
    acknowledged, pending = expected.completed.total(), len(expected.pending)
    print(f"{writers.location}: {kills} kills, {acknowledged} acknowledged, {pending} pending")  # noqa: T201 - with -s
    assert expected.failures == []
    assert expected.pending
    assert await writers.find_differences() == []


@pytest.fixture
def crashing_server():
    with run_postgres(safe=True) as server:
        yield server


@pytest.fixture
def crashing_database(crashing_server):
    return parse_location(crashing_server.create_database())


@pytest.mark.load
@pytest.mark.parametrize("location", ["crashing_database"], indirect=True)
async def test_killed_server_keeps_acknowledged_writes_and_no_partial_ones(writers, crashing_server):
    """All processes of the server are killed, and it is restarted; meanwhile writers get a 503."""
    chance = random.Random(1)
    (writers.folder / "go").touch()
    for number in range(5):
        writers.start(f"s{number}", 4, 600)
        await asyncio.to_thread(writers.await_events, f"s{number}", chance.randrange(20, 300))
        await asyncio.to_thread(crashing_server.crash)
        await asyncio.to_thread(writers.processes[f"s{number}"].wait, 120)
        await asyncio.to_thread(crashing_server.start)

    expected = writers.read_logs()
    print(f"5 crashes, {expected.completed.total()} acknowledged, {len(expected.failures)} refused")  # noqa: T201 - with -s
    assert expected.failures
    assert {status for status, _ in expected.failures} == {503}, expected.failures
    assert await writers.find_differences() == []
