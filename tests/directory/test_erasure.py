"""What gdpr-delete leaves of a contact: a receipt, and no byte of its data."""

import asyncio
import random
import re
import sqlite3
import string
from contextlib import closing

import httpx
import pytest
from sqlalchemy import select

from contacts_mcp.directory import Directory, DirectoryUnavailable, store
from contacts_mcp.directory.database import OWNER, spellings
from contacts_mcp.directory.maintenance import check, sample_contacts
from contacts_mcp.directory.store import _journal, journal_path, parse_query, read_journal, read_receipts
from contacts_mcp.directory.store._journal import append_to_journal

SECRETS = {
    "name": "Qvxname Zwqlast",
    "company_name": "Qvxcompany",
    "phone_number": "+4790817263",
    "email": "qvxmail@qvxdomain.example",
    "tags": ["Qvxtag"],
    "notes": "Qvxnotes " * 800,  # more than a page
}
BYTES = b"qvxname zwqlast qvxcompany 90817263 qvxmail qvxdomain qvxtag qvxnotes qvxold".split()

on_file = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


def left_over(path):
    files = [file for file in path.parent.iterdir() if file.name.startswith(path.name)]
    everything = b"".join(file.read_bytes() for file in files).lower()
    return [secret for secret in BYTES if secret in everything]


@pytest.fixture
def receipts(location):
    """Read all receipts."""

    async def receipts():
        async with Directory(location) as directory:
            return await directory._database.read(lambda connection: list(read_receipts(connection)))

    return receipts


async def erase(http, contact, reason="Article 17"):
    return await http.post(f"/v1/contacts/{contact['id']}/gdpr-delete", json={"reason": reason})


@on_file
@pytest.mark.parametrize("deleted_first", [False, True])
async def test_erased_contact_leaves_no_byte_in_any_file(http, create, create_group, path, deleted_first):
    made, group = await create(**{**SECRETS, "notes": "Qvxold"}), await create_group()
    await http.patch(f"/v1/contacts/{made['id']}", json={"notes": SECRETS["notes"]})
    await http.post(f"/v1/contacts/groups/{group['id']}/members", json={"contact_ids": [made["id"]]})
    assert left_over(path) == BYTES
    if deleted_first:
        await http.delete(f"/v1/contacts/{made['id']}")

    answer = await erase(http, made)

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert left_over(path) == []


async def test_erasure_keeps_a_receipt_without_personal_data(http, create, receipts):
    made = await create(**{**SECRETS, "company_name": None})

    await erase(http, made, " Customer asked ")

    (receipt,) = await receipts()
    assert receipt["contact_id"] == made["id"]
    assert receipt["reason"] == "Customer asked"
    assert receipt["actor"] == "embedded"
    assert receipt["fields"] == ["name", "phone_number", "email", "tags", "notes"]
    assert receipt["erased_at"] > made["updated_at"]


@on_file
async def test_erased_row_keeps_only_its_id_and_times(http, create, path):
    made = await create(**SECRETS)

    await erase(http, made)

    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT * FROM contacts WHERE id = ?", [made["id"]]).fetchone()
    kept = {name: row[name] for name in row.keys() if row[name] is not None}  # noqa: SIM118 - a row iterates over values
    assert kept["created_at"] == made["created_at"]
    assert set(kept) == {"seq", "tenant", "id", "created_at", "updated_at", "deleted_at", "erased_at"}


async def test_erased_contact_is_404_on_every_route(http, create, listed):
    made = await create(**SECRETS)

    await erase(http, made)

    url = f"/v1/contacts/{made['id']}"
    gone = [await http.get(url), await http.patch(url, json={"name": "x"}), await http.delete(url)]
    assert [answer.status_code for answer in gone] == [404, 404, 404]
    assert await listed() == await listed(search="qvxname") == await listed(tags=["qvxtag"]) == []


async def test_second_erasure_keeps_the_first_receipt(http, create, receipts):
    made = await create()
    await erase(http, made, "first")
    before = await receipts()

    answer = await erase(http, made, "second")

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert await receipts() == before


@pytest.mark.parametrize("body", [{}, {"reason": None}, {"reason": " "}, {"reason": "x" * 1001}])
async def test_erasure_without_a_reason_is_rejected(http, create, body):
    made = await create()

    answer = await http.post(f"/v1/contacts/{made['id']}/gdpr-delete", json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "reason"]
    assert (await http.get(f"/v1/contacts/{made['id']}")).json() == made


@on_file
async def test_erasure_succeeds_while_another_process_reads(http, create, path, monkeypatch, caplog):
    """The other process's snapshot only prevents the removal from the write-ahead log, which is logged."""
    made = await create(**SECRETS)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM contacts").fetchone()

        assert (await erase(http, made)).status_code == 200

    assert "write-ahead log" in caplog.text
    assert (await http.get(f"/v1/contacts/{made['id']}")).status_code == 404


@pytest.mark.slow
async def test_closing_the_directory_removes_bytes_that_a_scrub_could_not(path, caplog):
    """There may never be another erasure."""
    chance = random.Random(1)
    names = ["qz" + "".join(chance.choices(string.ascii_lowercase, k=chance.randint(8, 20))) for _ in range(500)]
    empty = {"type": "person", "tags": [], **dict.fromkeys(("company_name", "email", "phone_number", "notes"))}

    def fill(connection):
        return [store.create_contact(connection, 1, {**empty, "name": name})["id"] for name in names]

    def erase(connection, ids):
        for each in ids:
            store.erase_contact(connection, 1, each, "r", "test")

    async with Directory(path) as directory:
        made = await directory._database.write(fill)
        await directory._database.write(erase, chance.sample(made, 400))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await directory._database._scrub()
        listed = await directory._database.read(store.list_contacts, 1, parse_query(), page=1, per_page=2000)
        assert "could not be removed" in caplog.text

    everything = path.read_bytes()
    assert [
        name for name in names if name.encode() in everything and name not in {row["name"] for row in listed.rows}
    ] == []


async def test_journal_that_another_process_continued_is_not_changed(path, open_directory):
    """The receipts were read before the other process appended its own."""
    async with open_directory(path) as http:
        for _ in range(2):
            await erase(http, (await http.post("/v1/contacts", json={"name": "Ola"})).json())
    written = journal_path(path).read_bytes()

    append_to_journal(path, read_journal(path)[:1])

    assert journal_path(path).read_bytes() == written


async def test_journal_line_that_a_crash_cut_short_is_written_again(path, open_directory):
    async with open_directory(path) as http:
        for _ in range(2):
            await erase(http, (await http.post("/v1/contacts", json={"name": "Ola"})).json())
    whole = journal_path(path).read_bytes()
    journal_path(path).write_bytes(whole[:-40])

    async with open_directory(path) as http:
        assert (await http.get("/v1/contacts")).status_code == 200

    assert journal_path(path).read_bytes() == whole


@pytest.mark.parametrize("length", [65_536, 70_000, 200_000])
async def test_journal_that_does_not_end_with_a_line_is_refused_and_not_changed(path, open_directory, length):
    """A power cut can leave a block of NULs. Its receipts must not be cut off, nor the erasures be forgotten."""
    async with open_directory(path) as http:
        for _ in range(2):
            await erase(http, (await http.post("/v1/contacts", json={"name": "Ola"})).json())
    damaged = journal_path(path).read_bytes() + b"\0" * length
    journal_path(path).write_bytes(damaged)

    async with open_directory(path) as http:
        answer = await http.get("/v1/contacts")

    assert answer.status_code == 503
    assert f"{journal_path(path)} cannot be read or written" in answer.json()["detail"]
    for refused in (lambda: append_to_journal(path, []), lambda: read_journal(path)):
        with pytest.raises(DirectoryUnavailable, match="does not end with a line"):
            refused()
    assert journal_path(path).read_bytes() == damaged


async def test_journal_of_another_file_is_refused_and_not_changed(path, tmp_path, open_directory):
    other = tmp_path / "other.db"
    for each in (path, other):
        async with open_directory(each) as http:
            await erase(http, (await http.post("/v1/contacts", json={"name": "Ola"})).json())
    foreign = journal_path(other).read_bytes()
    journal_path(path).write_bytes(foreign)

    async with open_directory(path) as http:
        answer = await http.get("/v1/contacts")

    assert answer.status_code == 503
    assert "do not belong together" in answer.json()["detail"]
    assert journal_path(path).read_bytes() == foreign


async def erase_some(http, number):
    for _ in range(number):
        await erase(http, (await http.post("/v1/contacts", json={"name": "Ola"})).json())


async def test_erasure_reads_only_what_was_added_to_the_journal(path, open_directory, monkeypatch):
    """Otherwise each erasure of a directory would take longer than the one before."""
    parsed = []
    parse_line = _journal.parse_line
    monkeypatch.setattr(_journal, "parse_line", lambda line: parsed.append(line) or parse_line(line))

    async with open_directory(path) as http:
        await erase_some(http, 5)

    assert len(parsed) == len(set(parsed)) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda journal: journal.unlink(),
        lambda journal: journal.write_bytes(b""),
        lambda journal: journal.write_bytes(journal.read_bytes()[:-40]),
        lambda journal: journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:1])),
    ],
    ids=["removed", "emptied", "cut short", "without a line"],
)
async def test_journal_that_lost_lines_while_the_directory_is_open_gets_them_again(path, open_directory, damage):
    async with open_directory(path) as http:
        await erase_some(http, 3)
        before = journal_path(path).read_bytes()
        damage(journal_path(path))

        await erase_some(http, 1)

    assert journal_path(path).read_bytes().startswith(before)
    assert len(read_journal(path)) == 4


async def test_journal_that_was_replaced_while_the_directory_is_open_is_refused(path, tmp_path, open_directory):
    async with open_directory(tmp_path / "other.db") as http:
        await erase_some(http, 3)
    foreign = journal_path(tmp_path / "other.db").read_bytes()
    async with open_directory(path) as http:
        await erase_some(http, 2)
        journal_path(path).write_bytes(foreign)
        made = (await http.post("/v1/contacts", json={"name": "Ola"})).json()

        answer = await http.post(f"/v1/contacts/{made['id']}/gdpr-delete", json={"reason": "r"})

    assert answer.status_code == 503
    assert "do not belong together" in answer.json()["detail"]
    assert journal_path(path).read_bytes() == foreign


@pytest.mark.system
@pytest.mark.parametrize("location", ["postgresql"], indirect=True)
async def test_erased_contact_leaves_no_row_or_dead_row_on_a_server(http, create, create_group, sql):
    """Nothing in any table, and no dead row that is left to a later VACUUM."""
    sql("CREATE EXTENSION pgstattuple")
    made, group = await create(**{**SECRETS, "notes": "Qvxold"}), await create_group()
    await http.patch(f"/v1/contacts/{made['id']}", json={"notes": SECRETS["notes"]})
    await http.post(f"/v1/contacts/groups/{group['id']}/members", json={"contact_ids": [made["id"]]})

    await erase(http, made)

    tables = sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split()
    everything = "".join(sql(f"SELECT t::text FROM {table} t") for table in tables).lower()
    assert [secret for secret in BYTES if secret.decode() in everything] == []
    swept = ("contacts", "contact_terms", "spellings", "counters", "memberships", "idempotency_keys")
    assert {sql(f"SELECT dead_tuple_count FROM pgstattuple('{table}')") for table in swept} == {"0"}


@pytest.mark.system
@pytest.mark.parametrize("location", ["postgresql"], indirect=True)
@pytest.mark.parametrize("others", [0, 3])
async def test_erased_values_leave_the_statistics_of_a_server(http, create, sql, others):
    """PostgreSQL samples values for its planner, and keeps the sample of a table that has become empty."""
    for number in range(others):
        await create(
            f"Kari Nordmann {number}", tags=["oslo"], notes="n", company_name="c", email=f"k{number}@example.com"
        )
    made = await create(**SECRETS)
    await create(**SECRETS)  # a value that occurs twice is a most common one
    sql("ANALYZE")
    assert [secret for secret in BYTES if secret.decode() in statistics(sql)] != []

    for each in (await http.get("/v1/contacts", params={"search": SECRETS["name"]})).json()["contacts"]:
        await erase(http, each)

    assert (await http.get(f"/v1/contacts/{made['id']}")).status_code == 404
    assert [secret for secret in BYTES if secret.decode() in statistics(sql)] == []
    assert {sql(f"SELECT count(*) FROM {table} WHERE tenant = 0") for table in ("contact_terms", "spellings")} == {"0"}


def statistics(sql):
    return sql("SELECT * FROM pg_stats WHERE schemaname = 'public'").lower()


async def test_name_word_is_deleted_with_the_last_contact_that_has_it_in_any_field(http, create, location):
    """Here, the last contact has the word in its e-mail address."""
    first, second = await create("Qvxname"), await create("Kari", email="qvxname@example.com")

    await erase(http, first)
    await erase(http, second)

    async with Directory(location) as directory:
        words = await directory._database.read(lambda connection: list(connection.execute(select(spellings.c.word))))
        assert words == []
        assert await directory._database.read(check) == []


@pytest.mark.system
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


@pytest.mark.system
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


@pytest.mark.parametrize("deleted", [False, True], ids=["live", "deleted"])
@pytest.mark.parametrize("reason", ["Ola Nordmann asked", "asked by ola@example.com", "call 99 99 99 99"])
async def test_reason_with_personal_data_is_refused_over_http(http, deleted, reason):
    """Nothing is erased: the receipt would keep what the erasure removes."""
    ola = (await http.post("/v1/contacts", json={"type": "person", "name": "Ola Nordmann"})).json()
    if deleted:
        await http.delete(f"/v1/contacts/{ola['id']}")

    refused = await erase(http, ola, reason)

    assert refused.status_code == 422
    (fault,) = refused.json()["detail"]
    assert (fault["loc"], fault["type"]) == (["body", "reason"], "personal_data")
    assert fault["msg"].startswith("must not contain")
    assert (await erase(http, ola)).status_code == 200
