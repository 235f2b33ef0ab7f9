"""Many tasks and processes write to one directory, and some are killed: no acknowledged write is lost."""

import asyncio
import random
import subprocess
import sys

import pytest

from contacts_mcp.directory import parse_location
from support.postgres import run_postgres

pytestmark = pytest.mark.system

WRITER = """
import asyncio, sys, httpx
from pathlib import Path
from contacts_mcp.directory import Directory
async def main(path, count):
    async with Directory(Path(path)) as directory, httpx.AsyncClient(
        transport=httpx.ASGITransport(app=directory.app), base_url="http://d"
    ) as http:
        for number in range(count):
            answer = await http.post("/v1/contacts", json={"name": f"Contact {number}"})
            assert answer.status_code == 201, answer.text
            print(answer.json()["id"], flush=True)
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_three_processes_that_create_one_file_lose_no_contact(path, open_directory):
    command = [sys.executable, "-c", WRITER, str(path), "10"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen(command, **pipes) for _ in range(3)]  # noqa: ASYNC220 - nothing else goes on
    results = [writer.communicate(timeout=60) for writer in writers]

    assert [(writer.returncode, err) for writer, (_, err) in zip(writers, results, strict=True)] == [(0, "")] * 3
    acknowledged = [line for out, _ in results for line in out.split()]
    assert len(acknowledged) == 30
    async with open_directory(path) as http:
        stored = (await http.get("/v1/contacts", params={"per_page": 100})).json()["contacts"]
    assert sorted(row["id"] for row in stored) == sorted(acknowledged)


async def test_64_concurrent_tasks_leave_consistent_counts_and_lists(http, create_group):
    """No answer is an error, and all counts equal the lists."""
    groups = [(await create_group(f"G{number}"))["id"] for number in range(3)]
    contacts: list[str] = []

    async def task(seed):
        chance = random.Random(seed)
        for _ in range(4):
            made = (await http.post("/v1/contacts", json={"name": f"Task {seed}", "tags": ["t"]})).json()["id"]
            contacts.append(made)
            some, group = chance.choice(contacts), chance.choice(groups)
            url = f"/v1/contacts/{some}"
            method, url, body = chance.choice(
                [
                    ("POST", f"/v1/contacts/groups/{group}/members", {"contact_ids": [some, made]}),
                    ("DELETE", f"/v1/contacts/groups/{group}/members/{some}", None),
                    ("PATCH", url, {"name": f"Changed {seed}", "notes": None}),
                    ("DELETE", url, None),
                    ("GET", url, None),
                    ("GET", "/v1/contacts?search=task", None),
                ]
            )
            answer = await http.request(method, url, json=body)
            assert answer.status_code in {200, 204, 404}, answer.text

    await asyncio.gather(*(task(seed) for seed in range(64)))

    live, page = set(), 1
    while rows := (await http.get(f"/v1/contacts?per_page=100&page={page}")).json()["contacts"]:
        live |= {row["id"] for row in rows}
        page += 1
    assert (await http.get("/v1/contacts?tags=t")).json()["total"] == len(live)
    for row in (await http.get("/v1/contacts/groups")).json()["groups"]:
        members = (await http.get(f"/v1/contacts/groups/{row['id']}/members")).json()["members"]
        assert row["member_count"] == len(members) == len({member["id"] for member in members})
        assert {member["id"] for member in members} <= live


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


@pytest.mark.parametrize(
    "kills",
    [3, pytest.param(8, marks=pytest.mark.load), pytest.param(20, marks=[pytest.mark.load, pytest.mark.endurance])],
)
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
