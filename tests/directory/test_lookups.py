"""Lookups in a PostgreSQL database use an index, from the first contact on."""

import pytest

from contacts_mcp.directory import Location
from contacts_mcp.directory.database._postgres import connect

pytestmark = pytest.mark.system

SCANS = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('contacts', 'contact_terms', 'memberships')"
READ = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'contact_terms'"
CONTACT = {"name": "Ola Hansen", "email": "ola@mail.example.com", "phone_number": "+4791234567", "tags": ["vip"]}


async def counted(database: Location, what: str) -> int:
    """Return the number of table scans, or of terms read, by sessions that have ended."""
    engine = connect(database)
    async with engine.connect() as connection:
        number = int((await connection.exec_driver_sql(what)).scalar_one())
    await engine.dispose()
    return number


async def look_up(http, *queries: str) -> None:
    for query in queries:
        assert (await http.get("/v1/contacts", params={"search": query})).status_code == 200


async def change(http) -> None:
    """Run every operation on a contact once."""
    contact = (await http.post("/v1/contacts", json=CONTACT)).json()["id"]
    group = (await http.post("/v1/contacts/groups", json={"name": "VIP"})).json()["id"]
    members = {"contact_ids": [contact]}
    assert (await http.post(f"/v1/contacts/groups/{group}/members", json=members)).status_code == 200
    assert (await http.get(f"/v1/contacts/{contact}")).status_code == 200
    assert (await http.patch(f"/v1/contacts/{contact}", json={"name": "Kari Hansen"})).status_code == 200
    assert (await http.delete(f"/v1/contacts/{contact}")).status_code == 204
    erased = await http.post(f"/v1/contacts/{contact}/gdpr-delete", json={"reason": "asked"})
    assert erased.status_code == 200


async def test_finding_and_changing_a_contact_scans_no_table(database, open_directory):
    """Plans are kept: the plan for an empty table would be slow when it has grown."""
    async with open_directory(database) as http:
        assert (await http.get("/v1/contacts")).status_code == 200
    before = await counted(database, SCANS)

    async with open_directory(database) as http:
        for _ in range(6):
            await look_up(http, "ola@mail.example.com", "+4791234567")
            await change(http)
        for _ in range(3):  # with fewer matches, spelling is corrected, by statements that are planned each time
            await http.post("/v1/contacts", json=CONTACT)
        for _ in range(6):
            await look_up(http, "ola hansen", "hansen")

    assert await counted(database, SCANS) == before


@pytest.mark.parametrize("query", ["olaf sjelden", "sjeldensen olaf"])
async def test_two_words_are_searched_by_the_more_selective_one(database, open_directory, query):
    """Of the other word, only a sample is read."""
    await fill(database, open_directory)

    assert await read(database, open_directory, query) < 1_000


@pytest.mark.parametrize("query", ["olav sjeldensem", "sjeldensem olav"])
async def test_misspelled_words_are_searched_by_the_more_selective_one(database, open_directory, query):
    """PostgreSQL cannot estimate lists of corrections, so their contacts are sampled."""
    await fill(database, open_directory)
    await analyze(database)

    assert await read(database, open_directory, query) < 1_000


async def fill(database: Location, open_directory) -> None:
    """Create 2,003 contacts with a name, three of them with a rare one too."""
    people = [{"name": f"Olaf Person{number}"} for number in range(2_000)]
    people += [{"name": "Olaf Sjeldensen"}] * 3
    async with open_directory(database) as http:
        for start in range(0, len(people), 500):
            made = await http.post("/v1/directory/contacts", json={"creates": people[start : start + 500]})
            assert made.status_code == 200


async def analyze(database: Location) -> None:
    """Update the statistics, as PostgreSQL does by itself a minute after a change."""
    engine = connect(database)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")
    await engine.dispose()


async def read(database: Location, open_directory, query: str) -> int:
    """Return how many terms a search reads to find the three contacts."""
    before = await counted(database, READ)
    async with open_directory(database) as http:
        assert (await http.get("/v1/contacts", params={"search": query})).json()["total"] == 3
    return await counted(database, READ) - before
