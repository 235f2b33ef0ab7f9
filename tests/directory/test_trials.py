"""Many processes at once, and processes that are killed: what was acknowledged is there, and everything is true."""

import asyncio
import json
import random
import signal
import subprocess
import sys

import httpx
import pytest

from contacts_mcp.directory import Directory, Server, parse_place
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.database.tables import OWNER
from contacts_mcp.directory.store import contacts as store
from contacts_mcp.directory.upkeep.check import check
from contacts_mcp.directory.upkeep.sample import sample_contacts

WRITER = '''
import asyncio, json, random, sys, time, httpx
from contacts_mcp.directory import Directory, parse_place

async def task(http, shared, groups, name, until, chance):
    """Owns one tag of every shared contact, and does whatever else there is to do."""
    while time.monotonic() < until:
        contact, group = chance.choice(shared), chance.choice(groups)
        new = {"name": f"Made {name}", "phone_number": "+4790000000"}
        made = (await http.post("/v1/contacts", json=new)).json()["id"]
        url = f"/v1/contacts/{made}"
        answers = [
            await http.patch(f"/v1/contacts/{contact}", json={chance.choice(["notes", "company_name"]): name}),
            await http.post(f"/v1/contacts/groups/{group}/members", json={"contact_ids": [made, contact]}),
            await http.patch(url, json={"name": f"Changed {name} {chance.randrange(99)}", "tags": [name]}),
            await http.delete(f"/v1/contacts/groups/{group}/members/{contact}"),
        ]
        if chance.randrange(3) == 0:
            answers.append(await http.delete(url))
        assert all(answer.status_code in (200, 201, 204, 404) for answer in answers), [a.text for a in answers]
        print(json.dumps([made, len(answers) == 5]), flush=True)

async def main(place, seconds, tasks, name, shared, groups):
    async with Directory(parse_place(place)) as directory, httpx.AsyncClient(
        transport=httpx.ASGITransport(app=directory.app), base_url="http://d", timeout=60
    ) as http:
        until = time.monotonic() + seconds
        names = [f"{name}x{number}" for number in range(tasks)]
        await asyncio.gather(*(task(http, shared, groups, each, until, random.Random(each)) for each in names))

asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4], *map(json.loads, sys.argv[5:7])))
'''


def address(place):
    return place.url.replace("+asyncpg", "") if isinstance(place, Server) else str(place)


def start(place, seconds, tasks, name, shared, groups):
    arguments = [address(place), str(seconds), str(tasks), name, json.dumps(shared), json.dumps(groups)]
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, text=True)


async def faults_of(place):
    database = Database(place)
    try:
        return await database.read(check)
    finally:
        await database.aclose()


@pytest.fixture
async def shared(http):
    """Ids of contacts and of groups that everybody writes to."""
    contacts = [(await http.post("/v1/contacts", json={"name": f"Shared {n}"})).json()["id"] for n in range(8)]
    groups = [(await http.post("/v1/contacts/groups", json={"name": f"G{n}"})).json()["id"] for n in range(3)]
    return contacts, groups


@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=pytest.mark.load)])
async def test_8_processes_with_64_tasks_lose_nothing_and_leave_everything_true(http, place, shared, seconds):
    writers = [start(place, seconds, 8, f"p{number}", *shared) for number in range(8)]
    outputs = [await asyncio.to_thread(writer.communicate, timeout=seconds + 60) for writer in writers]

    assert [writer.returncode for writer in writers] == [0] * 8
    written = [json.loads(line) for out, _ in outputs for line in out.splitlines()]
    assert written
    kept = {made for made, deleted in written if not deleted}
    answer = await http.get("/v1/contacts", params={"search": "changed"})
    assert answer.json()["total"] == len(kept)
    assert (await http.get("/v1/contacts")).json()["total"] == len(kept) + 8
    assert await faults_of(place) == []


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.load)])
async def test_a_killed_process_leaves_what_it_acknowledged_and_nothing_by_halves(http, place, shared, kills):
    chance = random.Random(1)
    acknowledged = []
    for number in range(kills):
        writer = start(place, 60, 4, f"k{number}", *shared)
        acknowledged += [json.loads(writer.stdout.readline()) for _ in range(chance.randrange(1, 12))]
        writer.send_signal(signal.SIGKILL)
        out, _ = writer.communicate(timeout=30)
        acknowledged += [json.loads(line) for line in out.splitlines() if line.endswith("]")]

    for made, deleted in acknowledged:
        assert (await http.get(f"/v1/contacts/{made}")).status_code == (404 if deleted else 200)
    assert await faults_of(place) == []


@pytest.mark.load
async def test_no_byte_of_a_thousand_erased_among_a_hundred_thousand_is_in_any_file(path):
    """Names, numbers and addresses that nobody else has, looked for in the file, its log and its journal."""
    made = []
    async with Directory(path) as directory:
        database = directory._database
        others = list(sample_contacts(99_000))
        for first in range(0, len(others), 5_000):
            await database.write(store.create_contacts, OWNER, others[first : first + 5_000])
        secrets = [
            {
                "type": "person",
                "name": f"Qz{number:05}x Zw{number:05}q",
                "company_name": f"Qc{number:05}c AS",
                "phone_number": f"+479{number:05}77{number % 10}",
                "email": f"qm{number:05}@qd{number:05}.example",
                "tags": [f"qt{number:05}"],
                "notes": f"qn{number:05} " * 40,
            }
            for number in range(1_000)
        ]
        made = [row["id"] for row in await database.write(store.create_contacts, OWNER, secrets)]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(directory.app), base_url="http://d", timeout=None
        ) as http:
            answers = await asyncio.gather(
                *(http.post(f"/v1/contacts/{each}/gdpr-delete", json={"reason": "asked"}) for each in made)
            )
        assert {answer.status_code for answer in answers} == {200}
        everything = b"".join(file.read_bytes() for file in path.parent.iterdir()).lower()
        values = [value for each in secrets for value in (*each["name"].split(), each["email"], each["tags"][0])]
        values += [each["phone_number"][1:] for each in secrets] + [each["notes"][:7] for each in secrets]

        assert [value for value in values if value.lower().encode() in everything] == []
        assert await database.read(check) == []


def test_an_address_survives_its_way_to_another_process(database):
    assert parse_place(address(database)) == database
