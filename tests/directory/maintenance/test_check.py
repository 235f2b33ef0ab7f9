"""`check` finds each kind of damage, and nothing in a directory after every kind of write."""

import sqlite3
from contextlib import closing

import pytest

from contacts_mcp.directory import PostgresServer, store
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.maintenance import _check, check

on_file = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


@pytest.fixture
async def opened(location):
    database = Database(location)
    yield database
    await database.aclose()


@pytest.fixture
async def written(http, create, create_group, opened):
    """A directory after every kind of write: contacts 1 to 4 (3 is deleted, 4 erased), two groups, two tenants."""
    ola = await create(
        "Ola Nordmann",
        email="ola@example.com",
        phone_number="+4790000001",
        tags=["VIP"],
        company_name="Nordmann AS",
        notes="n",
    )
    kari = await create("Kari Kjær", type="company", phone_number="0047 900 00 001")
    deleted, erased = await create("Per Deleted", phone_number="1234"), await create("Eva Erased", tags=["gone"])
    groups = [(await create_group(name))["id"] for name in ("first", "second")]
    for group in groups:
        members = {"contact_ids": [each["id"] for each in (ola, kari, deleted, erased)]}
        await http.post(f"/v1/contacts/groups/{group}/members", json=members)
    await http.patch(f"/v1/contacts/{ola['id']}", json={"type": "company", "tags": ["vip", "new"], "notes": None})
    await http.patch(f"/v1/contacts/{ola['id']}", json={"name": "Ola Hansen", "phone_number": None, "type": "person"})
    updates = [{"id": kari["id"], "email": "kari@example.com"}]
    await http.post("/v1/directory/contacts", json={"creates": [{"name": "Ada"}, {"name": ""}], "updates": updates})
    await http.delete(f"/v1/contacts/{deleted['id']}")
    await http.post(f"/v1/contacts/{erased['id']}/gdpr-delete", json={"reason": "r"})
    await http.delete(f"/v1/contacts/groups/{groups[1]}/members/{kari['id']}")

    def elsewhere(connection):
        connection.exec_driver_sql("INSERT INTO tenants (seq, name, created_at) VALUES (2, 'other', 'x')")
        fields = {"type": "person", "tags": ["a"], "company_name": None, "phone_number": "99", "email": None}
        store.create_contact(connection, 2, {**fields, "name": "Ola Nordmann", "notes": None})

    await opened.write(elsewhere)


@pytest.fixture
def damaged(opened, location):
    """Run statements past all constraints, and check the directory afterwards."""

    async def damaged(*statements):
        if isinstance(location, PostgresServer):
            await opened.write(lambda connection: [connection.exec_driver_sql(each) for each in statements])
        else:
            with closing(sqlite3.connect(location)) as connection, connection:  # foreign keys are off
                for statement in statements:
                    connection.execute(statement)
        return await opened.read(check)

    return damaged


async def test_directory_after_every_kind_of_write_has_no_fault(written, opened):
    assert await opened.read(check) == []


async def test_empty_directory_has_no_fault(opened):
    assert await opened.read(check) == []


async def test_check_reports_its_progress_up_to_a_hundred_per_cent(written, opened):
    reported = []

    assert await opened.read(check, reported.append) == []

    assert reported == sorted(set(reported))
    assert reported[-1] == 100


async def test_check_changes_nothing_and_does_not_block_writers(written, opened, http):
    """The check also runs on a connection that can write."""
    assert await opened.write(check) == []
    assert (await http.post("/v1/contacts", json={"name": "Later"})).status_code == 201
    assert await opened.read(check) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "statements"),
    [
        ("memberships of deleted contacts: 2 (seq 101, 102)",
         ["INSERT INTO memberships VALUES (101, 1, 3, 1), (102, 1, 4, 1)"]),
        ("tenant 1 has 1 contacts of type company, but its counter says 2",
         ["INSERT INTO counters VALUES (1, 'type', 'company', 99, 1)"]),
        ("tenant 2 has 1 contacts of type person, but its counter says 0", ["DELETE FROM counters WHERE tenant = 2"]),
        ("tenant 9 has 0 contacts of type person, but its counter says 3",
         ["INSERT INTO counters VALUES (9, 'type', 'person', 0, 3)"]),
        ("tags with a wrong counter: 1", ["UPDATE counters SET live = live + 1 WHERE term = 'new'"]),
        ("tags with a wrong counter: 1", ["INSERT INTO counters VALUES (1, 'tag', 'nobodys', 0, 0)"]),
        ("tags with a wrong counter: 2", ["DELETE FROM counters WHERE kind = 'tag' AND tenant = 1"]),
        ("contacts missing from the word index: 1 (seq 2)",
         ["DELETE FROM contact_terms WHERE term = 'kari' AND contact_seq = 2"]),
        ("contacts missing from the word index: 1 (seq 1)",
         ["DELETE FROM contact_terms WHERE kind = 'tag' AND term = 'vip'"]),
        ("contacts with wrong entries in the word index: 3 (seq 1, 4, 77)",
         ["INSERT INTO contact_terms VALUES (1, 'word', 'eva', 4, 0), (1, 'word', 'x', 77, 0)",
          "INSERT INTO contact_terms VALUES (2, 'tag', 'vip', 1, 0)"]),
        ("contacts missing from the word index: 1 (seq 2)",
         ["UPDATE contact_terms SET signature = 0 WHERE term = 'kari' AND contact_seq = 2"]),
        ("contacts with wrong search words: 2 (seq 1, 2)",
         ["UPDATE contacts SET words = ' ola ' WHERE seq = 1", "UPDATE contacts SET words = NULL WHERE seq = 2"]),
        ("contacts with wrong phone digits: 1 (seq 2)",
         ["UPDATE contacts SET phone_digits = '1' WHERE seq = 2"]),
        ("live contacts without a type, a name or tags: 2 (seq 1, 2)",
         ["UPDATE contacts SET name = NULL WHERE seq = 1", "UPDATE contacts SET tags = NULL WHERE seq = 2"]),
        ("words of names without spellings: 1", ["DELETE FROM spellings WHERE word = 'hansen'"]),
        ("spellings of unused words: 1",
         ["INSERT INTO spellings VALUES (1, 'evas', 'evas')"]),
        ("words with wrong spellings: 2",
         ["DELETE FROM spellings WHERE form = 'hanse'", "INSERT INTO spellings VALUES (1, 'a', 'b')"]),
        ("erased contacts with remaining data: 1 (seq 4)", ["UPDATE contacts SET notes = 'x' WHERE seq = 4"]),
        ("erased contacts with remaining data: 1 (seq 4)", ["UPDATE contacts SET words = ' eva ' WHERE seq = 4"]),
        ("erased contacts that are not marked as deleted: 1 (seq 4)",
         ["UPDATE contacts SET deleted_at = NULL WHERE seq = 4"]),
        ("erased contacts without a receipt: 1 (seq 3)",
         ["UPDATE contacts SET erased_at = 'x', name = NULL WHERE seq = 3"]),
        ("receipts of contacts that are not erased: 1 (seq 1)",
         ["UPDATE contacts SET erased_at = NULL WHERE seq = 4"]),
        ("receipts with another tenant than their contact: 1 (seq 1)",
         ["UPDATE contacts SET tenant = 2 WHERE seq = 4"]),
        ("receipt 1 was changed", ["UPDATE receipts SET reason = 'other'"]),
        ("the chain must end with receipt 1 but ends with receipt 0", ["DELETE FROM receipts"]),
        ("live contacts that are marked as merged: 1 (seq 2)",
         ["UPDATE contacts SET merged_into = (SELECT c.id FROM contacts c WHERE c.seq = 1) WHERE seq = 2"]),
        ("contacts merged into missing contacts: 2 (seq 3, 4)",
         ["UPDATE contacts SET merged_into = 'x' WHERE seq = 3",
          "UPDATE contacts SET merged_into = (SELECT c.id FROM contacts c WHERE c.tenant = 2) WHERE seq = 4"]),
        ("contacts merged into erased contacts, but not erased: 1 (seq 3)",
         ["UPDATE contacts SET merged_into = (SELECT c.id FROM contacts c WHERE c.seq = 4) WHERE seq = 3"]),
        ("erased contacts with an idempotency key: 1 (seq 4)",
         ["INSERT INTO idempotency_keys SELECT 1, 'k', 'b', id, 0 FROM contacts WHERE seq = 4"]),
    ],
)  # fmt: skip
async def test_each_kind_of_damage_is_reported(written, damaged, fault, statements):
    assert fault in await damaged(*statements)


@pytest.mark.parametrize(
    ("fault", "constraint", "statement"),
    [
        ("memberships of missing contacts: 1 (seq 101)", "contact_seq_fkey",
         "INSERT INTO memberships VALUES (101, 1, 77, 1)"),
        ("memberships of missing groups: 1 (seq 101)", "group_seq_fkey",
         "INSERT INTO memberships VALUES (101, 77, 1, 1)"),
        ("memberships between tenants: 1 (seq 101)", "contact_seq_fkey",
         "INSERT INTO memberships SELECT 101, 1, seq, 1 FROM contacts WHERE tenant = 2"),
        ("memberships between tenants: 1 (seq 101)", "group_seq_fkey",
         "INSERT INTO memberships SELECT 101, 1, seq, 2 FROM contacts WHERE tenant = 2"),
        ("duplicate memberships: 1 (seq 101)", "group_seq_contact_seq_key",
         "INSERT INTO memberships VALUES (101, 1, 1, 1)"),
    ],
)  # fmt: skip
async def test_damage_that_constraints_would_prevent_is_reported(
    written, damaged, location, fault, constraint, statement
):
    """PostgreSQL enforces these constraints; in a file, foreign keys are off."""
    if isinstance(location, PostgresServer):
        statements = [f"ALTER TABLE memberships DROP CONSTRAINT memberships_tenant_{constraint}", statement]
    elif fault.startswith("duplicate"):  # the constraint is part of the table there
        statements = ["ALTER TABLE memberships RENAME TO bound", "CREATE TABLE memberships AS SELECT * FROM bound"]
        statements = [*statements, "DROP TABLE bound", statement]
    else:
        statements = [statement]

    assert fault in await damaged(*statements)


@on_file
async def test_broken_references_in_a_file_are_reported(written, damaged):
    faults = await damaged("INSERT INTO memberships VALUES (101, 77, 78, 1)")

    assert "rows of memberships with a broken reference: 2" in faults


@on_file
async def test_index_that_contradicts_its_table_is_reported(written, damaged):
    faults = await damaged(
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'deleted_at IS NOT NULL', 'name IS NOT NULL')"
        " WHERE name = 'contacts_deleted'",
    )

    assert any("the file is damaged: row" in fault and "contacts_deleted" in fault for fault in faults)


@on_file
async def test_phone_index_that_contradicts_the_contacts_is_reported(written, damaged):
    """A missing entry, an entry of a deleted contact, and an entry without a contact."""
    faults = await damaged(
        "INSERT INTO contact_phones(contact_phones, rowid, digits)"
        " VALUES ('delete', 2, '0047 0479 4790 7900 9000 0000 0000 0000 0001 001 01 1')",
        "INSERT INTO contact_phones(rowid, digits) VALUES (3, '1234 234'), (77, '1')",
    )

    assert "contacts missing from the phone index: 1 (seq 2)" in faults
    assert "contacts with wrong entries in the phone index: 2 (seq 3, 77)" in faults


@pytest.mark.parametrize("location", [pytest.param("postgresql", marks=pytest.mark.system)], indirect=True)
async def test_invalid_index_on_a_server_is_reported(written, damaged):
    faults = await damaged("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'contacts_live'::regclass")

    assert faults == ["the index contacts_live is invalid: run REINDEX"]


async def test_faults_contain_no_personal_data(written, damaged):
    faults = await damaged("DELETE FROM contact_terms", "DELETE FROM spellings", "UPDATE contacts SET words = 'hansen'")

    assert len(faults) > 2
    assert not any(word in " ".join(faults).lower() for word in ("hansen", "kari", "ola", "vip", "9000"))


async def test_extensive_damage_is_compared_in_part_and_reported_briefly(http, damaged, monkeypatch):
    monkeypatch.setattr(_check, "_MAX_COMPARED_PARTITIONS", 10)
    creates = [{"name": f"Person {number}"} for number in range(100)]
    await http.post("/v1/directory/contacts", json={"creates": creates})

    (fault,) = await damaged("DELETE FROM contact_terms WHERE term <> 'person'")

    assert fault == "contacts missing from the word index: 10 (seq 1, 2, 3, 4, 5, …)"
