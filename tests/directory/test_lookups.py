"""What is looked up in a PostgreSQL database is looked up in an index, from the first contact on."""

import pytest

from contacts_mcp.directory import Location
from contacts_mcp.directory.database._postgres import connect

pytestmark = pytest.mark.system

SCANS = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('contacts', 'contact_terms', 'memberships')"
READ = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'contact_terms'"
CONTACT = {"name": "Ola Hansen", "email": "ola@mail.example.com", "phone_number": "+4791234567", "tags": ["vip"]}


async def counted(database: Location, what: str) -> int:
    """How often tables were read from end to end, or how many terms were, by sessions that have ended."""
    engine = connect(database)
    async with engine.connect() as connection:
        number = int((await connection.exec_driver_sql(what)).scalar_one())
    await engine.dispose()
    return number


async def look_up(http, *queries: str) -> None:
    for query in queries:
        assert (await http.get("/v1/contacts", params={"search": query})).status_code == 200


async def change(http) -> None:
    """Everything that is done with a contact, once."""
    contact = (await http.post("/v1/contacts", json=CONTACT)).json()["id"]
    group = (await http.post("/v1/contacts/groups", json={"name": "VIP"})).json()["id"]
    members = {"contact_ids": [contact]}
    assert (await http.post(f"/v1/contacts/groups/{group}/members", json=members)).status_code == 200
    assert (await http.get(f"/v1/contacts/{contact}")).status_code == 200
    assert (await http.patch(f"/v1/contacts/{contact}", json={"name": "Kari Hansen"})).status_code == 200
    assert (await http.delete(f"/v1/contacts/{contact}")).status_code == 204
    erased = await http.post(f"/v1/contacts/{contact}/gdpr-delete", json={"reason": "asked"})
    assert erased.status_code == 200


async def test_no_table_is_read_from_end_to_end_to_find_or_change_a_contact(database, open_directory):
    """Plans are kept, and those of an empty directory would be slow in a full one."""
    async with open_directory(database) as http:
        assert (await http.get("/v1/contacts")).status_code == 200
    before = await counted(database, SCANS)

    async with open_directory(database) as http:
        for _ in range(6):
            await look_up(http, "ola@mail.example.com", "+4791234567")
            await change(http)
        for _ in range(3):  # of fewer, misspellings are looked for, which is planned each time
            await http.post("/v1/contacts", json=CONTACT)
        for _ in range(6):
            await look_up(http, "ola hansen", "hansen")

    assert await counted(database, SCANS) == before


@pytest.mark.parametrize("query", ["olaf sjelden", "sjeldensen olaf"])
async def test_two_words_are_looked_up_by_the_one_that_fewer_have(database, open_directory, query):
    """Be it the whole word or the beginning: of the other, no more is read than tells that it is the more frequent."""
    await fill(database, open_directory)

    assert await read(database, open_directory, query) < 1_000


@pytest.mark.parametrize("query", ["olav sjeldensem", "sjeldensem olav"])
async def test_misspelt_words_are_looked_up_by_what_fewer_have(database, open_directory, query):
    """PostgreSQL does not know which of two lists of words is the rarer, so the contacts of each are counted."""
    await fill(database, open_directory)
    await analyze(database)

    assert await read(database, open_directory, query) < 1_000


async def fill(database: Location, open_directory) -> None:
    """2,003 contacts with a name, of which three have a rare one as well."""
    people = [{"name": f"Olaf Person{number}"} for number in range(2_000)]
    people += [{"name": "Olaf Sjeldensen"}] * 3
    async with open_directory(database) as http:
        for start in range(0, len(people), 500):
            made = await http.post("/v1/directory/contacts", json={"creates": people[start : start + 500]})
            assert made.status_code == 200


async def analyze(database: Location) -> None:
    """Have PostgreSQL look at its tables, as it does by itself a minute after they have changed."""
    engine = connect(database)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("ANALYZE")
    await engine.dispose()


async def read(database: Location, open_directory, query: str) -> int:
    """How many terms are read to find those three."""
    before = await counted(database, READ)
    async with open_directory(database) as http:
        assert (await http.get("/v1/contacts", params={"search": query})).json()["total"] == 3
    return await counted(database, READ) - before
