"""Lookups in a PostgreSQL database use an index, from the first contact on, and read one snapshot."""

from contextlib import aclosing

import pytest

from contacts_mcp.directory.database import Database

pytestmark = pytest.mark.system

SCANS = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('contacts', 'contact_terms', 'memberships')"
READ = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'contact_terms'"
CONTACT = {"name": "Ola Hansen", "email": "ola@mail.example.com", "phone_number": "+4791234567", "tags": ["vip"]}


async def test_finding_and_changing_a_contact_scans_no_table(database, open_directory, sql):
    """Plans are kept: the plan for an empty table would be slow when it has grown."""

    async def request(status, method, path, body=None, **params):
        answer = await http.request(method, f"/v1/contacts{path}", json=body, params=params)
        assert answer.status_code == status
        return answer

    async with open_directory(database) as http:
        await request(200, "GET", "")
    before = sql(SCANS)

    async with open_directory(database) as http:
        for _ in range(6):
            await request(200, "GET", "", search="ola@mail.example.com")
            await request(200, "GET", "", search="+4791234567")
            contact = (await request(201, "POST", "", CONTACT)).json()["id"]
            group = (await request(201, "POST", "/groups", {"name": "VIP"})).json()["id"]
            await request(200, "POST", f"/groups/{group}/members", {"contact_ids": [contact]})
            await request(200, "GET", f"/{contact}")
            await request(200, "PATCH", f"/{contact}", {"name": "Kari Hansen"})
            await request(204, "DELETE", f"/{contact}")
            await request(200, "POST", f"/{contact}/gdpr-delete", {"reason": "asked"})
        for _ in range(3):  # with fewer matches, spelling is corrected, by statements that are planned each time
            await request(201, "POST", "", CONTACT)
        for _ in range(6):
            await request(200, "GET", "", search="ola hansen")
            await request(200, "GET", "", search="hansen")

    assert sql(SCANS) == before


@pytest.mark.parametrize(
    ("query", "analyzed"),
    [("olaf sjelden", False), ("sjeldensen olaf", False), ("olav sjeldensem", True), ("sjeldensem olav", True)],
)
async def test_two_words_are_searched_by_the_more_selective_one(database, open_directory, sql, query, analyzed):
    """Of the other word only a sample is read, also of a misspelled one: PostgreSQL cannot estimate its corrections."""
    people = [{"name": f"Olaf Person{number}"} for number in range(2_000)] + [{"name": "Olaf Sjeldensen"}] * 3
    async with open_directory(database) as http:
        for start in range(0, len(people), 500):
            made = await http.post("/v1/directory/contacts", json={"creates": people[start : start + 500]})
            assert made.status_code == 200
    if analyzed:  # as PostgreSQL does by itself a minute after a change
        sql("ANALYZE")
    before = int(sql(READ))

    async with open_directory(database) as http:
        assert (await http.get("/v1/contacts", params={"search": query})).json()["total"] == 3

    assert int(sql(READ)) - before < 1_000


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
