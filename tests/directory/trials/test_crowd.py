"""Many processes with many tasks write to one directory at once: nothing is lost, and nobody is turned away."""

import asyncio

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("processes", "tasks", "seconds"), [(3, 8, 3), pytest.param(8, 8, 30, marks=pytest.mark.load)])
async def test_what_many_processes_write_at_once_is_all_there(crowd, lost, processes, tasks, seconds):
    for number in range(processes):
        crowd.start(f"p{number}", tasks, seconds)
    await asyncio.to_thread(crowd.go)
    ended = await asyncio.to_thread(crowd.join, seconds + 120)

    ledger = crowd.ledger()
    print(f"{crowd.place}: {ledger.done.total()} writes and reads in {seconds} s: {dict(ledger.done)}")  # noqa: T201 - with -s
    assert ended == [0] * processes, crowd.written()
    assert ledger.failed == []
    assert all("bytes could not be removed" in line for line in crowd.written().splitlines())  # yet, in a crowd
    assert ledger.done["field"] > processes
    assert await lost() == []
