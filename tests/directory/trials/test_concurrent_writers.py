"""Many processes with many tasks write to one directory: no write is lost or refused."""

import asyncio

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("processes", "tasks", "seconds"), [(3, 8, 3), pytest.param(8, 8, 10, marks=pytest.mark.load)])
async def test_concurrent_processes_lose_no_write(writers, find_differences, processes, tasks, seconds):
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
    assert await find_differences() == []
