"""Concurrent tasks of one process, and processes that create the same file (see also `trials`)."""

import asyncio
import random
import subprocess
import sys
from contextlib import aclosing

import pytest

from contacts_mcp.directory.database import Database

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


@pytest.mark.parametrize(("statements", "begun", "isolation"), [(1, 1, "read committed"), (2, 2, "repeatable read")])
async def test_query_with_a_second_statement_starts_again_on_a_snapshot(database, statements, begun, isolation):
    """One statement is a snapshot by itself; with a second one, the work starts again in a transaction."""
    begins = []

    def work(connection):
        begins.append(connection)
        seen = [connection.exec_driver_sql("SHOW transaction_isolation").scalar_one() for _ in range(statements)]
        return seen[-1]

    async with aclosing(Database(database)) as opened:
        assert await opened.query(work) == isolation
    assert len(begins) == begun
