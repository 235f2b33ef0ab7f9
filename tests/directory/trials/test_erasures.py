"""Many erasures among many contacts leave no byte of the erased ones."""

import asyncio
import random
import re
import string

import httpx
import pytest

from contacts_mcp.directory import Directory, store
from contacts_mcp.directory.database import OWNER
from contacts_mcp.directory.maintenance import check, sample_contacts
from contacts_mcp.directory.store import parse_query

pytestmark = pytest.mark.system


@pytest.mark.load
async def test_thousand_erased_contacts_among_many_leave_no_byte_in_any_file(path):
    """Searches for unique names, numbers and addresses in the file, its write-ahead log and its journal."""
    async with Directory(path) as directory:
        database = directory._database
        others = list(sample_contacts(49_000))
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
        left = b"".join(file.read_bytes() for file in path.parent.iterdir()).lower()
        numbers = {each["phone_number"][1:].encode() for each in secrets}

        assert re.findall(rb"q[a-z]\d{5}|zw\d{5}q", left) == []
        assert numbers.intersection(re.findall(rb"(?=(479\d{5}77\d))", left)) == set()
        assert await database.read(check) == []


async def test_erasure_leaves_no_byte_in_split_pages(path):
    """Rows that SQLite moved between pages leave no copy, which `secure_delete` does not ensure."""
    chance = random.Random(1)
    words = ["qz" + "".join(chance.choices(string.ascii_lowercase, k=chance.randint(8, 20))) for _ in range(6000)]
    empty = {"type": "person", "tags": [], "email": None, "phone_number": None, "notes": None}

    def fill(connection):
        rows = (
            store.create_contact(connection, 1, {**empty, "name": f"{a} {b}", "company_name": c}) for a, b, c in triples
        )
        return [row["id"] for row in rows]

    def erase_half(connection, ids):
        for each in chance.sample(ids, len(ids) // 2):
            store.erase_contact(connection, 1, each, "r", "test")

    triples = list(zip(*[iter(words)] * 3, strict=True))
    async with Directory(path) as directory:
        await directory._database.erase(erase_half, await directory._database.write(fill))
        listed = await directory._database.read(store.list_contacts, 1, parse_query(), page=1, per_page=2000)
        kept = {word for row in listed.rows for word in f"{row['name']} {row['company_name']}".split()}
        left = b" ".join(
            {each for file in path.parent.iterdir() for each in re.findall(rb"qz[a-z]+", file.read_bytes())}
        )

    assert listed.total == 1000
    assert {word for word in words if word.encode() in left} == kept
