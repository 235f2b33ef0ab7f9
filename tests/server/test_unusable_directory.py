"""A directory that cannot be opened is reported as such by every tool, with what to do: nothing was changed."""

import os
import sqlite3
from contextlib import closing, contextmanager

import pytest

from contacts_mcp.app import Embedded
from contacts_mcp.directory import parse_location
from contacts_mcp.directory.database import _sqlite
from contacts_mcp.tools import TOOLS
from directory.conftest import serving
from endpoint_cases import CASES, RECORDS
from support.hosts import MISSING_ID, Person, each_era, host, text_of, with_ids

pytestmark = pytest.mark.slow

GROUP = {"group_id": MISSING_ID}
ARGUMENTS = {
    **{case.tool: with_ids(case.arguments, dict.fromkeys(RECORDS, MISSING_ID)) for case in CASES},
    "find_contacts": {"query": "Ola"},
    "import_contacts": {"content": "name\nOla Nordmann\n"},
    "export_contacts": {},
    "find_duplicate_contacts": {},
    "merge_contacts": {"keep_id": MISSING_ID, "merge_ids": ["11111111-1111-1111-1111-111111111111"]},
    "update_matching_contacts": {"search": "ola", "add_tags": ["vip"]},
    "add_matching_to_group": {**GROUP, "search": "ola"},
    "check_group_audience": GROUP,
    "list_deleted_contacts": {},
    "restore_contact": {"contact_id": MISSING_ID},
}


async def new_directory(path):
    async with serving(path) as http:
        await http.get("/v1/contacts")


async def folder_in_a_file(path, _patch):
    path.write_text("")
    return path / "contacts.db", "cannot be opened"


async def folder(path, _patch):
    path.mkdir()
    return path, "cannot be opened"


async def without_permission(path, patch):
    path.touch()
    patch.setattr(os, "access", lambda *_: False)  # root may read anything
    return path, "no permission"


async def text(path, _patch):
    path.write_text("my novel\n" * 1000)
    return path, "is not a directory of contacts"


async def of_another_program(path, _patch):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    return path, "belongs to another program"


async def newer_schema(path, _patch):
    await new_directory(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE directory_revision SET version_num = '9999'")
    return path, "newer version"


async def without_a_table(path, _patch):
    await new_directory(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE receipt_chain")
    return path, "it lacks a table"


async def refused_server(_path, _patch):
    pytest.importorskip("asyncpg")
    return parse_location("postgresql://me:s3cret@127.0.0.1:1/contacts"), "does not answer"


@contextmanager
def locked(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


OBSTACLES = (
    folder_in_a_file,
    folder,
    without_permission,
    text,
    of_another_program,
    newer_schema,
    without_a_table,
    refused_server,
)


def test_arguments_cover_every_tool():
    assert set(ARGUMENTS) == {tool.name for tool in TOOLS}


async def outcomes(location, era="2026-07-28"):
    person = Person(content={"decision": "delete", "typed": "erase"})
    async with host(Embedded(location, "test"), era, person) as connected:
        return {name: text_of(await connected.raw(name, **given)) for name, given in ARGUMENTS.items()}, person


@pytest.mark.parametrize("obstacle", OBSTACLES)
@each_era
async def test_every_tool_reports_a_directory_that_cannot_be_opened(tmp_path, monkeypatch, obstacle, era):
    location, words = await obstacle(tmp_path / "it", monkeypatch)

    shown, person = await outcomes(location, era)

    wrong = {name: line for name, line in shown.items() if not line.startswith("directory_unavailable: ")}
    assert wrong == {}
    assert [line for line in shown.values() if words not in line or "nothing was changed" not in line] == []
    assert "s3cret" not in str(shown)
    assert person.asked == []


async def test_every_tool_reports_a_locked_directory(tmp_path, monkeypatch):
    path = tmp_path / "contacts.db"
    await new_directory(path)
    monkeypatch.setattr(_sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)

    with locked(path):
        shown, _ = await outcomes(path)

    assert {line.split(":")[0] for line in shown.values()} == {"directory_unavailable"}
    assert "in use by another process" in shown["create_contact"]


async def test_write_to_a_directory_that_gets_locked_is_not_unknown(tmp_path, monkeypatch):
    """The directory is open already; each attempt waits for the lock, and none is made after the call is answered."""
    path = tmp_path / "contacts.db"
    monkeypatch.setattr(_sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)
    async with host(path) as connected:
        await connected.create("Kari Nordmann")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            line = await connected.error("create_contact", name="Ola Nordmann")
            imported = await connected.call("import_contacts", content="name\nOla Nordmann\n")
            failed = await connected.error(
                "import_contacts", content="name\nOla Nordmann\n", apply=True, plan=imported["plan"]
            )
        assert (await connected.call("list_contacts"))["total"] == 1
        await connected.create("Ola Nordmann")

    assert line.startswith("directory_unavailable: ")
    assert "try again" in line
    assert "directory_unavailable" in failed


async def test_call_works_as_soon_as_the_directory_can_be_opened(tmp_path):
    path = tmp_path / "contacts.db"
    path.mkdir()
    async with host(path) as connected:
        assert (await connected.error("create_contact", name="Ola Nordmann")).startswith("directory_unavailable: ")
        path.rmdir()
        await connected.create("Ola Nordmann")
