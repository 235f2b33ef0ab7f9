"""Many processes with many tasks write to one directory: no write is lost or refused."""

import asyncio

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("processes", "tasks", "seconds"), [(3, 8, 3), pytest.param(8, 8, 10, marks=pytest.mark.load)])
async def test_concurrent_processes_lose_no_write(crowd, lost, processes, tasks, seconds):
    for number in range(processes):
        crowd.start(f"p{number}", tasks, seconds)
    await asyncio.to_thread(crowd.go)
    ended = await asyncio.to_thread(crowd.join, seconds + 120)

    ledger = crowd.ledger()
    print(f"{crowd.place}: {ledger.done.total()} writes and reads in {seconds} s: {dict(ledger.done)}")  # noqa: T201 - with -s
    assert ended == [0] * processes, crowd.written()
    assert ledger.failed == []
    assert all("bytes could not be removed" in line for line in crowd.written().splitlines())  # while others write
    assert ledger.done["field"] > processes
    assert await lost() == []
