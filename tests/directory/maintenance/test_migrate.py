"""Only `migrate` brings an older file to the current schema, completely or not at all."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from contacts_mcp.directory import DirectoryUnavailable, PostgresServer, parse_location
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.database.schema import REVISION
from contacts_mcp.directory.database.sqlite_file import APPLICATION_ID
from contacts_mcp.directory.maintenance import _migrate, check, migrate
from contacts_mcp.directory.store import index, receipts

FIRST = Path(__file__).with_name("schema_0001.sql")
ROWS = Path(__file__).with_name("rows_0002.sql")
FROZEN = Path(__file__).parents[3] / "src/contacts_mcp/directory/migrations/versions"


@pytest.fixture(params=["0001", "0002", "0003"])
def revision(request):
    """Every revision except the last."""
    return request.param


@pytest.fixture
def old_file(revision, path, monkeypatch):
    """A file of an older schema, with contacts, a deleted one, two erased ones and a group."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST.read_text() if revision == "0001" else of_second_revision("sqlite"))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    if revision == "0003":
        to_third_revision(path, monkeypatch)
    return path


def to_third_revision(place, monkeypatch):
    """The tables are the current ones, but the terms contain no ends of phone numbers."""
    with monkeypatch.context() as patched:
        patched.setattr(_migrate, "REVISION", "0003")
        patched.setattr(index, "rebuild", lambda *_: None)
        asyncio.run(migrate(place))


def of_second_revision(dialect):
    return f"""
        {FROZEN.joinpath(f"0002.{dialect}.sql").read_text()}
        CREATE TABLE directory_revision (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
        INSERT INTO directory_revision VALUES ('0002');
        {ROWS.read_text()}
    """


async def test_older_file_is_refused_with_advice_and_not_changed(old_file, open_directory):
    before = old_file.read_bytes()

    async with open_directory(old_file) as http:
        answer = await http.get("/v1/contacts")

    assert answer.status_code == 503
    assert "contacts-mcp directory migrate" in answer.json()["detail"]
    assert old_file.read_bytes() == before


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def old_place(request, revision, monkeypatch):
    """A file of an older schema, or a PostgreSQL database, which the first schema did not support."""
    if request.param == "sqlite":
        return request.getfixturevalue("old_file")
    if revision == "0001":
        pytest.skip("no database was ever of the first revision")
    server = request.getfixturevalue("postgres")
    url = server.create_database()
    server.sql(f"CREATE EXTENSION pg_trgm; {of_second_revision('postgresql')}", url)
    if revision == "0003":
        to_third_revision(parse_location(url), monkeypatch)
    return parse_location(url)


async def test_migration_keeps_all_records(revision, old_place, open_directory):
    assert await migrate(old_place) == (revision, REVISION)

    async with open_directory(old_place) as http:
        listed = (await http.get("/v1/contacts")).json()
        ola = (await http.get(f"/v1/contacts/{listed['contacts'][-1]['id']}")).json()
        (group,) = (await http.get("/v1/contacts/groups")).json()["groups"]
        members = (await http.get(f"/v1/contacts/groups/{group['id']}/members")).json()["members"]
        found = (await http.get("/v1/contacts", params={"search": "nordman 9999", "tags": "OSLO"})).json()["contacts"]
        called = (await http.get("/v1/contacts", params={"search": "+47 99 99 99 99"})).json()["contacts"]
    assert listed["total"] == 2
    assert (ola["name"], ola["phone_number"], ola["notes"]) == ("Ola Nordmann", "+4799999999", "Met in May")
    assert ola["tags"] == ["vip", "Oslo"]
    assert (group["member_count"], len(members)) == (2, 2)
    assert [row["id"] for row in found] == [row["id"] for row in called] == [ola["id"]]


async def test_migration_turns_old_erasures_into_a_receipt_chain(old_file):
    await migrate(old_file)

    database = Database(old_file)
    kept = await database.read(lambda connection: list(receipts.read(connection)))
    end = await database.read(receipts.end)
    faults = await database.read(check)
    await database.aclose()
    assert [(row["reason"], row["fields"]) for row in kept] == [
        ("first", ["name", "phone_number"]),
        ("second", ["name", "tags"]),
    ]
    assert list(receipts.faults(kept, *end)) == faults == []


async def test_migrated_schema_equals_a_new_schema(old_place, request, tmp_path):
    """A change of the tables needs a migration."""
    await migrate(old_place)

    on_server = isinstance(old_place, PostgresServer)
    new = parse_location(request.getfixturevalue("postgres").create_database()) if on_server else tmp_path / "new.db"
    assert await shape(old_place) == await shape(new)


async def test_migrating_a_current_file_changes_nothing(path):
    assert await migrate(path) == (REVISION, REVISION)
    before = await shape(path)

    assert await migrate(path) == (REVISION, REVISION)
    assert await shape(path) == before


@pytest.mark.system
async def test_new_postgresql_database_needs_no_migration(postgres):
    url = postgres.create_database()

    assert await migrate(parse_location(url)) == (REVISION, REVISION)


async def test_failed_migration_leaves_the_file_unchanged(old_file, open_directory):
    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute("UPDATE contacts SET tags = '{' WHERE seq = 2")
        connection.commit()
    before = written(old_file)

    with pytest.raises(Exception, match="property name"):
        await migrate(old_file)

    assert written(old_file) == before


async def test_newer_file_is_refused(path):
    await new_file(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE directory_revision SET version_num = '9999'")
        connection.commit()

    with pytest.raises(DirectoryUnavailable, match="newer version"):
        await migrate(path)


async def new_file(path):
    database = Database(path)
    await database.read(lambda connection: None)
    await database.aclose()
    return path


async def shape(place):
    """Tables with their columns, keys and indexes."""
    database = Database(place)
    try:
        return await database.read(tables)
    finally:
        await database.aclose()


def tables(connection):
    found = inspect(connection)
    return {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted(index["name"] for index in found.get_indexes(table)),
            sorted(key["referred_table"] for key in found.get_foreign_keys(table)),
        )
        for table in sorted(found.get_table_names())
    }


def written(path):
    """The tables and rows of the file."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in names if name != "contact_phones"]  # whose rows are in other tables
        return names, [connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables]
