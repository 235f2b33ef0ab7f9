"""The commands of `contacts-mcp directory`, as the documentation shows them, on a file and on a server."""

import asyncio
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from contacts_mcp.directory import parse_location
from directory.conftest import serving

pytestmark = pytest.mark.system


@pytest.fixture
def directory(command, location, tmp_path, monkeypatch):
    """Run `contacts-mcp directory` on the location, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def directory(*arguments):
        return command("directory", *arguments, CONTACTS_MCP_DIRECTORY=location)

    return directory


def over(location, work):
    """Run `work` with a client of the API."""

    async def run():
        async with serving(parse_location(location)) as http:
            return await work(http)

    return asyncio.run(run())


def delete(location, number):
    """Delete this many contacts and return their ids."""

    async def work(http):
        ids = [row["id"] for row in (await http.get("/v1/contacts")).json()["contacts"]][:number]
        for each in ids:
            await http.delete(f"/v1/contacts/{each}")
        return ids

    return over(location, work)


def test_maintenance_commands_of_the_documentation_run_in_their_order(directory):
    """Every line of the section in docs/directory.md."""
    page = Path(__file__).parents[2] / "docs" / "directory.md"
    section = page.read_text().split("## Maintain it")[1].split("##")[0]
    lines = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1].splitlines()

    outcomes = []
    for line in lines:
        words = shlex.split(line, comments=True)[2:]
        if "ID" in words:
            newest = json.loads(directory("list", "--limit", "1", "--json").out)[0]["id"]
            words[words.index("ID")] = newest
        outcomes.append((line, directory(*words)))

    assert len(outcomes) == 13
    assert [(line, done.code, done.err[-300:]) for line, done in outcomes if done.code] == []
    assert "owner: 200 contacts" in outcomes[1][1].out


def test_deleted_contacts_are_listed_restored_and_purged_with_a_receipt(directory, location):
    directory("import-sample", "3")
    gone = delete(location, 2)

    listed = json.loads(directory("deleted", "--json").out)
    restored = directory("restore", gone[0])
    asked = directory("purge", "--older-than", "0h")
    purged = directory("purge", "--older-than", "0h", "--yes", "--json")

    assert {row["id"] for row in listed} == set(gone)
    assert (restored.code, gone[0] in restored.out) == (0, True)
    assert asked.code != 0  # there was no terminal to confirm at
    assert json.loads(purged.out) == {"erased": 1}
    assert "nothing of it is left" in directory("restore", gone[1]).err
    (receipt,) = json.loads(directory("receipts", "--json").out)
    assert (receipt["contact_id"], receipt["actor"]) == (gone[1], "operator")
    assert json.loads(directory("check", "--json").out) == {"faults": []}


def test_purge_dry_run_lists_the_contacts_of_a_tenant_and_erases_nothing(directory, location):
    directory("import-sample", "2")
    directory("keys", "create", "app", "--tenant", "other", "--yes")
    gone = delete(location, 2)
    listed = json.loads(directory("deleted", "--json").out)
    purge = ("purge", "--older-than", "0h", "--dry-run")

    shown, as_json = directory(*purge), json.loads(directory(*purge, "--json").out)
    of_other = directory(*purge, "--tenant", "other")

    assert [row["id"] for row in as_json] == [row["id"] for row in listed]
    assert all(f"owner: {row['name']}" in shown.out for row in listed)
    assert "2 contacts would be erased. Nothing was changed." in shown.out
    assert of_other.out == "0 contacts would be erased. Nothing was changed.\n"
    assert {row["id"] for row in json.loads(directory("deleted", "--json").out)} == set(gone)
    assert json.loads(directory("receipts", "--json").out) == []


def test_purge_of_a_tenant_leaves_the_deleted_contacts_of_others(directory, location):
    directory("import-sample", "1")
    directory("keys", "create", "app", "--tenant", "other", "--yes")
    delete(location, 1)

    of_other = directory("purge", "--older-than", "0h", "--tenant", "other", "--yes")
    of_owner = directory("purge", "--older-than", "0h", "--tenant", "owner", "--yes")

    assert (of_other.out, of_owner.out) == ("Erased 0 contacts.\n", "Erased 1 contact.\n")


def test_purge_names_the_contacts_before_it_asks(directory, location, monkeypatch):
    directory("import-sample", "2")
    delete(location, 1)
    (row,) = json.loads(directory("deleted", "--json").out)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    asked = directory("purge", "--older-than", "0h")

    assert asked.code == 1
    assert f"owner: {row['name']}\nErase 1 contact that was deleted more than 0h ago?" in asked.err


@pytest.mark.parametrize("name", ["list", "deleted", "purge"])
def test_unknown_tenant_is_an_error_that_names_the_nearest(directory, name):
    directory("import-sample", "1")

    done = directory(name, "--tenant", "ownr", *(["--older-than", "0h", "--yes"] if name == "purge" else []))

    assert (done.code, done.out) == (2, "")
    assert done.err == 'contacts-mcp: --tenant: there is no tenant "ownr"; did you mean "owner"?\n'


def test_restore_backup_shows_both_sides_before_it_asks(directory, location, monkeypatch):
    directory("import-sample", "3")
    directory("backup", "before.db")
    delete(location, 1)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    asked = directory("restore-backup", "before.db")

    time = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    backup, current, warning, question, *_ = asked.err.splitlines()
    assert asked.code == 1
    counts = "0 groups, 0 keys, 0 receipts; last changed"
    assert re.fullmatch(rf"The backup before\.db: 3 contacts, 0 deleted, {counts} {time}", backup)
    assert re.fullmatch(rf"The directory .*: 2 contacts, 1 deleted, {counts} {time}", current)
    assert warning == "The directory was changed later than the backup: these changes will be lost."
    assert question.startswith("Replace everything in ")
    assert json.loads(directory("stats", "--json").out)["tenants"][0]["contacts"] == 2


def test_restore_backup_refuses_a_file_that_is_no_backup_before_it_asks(directory, tmp_path):
    (tmp_path / "notes.txt").write_text("my only copy")

    missing, foreign = directory("restore-backup", "nowhere.db"), directory("restore-backup", "notes.txt")

    assert (missing.code, foreign.code) == (2, 2)
    assert "There is no file nowhere.db" in missing.err
    assert "notes.txt is not a directory of contacts" in foreign.err
    assert "Replace" not in missing.err + foreign.err


def test_every_list_is_a_json_array_of_objects_one_on_a_line(directory, location):
    directory("import-sample", "2")
    directory("keys", "create", "a")
    directory("keys", "create", "b")
    delete(location, 2)
    purge = ("purge", "--older-than", "0h")
    lists = (("keys", "list"), ("deleted",), ("list", "--deleted"), (*purge, "--dry-run"), ("receipts",))
    before = [directory(*words, "--json").out for words in lists]
    directory(*purge, "--yes")
    receipts = directory("receipts", "--json").out

    assert before[-1] == "[]\n"
    for shown in (*before[:-1], receipts):
        assert all(isinstance(each, dict) for each in json.loads(shown))
        first, *rows, last = shown.splitlines()
        assert (first, len(rows), last) == ("[", 2, "]")
        assert [json.loads(row.rstrip(",")) for row in rows] == json.loads(shown)


def test_key_of_an_approver_needs_read_and_is_for_a_person(directory):
    directory("import-sample", "1")
    refused = directory("keys", "create", "a", "--scope", "approve")
    created = directory("keys", "create", "a", "--scope", "approve", "--scope", "read")

    assert refused.code == 2
    assert "the scope approve needs the scope read" in refused.err
    assert "can read the contacts of owner, and decide on the calls of others" in created.err
    assert "give it to a person, and to no assistant" in created.err


def test_one_of_each_is_counted_in_the_singular(directory, location):
    directory("import-sample", "2")
    directory("keys", "create", "a")
    delete(location, 1)
    purged = directory("purge", "--older-than", "0h", "--yes")
    directory("backup", "copy.db")

    assert purged.out == "Erased 1 contact.\n"
    schema, owner = directory("stats").out.splitlines()
    assert schema.endswith(", 0 memberships, 1 receipt")
    assert owner == "owner: 1 contact, 0 deleted, 1 erased, 0 groups, 1 key"
    assert directory("receipts", "--verify").out.startswith("The chain of 1 receipt is unbroken")
    restored = directory("restore-backup", "copy.db", "--yes")
    assert restored.out == "Restored 1 contact; erased 0 contacts and revoked 0 keys again.\n"
    assert directory("import-sample", "1").out == "Added 1 made-up contact.\n"


def test_restored_backup_has_no_contact_that_was_erased_since(directory, location):
    directory("import-sample", "5")
    directory("backup", "before.db")
    gone = delete(location, 1)
    directory("purge", "--older-than", "0h", "--yes")

    over(location, lambda http: http.post("/v1/contacts", json={"name": "Lazy"}, headers={"Idempotency-Key": "k"}))
    done = json.loads(directory("restore-backup", "before.db", "--yes", "--json").out)

    assert done == {"contacts": 4, "erased_again": 1, "keys_revoked_again": 0, "created": False}
    assert "erased" in directory("restore", gone[0]).err
    assert directory("receipts", "--verify").code == directory("check").code == 0


@pytest.mark.parametrize("kind", ["journal", "receipts --json"])
def test_backup_of_a_lost_directory_is_restored_without_erasures_of_its_journal(command, tmp_path, kind):
    """Only a copy of the journal is left. A journal that does not exist is an error."""
    old, new = str(tmp_path / "old.db"), str(tmp_path / "new.db")
    command("directory", "import-sample", "5", "--directory", old)
    command("directory", "backup", str(tmp_path / "before.db"), "--directory", old)
    delete(old, 1)
    command("directory", "purge", "--older-than", "0h", "--yes", "--directory", old)
    kept = tmp_path / "kept"
    written = command("directory", "receipts", "--json", "--directory", old).out
    kept.write_text(Path(f"{old}.receipts").read_text() if kind == "journal" else written)
    restore = ("directory", "restore-backup", str(tmp_path / "before.db"), "--yes", "--json", "--directory", new)

    missing = command(*restore, "--journal", str(tmp_path / "nowhere"))
    done = command(*restore, "--journal", str(kept))

    assert (missing.code, "nowhere" in missing.err) == (2, True)
    assert f"Created a new directory at {new}." in done.err
    assert json.loads(done.out)["erased_again"] == 1
    assert json.loads(command("directory", "stats", "--json", "--directory", new).out)["receipts"] == 1


def test_erasures_are_repeated_when_an_old_file_was_copied_back(command, tmp_path):
    location = tmp_path / "contacts.db"
    command("directory", "import-sample", "5", "--directory", str(location))
    command("directory", "backup", str(tmp_path / "before.db"), "--directory", str(location))
    delete(str(location), 1)
    command("directory", "purge", "--older-than", "0h", "--yes", "--directory", str(location))
    location.write_bytes((tmp_path / "before.db").read_bytes())

    stats = json.loads(command("directory", "stats", "--json", "--directory", str(location)).out)

    assert (stats["tenants"][0]["contacts"], stats["tenants"][0]["erased"], stats["receipts"]) == (4, 1, 1)


def test_backup_of_one_engine_can_be_restored_into_the_other(directory, command, location, tmp_path):
    directory("import-sample", "20")
    directory("backup", "copy.db")
    other = str(tmp_path / "other.db")

    command("directory", "restore-backup", str(tmp_path / "copy.db"), "--yes", "--directory", other)
    back = command("directory", "backup", str(tmp_path / "back.db"), "--directory", other)
    restored = directory("restore-backup", "back.db", "--yes", "--json")

    assert back.code == 0
    assert json.loads(restored.out)["contacts"] == 20
    assert directory("check").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "there.db"), "already"),
        (("restore-backup", "nowhere.db", "--yes"), "no file"),
        (("purge", "--older-than", "soon"), "30d"),
        (("restore", "a1b2c3d4-5678-9abc-def0-123456789abc"), "not found"),
    ],
)
def test_refused_command_is_reported_in_one_line_with_the_reason(command, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.db").write_text("mine")
    command("directory", "migrate", CONTACTS_MCP_DIRECTORY=str(tmp_path / "contacts.db"))

    done = command("directory", *arguments, CONTACTS_MCP_DIRECTORY=str(tmp_path / "contacts.db"))

    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert (tmp_path / "there.db").read_text() == "mine"


MAINTENANCE = (
    ["stats"],
    ["check"],
    ["receipts"],
    ["receipts", "--verify"],
    ["list"],
    ["show", "a1b2c3d4-5678-9abc-def0-123456789abc"],
    ["erase", "a1b2c3d4-5678-9abc-def0-123456789abc", "--reason", "asked", "--yes"],
    ["deleted"],
    ["backup", "copy.db"],
    ["restore", "a1b2c3d4-5678-9abc-def0-123456789abc"],
    ["purge", "--older-than", "1h", "--yes"],
    ["keys", "create", "my app"],
    ["keys", "list"],
    ["keys", "revoke", "abcdefgh", "--yes"],
)


@pytest.mark.parametrize("words", MAINTENANCE, ids=" ".join)
@pytest.mark.parametrize("state", ["missing", "empty"])
def test_misspelled_directory_is_an_error_and_is_not_created(command, tmp_path, monkeypatch, words, state):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "misspelled" / "contacts.db"
    if state == "empty":
        path.parent.mkdir()
        path.touch()

    done = command("directory", *words, "--directory", str(path))

    assert (done.code, done.out) == (2, "")
    assert f"There is no directory at {path}" in done.err
    assert f"`contacts-mcp directory migrate --directory {path}`" in done.err
    assert len(done.err.splitlines()) == 1
    assert [each.stat().st_size for each in tmp_path.rglob("*.*")] == [0] * (state == "empty")


def test_misspelled_postgres_database_gets_no_tables(command, postgres):
    url = postgres.create_database()

    done = command("directory", "stats", "--directory", url)
    tried = command("directory", "migrate", "--dry-run", "--directory", url)

    assert (done.code, "There is no directory at" in done.err) == (2, True)
    assert "would create a new directory" in tried.out
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", url) == "0"


@pytest.mark.parametrize("words", [["migrate"], ["import-sample", "1"], ["serve", "--port", "0"]], ids=" ".join)
def test_command_that_creates_a_directory_says_so(command, tmp_path, words):
    path = tmp_path / "new" / "contacts.db"

    done = command("directory", *words, "--directory", str(path))
    again = command("directory", *words, "--directory", str(path))

    assert f"Created a new directory at {path}." in done.err.splitlines()
    assert "Created" not in again.err
    assert path.stat().st_size > 0


def test_restoring_into_an_empty_database_creates_a_directory_and_says_so(command, postgres, tmp_path):
    url, old, copy = postgres.create_database(), str(tmp_path / "old.db"), str(tmp_path / "copy.db")
    command("directory", "import-sample", "1", "--directory", old)
    command("directory", "backup", copy, "--directory", old)

    done = command("directory", "restore-backup", copy, "--yes", "--directory", url)
    again = command("directory", "restore-backup", copy, "--yes", "--directory", url)

    assert f"Created a new directory at {parse_location(url)}." in done.err.splitlines()
    assert (again.code, again.err) == (0, "")
