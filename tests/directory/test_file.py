"""The file: its permissions, and the answers if it cannot be used."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from contacts_mcp.directory import Directory, DirectoryUnavailable, default_path, store
from contacts_mcp.directory.database import _database, _sqlite
from contacts_mcp.directory.store import parse_query

VALUES = {"type": "person", "name": "a", "tags": [], **dict.fromkeys(("company_name", "phone_number", "email"))}


@pytest.fixture
def wide_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


async def test_new_file_and_folders_are_private(tmp_path, open_directory, wide_umask):
    path = tmp_path / "new" / "folder" / "contacts.db"

    async with open_directory(path) as http:
        assert (await http.post("/v1/contacts", json={"name": "a"})).status_code == 201
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == ["contacts.db", "contacts.db-shm", "contacts.db-wal"]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}

    assert {folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)} == {0o700}


def test_no_file_is_created_before_the_first_request(tmp_path):
    Directory(tmp_path / "new" / "contacts.db")

    assert list(tmp_path.iterdir()) == []
    assert default_path().name == "contacts.db"
    assert "wayscloud-contacts-mcp" in default_path().parts


async def test_stored_contact_is_found_after_reopening(path, open_directory):
    async with open_directory(path) as http:
        made = (await http.post("/v1/contacts", json={"name": "Ola"})).json()

    async with open_directory(path) as http:
        assert (await http.get(f"/v1/contacts/{made['id']}")).json() == made


async def test_concurrent_first_requests_open_the_database_once(path, open_directory, monkeypatch):
    opened = []
    monkeypatch.setattr(
        _database, "build_engine", lambda path, real=_database.build_engine: opened.append(path) or real(path)
    )

    async with open_directory(path) as http:
        answers = await asyncio.gather(*(http.get("/v1/contacts") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert opened == [path]


async def refusal(open_directory, path):
    async with open_directory(path) as http:
        answer = await http.get("/v1/contacts")
    assert answer.status_code == 503
    assert list(answer.json()) == ["detail"]
    detail = answer.json()["detail"]
    assert "\n" not in detail
    assert str(path) in detail
    return detail


async def test_file_that_is_not_a_database_is_refused_and_not_changed(path, open_directory):
    path.write_bytes(b"my novel\n" * 1000)

    assert "is not a directory of contacts" in await refusal(open_directory, path)
    assert path.read_bytes() == b"my novel\n" * 1000


async def test_database_of_another_program_is_refused_and_not_changed(path, open_directory):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()

    assert "belongs to another program" in await refusal(open_directory, path)
    assert path.read_bytes() == before


async def test_file_of_a_newer_version_is_refused(path, open_directory):
    async with open_directory(path) as http:
        await http.get("/v1/contacts")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE directory_revision SET version_num = '9999'")
        connection.commit()

    assert "newer version" in await refusal(open_directory, path)


@pytest.mark.parametrize("name", ["folder", "file/contacts.db", "nul\0", "n" * 300])
async def test_path_that_cannot_be_a_file_is_refused(tmp_path, open_directory, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")

    assert "choose" in await refusal(open_directory, tmp_path / name) or name == "folder"


async def test_file_without_permission_is_refused(path, open_directory, monkeypatch):
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read anything

    assert "no permission" in await refusal(open_directory, path)


async def test_next_request_retries_a_refused_path(path, open_directory):
    path.mkdir()
    async with open_directory(path) as http:
        assert (await http.get("/v1/contacts")).status_code == 503
        path.rmdir()
        assert (await http.get("/v1/contacts")).status_code == 200


@pytest.mark.parametrize(
    ("pragma", "status", "words"), [("query_only = ON", 503, "read-only"), ("max_page_count = 1", 507, "full disk")]
)
async def test_write_that_cannot_be_stored_is_reported_and_changes_nothing(
    path, open_directory, monkeypatch, pragma, status, words
):
    monkeypatch.setattr(_sqlite, "_WRITER_PRAGMAS", (*_sqlite._WRITER_PRAGMAS, pragma))
    async with open_directory(path) as http:
        answer = await http.post("/v1/contacts", json={"name": "a", "notes": "x" * 9000})

        assert answer.status_code == status
        assert words in answer.json()["detail"]
        assert (await http.get("/v1/contacts")).json()["total"] == 0


async def test_lock_of_another_process_is_a_503_until_it_is_released(path, open_directory, monkeypatch):
    monkeypatch.setattr(_sqlite, "BUSY_TIMEOUT_SECONDS", 0.02)
    async with open_directory(path) as http:
        await http.get("/v1/contacts")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await http.post("/v1/contacts", json={"name": "a"})).status_code == 503
            assert (await http.get("/v1/contacts")).status_code == 200
        assert (await http.post("/v1/contacts", json={"name": "a"})).status_code == 201


async def test_closed_directory_is_unavailable_and_can_be_closed_again(path):
    directory = Directory(path)
    await directory.aclose()
    await directory.aclose()

    with pytest.raises(DirectoryUnavailable, match="closed"):
        await directory._database.read(lambda connection: None)


async def test_write_whose_caller_is_cancelled_is_completed(path):
    """It leaves a complete contact and no lock."""
    async with Directory(path) as directory:
        database = directory._database
        await database.read(store.list_contacts, 1, parse_query(), page=1, per_page=1)
        for number in range(12):
            task = asyncio.create_task(database.write(store.create_contact, 1, VALUES))
            while not database._running:  # noqa: ASYNC110 - bounded: the task needs a turn or two
                await asyncio.sleep(0)
            for _ in range(number):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.wait_for(database.write(lambda connection: None), 5)
        listed = await database.read(store.list_contacts, 1, parse_query(), page=1, per_page=50)

    assert len(listed.rows) == listed.total == 12


async def test_write_cancelled_before_it_starts_changes_nothing(path):
    async with Directory(path) as directory:
        database = directory._database
        await database.read(lambda connection: None)
        async with database._writing:
            task = asyncio.create_task(database.write(store.create_contact, 1, VALUES))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await database.read(store.list_contacts, 1, parse_query(), page=1, per_page=50)).total == 0


def test_errors_of_the_program_are_not_explained():
    assert _sqlite.SqliteEngine(Path("x")).explain(ValueError()) is None
    assert not _sqlite.SqliteEngine(Path("x")).is_transient(ValueError())


@pytest.mark.system
def test_process_that_does_not_close_the_directory_ends_silently(path):
    program = f"""
import asyncio, httpx
from pathlib import Path
from contacts_mcp.directory import Directory
directory = Directory(Path({str(path)!r}))
async def main():
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=directory.app), base_url="http://d")
    assert (await http.post("/v1/contacts", json={{"name": "a"}})).status_code == 201
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_shutdown_of_the_app_closes_the_database(path):
    directory = Directory(path)
    async with directory.app.router.lifespan_context(directory.app):
        await directory._database.read(lambda connection: None)

    assert [file.name for file in path.parent.iterdir()] == ["contacts.db"]
