"""Many erasures among many contacts leave no byte of those who were erased."""

import asyncio

import httpx
import pytest

from contacts_mcp.directory import Directory
from contacts_mcp.directory.database.tables import OWNER
from contacts_mcp.directory.store import contacts as store
from contacts_mcp.directory.upkeep.check import check
from contacts_mcp.directory.upkeep.sample import sample_contacts

pytestmark = pytest.mark.system


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
