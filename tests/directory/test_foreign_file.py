"""A file from somebody else: its journal, its schema and its contents are checked before they are used or believed."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from contacts_mcp.directory import BackupRefused, Directory, DirectoryUnavailable
from contacts_mcp.directory.store import journal_path
from contacts_mcp.hash_chain import ChainEnd, format_line, link_record
from directory.conftest import serving

SECRET = "Ola Nordmann"


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """The folder of a directory with a contact in a group, a deleted one, and two erased ones."""
    folder = tmp_path_factory.mktemp("original")

    async def make():
        async with serving(folder / "contacts.db") as http:
            ids = [
                (await http.post("/v1/contacts", json={"name": f"{SECRET} {n}", "tags": ["x"]})).json()["id"]
                for n in range(4)
            ]
            group = (await http.post("/v1/contacts/groups", json={"name": "VIP"})).json()["id"]
            await http.post(f"/v1/contacts/groups/{group}/members", json={"contact_ids": ids[:1]})
            await http.delete(f"/v1/contacts/{ids[1]}")
            for each in ids[2:]:
                await http.post(f"/v1/contacts/{each}/gdpr-delete", json={"reason": "asked"})

    asyncio.run(make())
    return folder


@pytest.fixture
def made(original, path):
    """A copy of the original directory."""
    shutil.copytree(original, path.parent, dirs_exist_ok=True)
    return path


def run(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)


async def refusal(path):
    async with serving(path) as http:
        answer = await http.get("/v1/contacts")
    assert answer.status_code == 503, answer.text
    assert answer.headers["X-Nothing-Changed"] == "true"
    return answer.json()["detail"]


# The journal.


def lines(path):
    return journal_path(path).read_bytes().splitlines(keepends=True)


def relinked(rows):
    """The rows as a chain whose hashes fit."""
    end, written = ChainEnd(), []
    for row in rows:
        fields = {name: value for name, value in row.items() if name not in ("seq", "previous", "hash")}
        written.append(link_record(fields, end))
        end = ChainEnd(written[-1]["seq"], written[-1]["hash"])
    return [format_line(row) for row in written]


def rows(path):
    return [json.loads(line) for line in lines(path)]


JOURNALS = {
    "reason changed": lambda path: [line.replace(b"asked", b"other") for line in lines(path)],
    "contact changed": lambda path: [lines(path)[0].replace(b'"contact_id":"', b'"contact_id":"0'), lines(path)[1]],
    "first receipt removed": lambda path: lines(path)[1:],
    "receipt twice": lambda path: [lines(path)[0], *lines(path)],
    "order changed": lambda path: lines(path)[::-1],
    "receipt added": lambda path: [*lines(path), lines(path)[1].replace(b'"seq":2', b'"seq":3')],
    "records of a trail": lambda path: [format_line(link_record({"tool": "x"}, ChainEnd()))],
    "field added": lambda path: relinked([{**row, "more": 1} for row in rows(path)]),
    "field removed": lambda path: relinked([{k: v for k, v in row.items() if k != "actor"} for row in rows(path)]),
    "odd id": lambda path: relinked([{**row, "contact_id": "../x"} for row in rows(path)]),
    "odd kind": lambda path: relinked([{**row, "reason": ["x"]} for row in rows(path)]),
    "odd fields": lambda path: relinked([{**row, "fields": ["hash"]} for row in rows(path)]),
    "text": lambda path: [b"my notes\n"],
}


@pytest.mark.parametrize("is_older_copy", [False, True])
@pytest.mark.parametrize("change", JOURNALS.values(), ids=JOURNALS)
async def test_journal_that_is_no_unbroken_chain_is_not_believed(made, change, is_older_copy):
    """Not if it has as many receipts as the directory, and not if it is ahead of an older copy."""
    if is_older_copy:
        run(made, "DELETE FROM receipts", "UPDATE receipt_chain SET length = 0, hash = ''")
    journal_path(made).write_bytes(b"".join(change(made)))
    before = journal_path(made).read_bytes()

    detail = await refusal(made)

    assert str(journal_path(made)) in detail
    assert "damaged" in detail or "cannot be read" in detail
    assert journal_path(made).read_bytes() == before


async def test_unbroken_journal_of_an_older_copy_is_believed(made):
    run(made, "DELETE FROM receipts", "UPDATE receipt_chain SET length = 0, hash = ''")

    async with serving(made) as http:
        assert (await http.get("/v1/contacts")).json()["total"] == 1
    async with Directory(made) as directory:
        assert (await directory.maintenance.verify_receipts())[0] == 2


# The schema.

ROOT_PAGE = "SELECT rootpage FROM sqlite_master WHERE name = 'contacts'"
SCHEMAS = {
    "trigger": ["CREATE TRIGGER t AFTER DELETE ON contacts BEGIN DELETE FROM contacts; END"],
    "trigger of an empty name": ['CREATE TRIGGER "" AFTER INSERT ON contacts BEGIN SELECT 1; END'],
    "view": ["CREATE VIEW v AS SELECT * FROM contacts"],
    "view in the place of a table": ["DROP TABLE nonces", "CREATE VIEW nonces AS SELECT '' AS nonce, 0.0 AS expires"],
    "foreign table": ["CREATE TABLE stolen (x)"],
    "virtual table": ["CREATE VIRTUAL TABLE v USING fts5(x)"],
    "virtual table in the place of a table": [
        "DROP TABLE nonces",
        "CREATE VIRTUAL TABLE nonces USING fts5(nonce, expires)",
    ],
    "other phone index": ["DROP TABLE contact_phones", "CREATE VIRTUAL TABLE contact_phones USING fts5(digits)"],
    "generated column": ["ALTER TABLE contacts ADD COLUMN evil TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL"],
    "expression index": ["CREATE INDEX i ON contacts (upper(name))"],
    "unique index": ["CREATE UNIQUE INDEX i ON contacts (id, name)"],
    "check": ["DROP TABLE nonces", "CREATE TABLE nonces (nonce TEXT PRIMARY KEY, expires REAL, CHECK (expires > 0))"],
    "table missing": ["DROP TABLE receipts"],
    "revision missing": ["DELETE FROM directory_revision"],
    "two revisions": ["INSERT INTO directory_revision VALUES ('0000')"],
    "two tables in one place": [
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET rootpage = ({ROOT_PAGE}) WHERE name = 'contact_groups'",
    ],
    "damaged schema": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE contacts (' WHERE name = 'contacts'",
    ],
}


@pytest.mark.parametrize("statements", SCHEMAS.values(), ids=SCHEMAS)
async def test_file_with_a_schema_of_somebody_else_is_neither_opened_nor_restored(made, tmp_path, statements):
    run(made, *statements)
    before = made.read_bytes()

    detail = await refusal(made)
    async with Directory(tmp_path / "new.db") as directory:
        with pytest.raises(DirectoryUnavailable) as refused:
            await directory.maintenance.restore_backup(made, (), lambda _: None)
        counts = await directory.maintenance.count_records()

    for message in (detail, str(refused.value)):
        assert "another program changed its tables" in message or "damaged" in message or "has not one" in message
        assert SECRET not in message
    assert made.read_bytes() == before
    assert counts["tenants"][0]["contacts"] == 0


# The contents of a backup.

CONTENTS = {
    "odd id of a contact": ["UPDATE contacts SET id = '../../x' WHERE seq = 1"],
    "id with a control character": ["UPDATE contacts SET id = char(27) || substr(id, 2) WHERE seq = 1"],
    "odd id of a group": ["UPDATE contact_groups SET id = upper(id) || 'x'"],
    "odd id of a receipt": ["UPDATE receipts SET contact_id = 'x' WHERE seq = 1"],
    "number for a name": ["UPDATE contacts SET name = x'00ff' WHERE seq = 1"],
    "name that is not UTF-8": ["UPDATE contacts SET name = CAST(x'41ff' AS TEXT) WHERE seq = 1"],
    "name with a NUL": ["UPDATE contacts SET name = 'a' || char(0) || 'b' WHERE seq = 1"],
    "name too long": ["UPDATE contacts SET name = printf('%300s', 'x') WHERE seq = 1"],
    "tags that are not JSON": ["UPDATE contacts SET tags = 'x' WHERE seq = 1"],
    "tags that are no list": ["UPDATE contacts SET tags = '{}' WHERE seq = 1"],
    "no name": ["UPDATE contacts SET name = NULL WHERE seq = 1"],
    "odd type": ["UPDATE contacts SET type = 'robot' WHERE seq = 1"],
    "odd time": ["UPDATE contacts SET updated_at = 'yesterday' WHERE seq = 1"],
    "largest number": ["UPDATE contact_groups SET seq = 9223372036854775807"],
    "negative number": ["UPDATE contacts SET seq = -1 WHERE seq = 2"],
    "member of nothing": ["UPDATE memberships SET contact_seq = 77"],
    "receipt changed": ["UPDATE receipts SET reason = 'other'"],
    "receipt missing": ["DELETE FROM receipts WHERE seq = 1"],
    "no end of receipts": ["DELETE FROM receipt_chain"],
    "two ends of receipts": ["INSERT INTO receipt_chain VALUES (2, 0, '')"],
    "no owner": [
        "PRAGMA foreign_keys = OFF",
        "UPDATE tenants SET seq = 7",
        "UPDATE contacts SET tenant = 7",
        "UPDATE contact_groups SET tenant = 7",
    ],
}


@pytest.mark.parametrize("statements", CONTENTS.values(), ids=CONTENTS)
async def test_backup_with_odd_contents_is_refused_and_nothing_is_changed(made, tmp_path, statements):
    copy, target = tmp_path / "copy.db", tmp_path / "target.db"
    async with Directory(made) as directory:
        await directory.maintenance.back_up(copy, lambda _: None)
    run(copy, *statements)

    async with Directory(target) as directory:
        await directory.maintenance.add_samples(1, 1, lambda _: None)
        with pytest.raises(BackupRefused) as refused:
            await directory.maintenance.restore_backup(copy, (), lambda _: None)
        assert (await directory.maintenance.count_records())["tenants"][0]["contacts"] == 1

    assert SECRET not in str(refused.value)
    assert "another backup" in str(refused.value)


async def test_backup_whose_pages_are_damaged_is_refused(made, tmp_path):
    content = bytearray(made.read_bytes())
    content[8192:12288] = bytes(4096)
    (tmp_path / "copy.db").write_bytes(content)

    async with Directory(tmp_path / "target.db") as directory:
        with pytest.raises((BackupRefused, DirectoryUnavailable), match=r"damaged|not restored|not used"):
            await directory.maintenance.restore_backup(tmp_path / "copy.db", (), lambda _: None)


async def test_own_backup_is_restored(made, tmp_path):
    copy = tmp_path / "copy.db"
    async with Directory(made) as directory:
        await directory.maintenance.back_up(copy, lambda _: None)

    async with Directory(tmp_path / "target.db") as directory:
        result = await directory.maintenance.restore_backup(copy, (), lambda _: None)

    assert result.contacts == 1
