"""Migration of older databases: only by `migrate`, all of it or nothing."""

import os
import re
import shutil
import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite

from contacts_mcp.directory import Directory, DirectoryUnavailable, migrations, parse_location
from contacts_mcp.directory.database import REVISION, Database, build_engine, create_statements
from contacts_mcp.directory.database._sqlite import APPLICATION_ID
from contacts_mcp.directory.maintenance import _migrate, _upgrade, check, migrate
from contacts_mcp.directory.maintenance._backup import back_up
from contacts_mcp.directory.store import create_group

SNAPSHOTS = Path(__file__).parent
NEXT = "0005"
SCRIPT = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{REVISION}"


def upgrade():
    op.add_column("contacts", sa.Column("nickname", sa.String))
    op.execute("DELETE FROM contact_terms")
"""


@pytest.fixture
async def filled(location, open_directory):
    """A directory of the current revision with a contact in a group, a deleted and an erased one."""
    async with open_directory(location) as http:
        body = {"name": "Ola Nordmann", "phone_number": "+4799999999", "tags": ["vip", "Oslo"], "notes": "Met in May"}
        ola, kari, eva = [
            (await http.post("/v1/contacts", json=each)).json()["id"] for each in (body, {"name": "K"}, {"name": "E"})
        ]
        group = (await http.post("/v1/contacts/groups", json={"name": "VIP"})).json()["id"]
        await http.post(f"/v1/contacts/groups/{group}/members", json={"contact_ids": [ola, kari]})
        await http.delete(f"/v1/contacts/{kari}")
        await http.post(f"/v1/contacts/{eva}/gdpr-delete", json={"reason": "asked"})
    return location


@pytest.fixture
def add_revision(tmp_path, monkeypatch):
    """Add a further revision with this script, which changes a table and the index, and make it the current one."""

    def add_revision(script=SCRIPT):
        scripts = tmp_path / "migrations"
        shutil.copytree(Path(migrations.__file__).parent, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        (scripts / "versions" / "v0005_next.py").write_text(script)
        monkeypatch.setattr(_upgrade, "_MIGRATIONS", str(scripts))
        for module in ("database", "database._schema"):
            monkeypatch.setattr(f"contacts_mcp.directory.{module}.REVISION", NEXT)

    return add_revision


@pytest.mark.parametrize("location", ["sqlite"], indirect=True)
async def test_older_file_is_refused_with_advice_and_not_changed(filled, add_revision, open_directory):
    add_revision()
    before = filled.read_bytes()

    async with open_directory(filled) as http:
        answer = await http.get("/v1/contacts")

    assert answer.status_code == 503
    assert "contacts-mcp directory migrate" in answer.json()["detail"]
    assert filled.read_bytes() == before


@pytest.mark.slow
async def test_migrated_database_keeps_its_records_and_gets_a_new_index(filled, add_revision, open_directory):
    add_revision()

    assert revisions(await migrate(filled)) == (REVISION, NEXT)

    async with open_directory(filled) as http:
        listed = (await http.get("/v1/contacts")).json()
        ola = (await http.get(f"/v1/contacts/{listed['contacts'][-1]['id']}")).json()
        (group,) = (await http.get("/v1/contacts/groups")).json()["groups"]
        members = (await http.get(f"/v1/contacts/groups/{group['id']}/members")).json()["members"]
        found = (await http.get("/v1/contacts", params={"search": "nordman 9999", "tags": "OSLO"})).json()["contacts"]
        by_number = (await http.get("/v1/contacts", params={"search": "+47 99 99 99 99"})).json()["contacts"]
    assert listed["total"] == 1
    assert (ola["name"], ola["phone_number"], ola["notes"]) == ("Ola Nordmann", "+4799999999", "Met in May")
    assert ola["tags"] == ["vip", "Oslo"]
    assert (group["member_count"], len(members)) == (1, 1)
    assert [row["id"] for row in found] == [row["id"] for row in by_number] == [ola["id"]]


async def test_migrated_database_has_the_new_column_and_no_fault(filled, add_revision):
    add_revision()

    await migrate(filled)

    async with aclosing(Database(filled)) as database:
        columns = (await database.read(tables))["contacts"][0]
        faults = await database.read(check)
    assert "nickname" in [name for name, *_ in columns]
    assert faults == []


async def test_copy_is_written_before_a_migration_and_holds_the_older_directory(filled, add_revision, tmp_path):
    add_revision()
    copy = tmp_path / "copy.db"

    done = await migrate(filled, copy_to=copy)
    async with Directory(filled) as directory:
        result = await directory.maintenance.restore_backup(copy, [], lambda _: None)

    assert (done.copy, done.contacts) == (copy, 3)
    assert result.contacts == 1
    assert copy.stat().st_mode & 0o077 == 0


async def test_backup_of_an_older_directory_leaves_it_as_it_is(filled, add_revision, tmp_path):
    before = await tables_of(filled)
    add_revision()
    copy = tmp_path / "copy.db"

    async with Directory(filled, create=False) as directory:
        await directory.maintenance.back_up(copy, lambda _: None)
        with pytest.raises(DirectoryUnavailable, match="older version"):
            await directory.list_keys()
    assert (await migrate(filled, dry_run=True)).before == REVISION
    assert before["contacts"][0] == await columns_of_contacts(filled)

    await migrate(filled)
    async with Directory(filled) as directory:
        assert (await directory.maintenance.restore_backup(copy, [], lambda _: None)).contacts == 1


async def test_dry_run_migrates_and_changes_nothing(filled, add_revision, tmp_path):
    add_revision()
    before = await columns_of_contacts(filled)
    copy = tmp_path / "copy.db"

    tried = await migrate(filled, copy_to=copy, dry_run=True)

    assert (*revisions(tried), tried.contacts, tried.copy) == (REVISION, NEXT, 3, None)
    assert await columns_of_contacts(filled) == before
    assert not copy.exists()
    assert revisions(await migrate(filled)) == (REVISION, NEXT)


async def test_dry_run_creates_no_directory(path):
    assert revisions(await migrate(path, dry_run=True)) == (None, REVISION)
    assert not path.exists()


def test_copy_has_a_new_name_beside_the_file(path):
    assert _migrate.find_copy_path(path) == path.with_name(f"contacts.before-{REVISION}.db")
    path.with_name(f"contacts.before-{REVISION}.db").touch()
    assert _migrate.find_copy_path(path) == path.with_name(f"contacts.before-{REVISION}-2.db")


def test_migrate_command_names_the_directory_and_the_copy(command, path, add_revision):
    command("directory", "import-sample", "2", "--directory", str(path))
    add_revision()
    refused = command("directory", "stats", "--directory", str(path))
    tried = command("directory", "migrate", "--dry-run", "--directory", str(path))
    done = command("directory", "migrate", "--directory", str(path))

    assert f"run `contacts-mcp directory migrate --directory {path}`" in refused.err
    assert f"This would migrate {path} from schema {REVISION} to {NEXT}: 2 contacts" in tried.out
    copy = path.with_name(f"contacts.before-{NEXT}.db")
    assert done.out.splitlines() == [
        f"A copy of it as it was is in {copy}; delete it once you no longer need it.",
        f"Migrated {path} from schema {REVISION} to {NEXT}: 2 contacts.",
    ]
    assert copy.exists()


@pytest.mark.parametrize("location", ["sqlite"], indirect=True)
async def test_failed_migration_leaves_the_file_as_it_was(filled, add_revision):
    add_revision(f"{SCRIPT}    raise RuntimeError('the last step fails')\n")

    def content():
        with closing(sqlite3.connect(filled)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            readable = [name for name in names if name != "contact_phones"]  # its rows are in other tables
            return names, [connection.execute(f"SELECT * FROM {name}").fetchall() for name in readable]

    before = content()

    with pytest.raises(RuntimeError, match="the last step fails"):
        await migrate(filled)

    assert content() == before


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_tables_are_those_of_the_snapshot_of_their_revision(dialect):
    """Changed tables need a new revision. UPDATE_SCHEMA_SNAPSHOT=1 writes the snapshot of a new revision."""
    statements = create_statements({"sqlite": sqlite, "postgresql": postgresql}[dialect].dialect())
    written = "".join(f"{statement.strip()};\n" for statement in statements).replace("\t", "    ")
    written = re.sub(r"'\d{4}-[^']*Z'", "'2026-01-01T00:00:00.000000Z'", written)
    written = "\n".join(line.rstrip() for line in written.split("\n"))
    file = SNAPSHOTS / f"schema_{REVISION}.{dialect}.sql"
    if os.environ.get("UPDATE_SCHEMA_SNAPSHOT") and not file.exists():
        file.write_text(written)

    assert file.read_text() == written


TIME = "'2026-01-01T00:00:00.000000Z'"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def run_script(request, path):
    """Run the script of a snapshot of a schema on an empty database of one engine, and return its location."""

    def run_script(revision, *statements):
        script = (SNAPSHOTS / f"schema_{revision}.{request.param}.sql").read_text() + ";".join(statements)
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres")
            url = server.create_database()
            server.sql(f"CREATE EXTENSION pg_trgm; {script}", url)
            return parse_location(url)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        return path

    return run_script


ADDED_EARLY = (
    "ALTER TABLE api_keys ADD COLUMN last_used_at VARCHAR(27)",
    "ALTER TABLE contacts ADD COLUMN merged_into VARCHAR(36)",
    "CREATE INDEX contacts_merged ON contacts (tenant, merged_into) WHERE merged_into IS NOT NULL",
)
"""What development versions added to the first revision, before there was a second one."""


@pytest.mark.parametrize("added", [(), ADDED_EARLY], ids=["released", "development"])
async def test_database_of_the_first_revision_gets_the_current_tables(run_script, added, tmp_path, request):
    old = run_script("0001", *added)
    new = tmp_path / "new.db"
    if not isinstance(old, Path):
        new = parse_location(request.getfixturevalue("postgres").create_database())

    done = await migrate(old)

    assert revisions(done) == ("0001", REVISION)
    assert await tables_of(old) == await tables_of(new)


async def test_rows_of_the_first_revision_are_kept_and_memberships_get_their_tenant(run_script):
    old = run_script(
        "0001",
        f"INSERT INTO tenants (seq, name, created_at) VALUES (2, 'other', {TIME})",
        *(insert_contact(number, tenant) for number, tenant in ((1, 1), (2, 2), (3, 1))),
        *(insert_group(number, tenant) for number, tenant in ((1, 1), (2, 2), (3, 1))),
        "INSERT INTO memberships (group_seq, contact_seq) VALUES (1, 3), (2, 2), (1, 1)",
        "INSERT INTO memberships (group_seq, contact_seq) VALUES (2, 1)",  # between tenants
        "DELETE FROM contact_groups WHERE seq = 3",
    )

    done = await migrate(old)

    async with aclosing(Database(old)) as database:
        rows = await database.read(rows_by_seq)
        faults = await database.read(check)
        group = await database.write(create_group, 2, {"name": "New"})
    assert faults == []
    assert done.contacts == 3
    assert rows == {
        "contacts": [(1, 1), (2, 2), (3, 1)],
        "contact_groups": [(1, 1), (2, 2)],
        "memberships": [(1, 1, 1, 3), (2, 2, 2, 2), (3, 1, 1, 1)],
    }
    assert group["seq"] == 4


def insert_contact(number, tenant):
    columns = "tenant, id, type, name, words, tags, created_at, updated_at"
    values = f"{tenant}, 'a1b2c3d4-5678-4abc-8ef0-00000000000{number}', 'person', 'Ola', ' ola ', '[]', {TIME}, {TIME}"
    return f"INSERT INTO contacts ({columns}) VALUES ({values})"


def insert_group(number, tenant):
    values = f"{tenant}, 'a1b2c3d4-5678-4abc-8ef0-00000000001{number}', 'VIP', {TIME}"
    return f"INSERT INTO contact_groups (tenant, id, name, created_at) VALUES ({values})"


def rows_by_seq(connection):
    """The numbers and tenants of rows, and the groups and contacts of memberships."""
    tables = {"contacts": "", "contact_groups": "", "memberships": ", group_seq, contact_seq"}
    return {
        table: [tuple(row) for row in connection.exec_driver_sql(f"SELECT seq, tenant{more} FROM {table} ORDER BY 1")]
        for table, more in tables.items()
    }


CONTACT = "1, 1, 'a1b2c3d4-5678-4abc-8ef0-123456789abc', 'person', 'Ola', '[]'"
KEY = "1, 'abcdefgh', 'x', 'app', 1, '[]'"


async def test_backup_of_the_first_revision_is_restored_with_its_contacts_and_keys(run_script, tmp_path):
    old = run_script(
        "0001",
        f"INSERT INTO contacts (seq, tenant, id, type, name, tags, created_at, updated_at) "
        f"VALUES ({CONTACT}, {TIME}, {TIME})",
        f"INSERT INTO api_keys (seq, prefix, hash, name, tenant, scopes, created_at) VALUES ({KEY}, {TIME})",
    )
    copy = tmp_path / "copy.db"

    await back_up(old, copy)
    async with Directory(tmp_path / "new.db") as directory:
        restored = await directory.maintenance.restore_backup(copy, [], lambda _: None)
        (key,) = await directory.list_keys()

    assert restored.contacts == 1
    assert (key.prefix, key.last_used_at) == ("abcdefgh", None)


async def test_migrating_a_current_database_changes_nothing(path):
    assert revisions(await migrate(path)) == (None, REVISION)
    before = await tables_of(path)

    assert revisions(await migrate(path)) == (REVISION, REVISION)
    assert await tables_of(path) == before


@pytest.mark.system
async def test_migrating_an_empty_postgres_database_creates_the_current_tables(postgres):
    url = postgres.create_database()

    assert revisions(await migrate(parse_location(url))) == (None, REVISION)


async def test_newer_file_is_refused(path):
    await tables_of(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE directory_revision SET version_num = '9999'")
        connection.commit()

    with pytest.raises(DirectoryUnavailable, match="newer version"):
        await migrate(path)


def revisions(migration):
    return migration.before, migration.after


async def columns_of_contacts(location):
    """The columns, read without opening the directory."""
    async with aclosing(build_engine(location)) as engine:
        return (await engine.read(tables))["contacts"][0]


async def tables_of(location):
    async with aclosing(Database(location)) as database:
        return await database.read(tables)


def tables(connection):
    """Tables with their columns, keys, indexes and references."""
    found = inspect(connection)
    return {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted(tuple(key["column_names"]) for key in found.get_unique_constraints(table)),
            sorted((index["name"], *index["column_names"]) for index in found.get_indexes(table)),
            sorted(
                (*key["constrained_columns"], key["referred_table"], *key["referred_columns"])
                for key in found.get_foreign_keys(table)
            ),
        )
        for table in sorted(found.get_table_names())
    }
