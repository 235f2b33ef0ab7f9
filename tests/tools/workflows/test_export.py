"""export_contacts: the file reads back exactly, and the model sees only a few lines about it."""

import csv
import io
import json
import threading
from base64 import b64decode
from typing import Any
from unittest.mock import Mock

import pytest
from mcp_types import TextContent

from contacts_mcp.formats import read_contacts
from contacts_mcp.formats._write_csv import CsvWriter
from support.hosts import Host, host, text_of
from support.spreadsheets import excel_saves

PEOPLE: list[dict[str, Any]] = [
    {"name": "Ola Nordmann", "phone_number": "+4799999999", "email": "ola@example.com", "tags": ["vip", "a;b", "=x"]},
    {"name": "=HYPERLINK(1)", "company_name": "+cmd", "notes": "-1\n@sum", "phone_number": "999 99 999"},
    {"name": "'=quoted", "company_name": "@", "tags": ["'=1", '"']},
    {"name": "Kjær Bageri", "type": "company", "notes": "Ærlig, «sitert»; \\n\n\nslutt 🎉"},
    {"name": "محمد علي"},
]


async def fill(directory: Host) -> list[dict[str, Any]]:
    return [await directory.call("create_contact", **person) for person in PEOPLE]


async def test_export_answers_a_uri_without_contacts(directory, files):
    """The URI reads the file's content. A block that is not text would end the run in many agent frameworks."""
    await fill(directory)

    result = await directory.raw("export_contacts", path="out.csv")

    (text,) = result.content
    assert isinstance(text, TextContent)
    answer = json.loads(text.text)
    assert answer == result.structured_content
    assert (answer["file"], answer["mime_type"]) == ("out.csv", "text/csv")
    assert "Nordmann" not in text.text
    contents = (await directory.client.read_resource(answer["uri"])).contents
    assert contents[0].text.encode() == (files / "out.csv").read_bytes()[3:]
    assert (files / "out.csv").stat().st_mode & 0o777 == 0o600
    assert result.structured_content["contacts"] == 5


@pytest.mark.parametrize(
    "options",
    [
        {"format": "csv"},
        {"dialect": "semicolon"},
        {"format": "xlsx"},
        {"format": "vcard"},
        {"format": "vcard", "dialect": "4.0"},
        {"format": "json"},
    ],
    ids=str,
)
async def test_imported_export_changes_nothing(either, files, options):
    """In every format, also for contacts without number and address, and for cells that begin like formulas."""
    before = await fill(either)
    exported = await either.raw("export_contacts", **options)
    name = exported.structured_content["file"]

    for on_match in ("skip", "update", "create"):
        again = await either.call("import_contacts", path=name, on_match=on_match)
        assert (again["new_contacts"], again["updates"], again["unchanged"], again["invalid"]) == (0, 0, 5, 0)
    assert [await either.call("get_contact", contact_id=each["id"]) for each in before] == [
        {name: value for name, value in each.items() if name not in ("information", "warnings")} for each in before
    ]


async def test_csv_export_defuses_formulas_but_not_numbers(directory, files):
    """A spreadsheet evaluates no cell, and numbers stay E.164."""
    await fill(directory)
    await directory.raw("export_contacts", path="out.csv")

    rows = list(csv.DictReader(io.StringIO((files / "out.csv").read_text("utf-8-sig"))))

    cells = [cell for row in rows for cell in row.values() if cell]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r" and cell != "+4799999999"]
    assert "+4799999999" in cells
    assert "'=HYPERLINK(1)" in cells


@pytest.mark.parametrize("dialect", ["google", "outlook"])
async def test_imported_export_for_an_address_book_changes_nothing(directory, files, dialect):
    """Its columns are those of the program; contacts without number and address are compared by their fields."""
    await fill(directory)
    exported = await directory.raw("export_contacts", dialect=dialect)
    name = exported.structured_content["file"]

    for on_match in ("skip", "update", "create"):
        again = await directory.call("import_contacts", path=name, on_match=on_match)
        assert (again["new_contacts"], again["updates"], again["unchanged"], again["invalid"]) == (0, 0, 5, 0)


async def test_export_that_excel_has_saved_changes_no_contact(directory, files):
    """A number that it has destroyed is reported and stays as it was; a changed name is the only update."""
    await fill(directory)
    await directory.call("create_contact", name="Jan Weber", phone_number="+4917612345678")
    exported = await directory.raw("export_contacts", dialect="semicolon")
    data = (files / exported.structured_content["file"]).read_bytes().replace(b"Ola Nordmann", b"Ola Berg")
    (files / "saved.csv").write_bytes(excel_saves(data, ";", ",", "utf-8-sig"))

    plan = await directory.call("import_contacts", path="saved.csv", on_match="update")

    assert (plan["updates"], plan["unchanged"], plan["new_contacts"], plan["invalid"]) == (1, 5, 0, 0)
    assert [line.split(": ", 1)[1] for line in plan["overwritten_contacts"]] == ['name "Ola Nordmann" → "Ola Berg"']
    assert "has a number that a spreadsheet destroyed; it is not imported: 1 (row 7)" in plan["notices"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"format": "vcard", "dialect": "google"},
            "invalid: dialect: is not one of vcard, which has 3.0, 4.0; set format to csv, or leave dialect out",
        ),
        (
            {"dialect": "4.0"},
            "invalid: dialect: is not one of csv, which has semicolon, google, outlook; set format to vcard, or",
        ),
        (
            {"format": "json", "dialect": "semicolon"},
            "invalid: dialect: is not one of json, which has none; set format to csv, or leave dialect out",
        ),
    ],
    ids=str,
)
async def test_dialect_of_another_format_is_refused(directory, files, options, line):
    assert (await directory.error("export_contacts", path="out", **options)).startswith(line)
    assert not list(files.iterdir())


@pytest.mark.parametrize("format_", ["csv", "xlsx", "json"])
async def test_failed_export_leaves_no_file(directory, files, format_, monkeypatch):
    """Also none of the files in which an export is prepared."""
    await fill(directory)
    monkeypatch.setattr(
        "contacts_mcp.folder.SpooledTemporaryFile.write", Mock(side_effect=OSError(28, "No space left"))
    )

    line = await directory.error("export_contacts", format=format_)

    assert line.startswith("invalid: path: cannot be used (no space left)")
    assert not list(files.iterdir())


async def test_contacts_are_written_in_worker_threads(directory, files, monkeypatch):
    """So that other calls run meanwhile."""
    threads: list[threading.Thread] = []
    write = CsvWriter.write
    monkeypatch.setattr(CsvWriter, "write", lambda *args: (threads.append(threading.current_thread()), write(*args))[1])
    await fill(directory)

    await directory.raw("export_contacts")

    assert threads
    assert threading.main_thread() not in threads


async def test_download_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("contacts_mcp.tools._export_contacts.MAX_DOWNLOAD_BYTES", 500)
    async with host(tmp_path / "contacts.db") as directory:
        await fill(directory)

        for format_ in ("csv", "xlsx", "vcard", "json"):
            line = await directory.error("export_contacts", format=format_)
            assert line.startswith("invalid: the export has more than 0 MiB, the limit of a download; export fewer")


async def test_export_contains_the_contacts_that_match_the_filter(either):
    """Type, tags, search and group must all match."""
    people = await fill(either)
    group = (await either.call("create_contact_group", name="G"))["id"]
    await either.call("add_group_members", group_id=group, contact_ids=[people[0]["id"], people[3]["id"]])

    async def count(**wanted: Any) -> int:
        return (await either.raw("export_contacts", **wanted)).structured_content["contacts"]

    assert await count() == 5
    assert await count(type="company") == 1
    assert await count(group_id=group) == 2
    assert await count(group_id=group, type="person") == 1
    assert await count(tags=["VIP"]) == 1
    assert await count(search="nordmann") == 1


async def test_export_without_a_folder_is_a_download(tmp_path):
    """A path is refused, and the file is kept in memory for a while."""
    async with host(tmp_path / "contacts.db") as directory:
        await fill(directory)
        line = await directory.error("export_contacts", path="out.csv")
        exported = await directory.call("export_contacts", format="vcard")
        contents = (await directory.client.read_resource(exported["uri"])).contents

    assert line.startswith("invalid: path: cannot be used here: the operator has configured no folder for files")
    assert contents[0].text.count("BEGIN:VCARD") == 5
    assert contents[0].mime_type == "text/vcard"


async def test_workbook_is_a_download_of_bytes(tmp_path):
    """A program that cannot read the server's disk gets it in base64."""
    async with host(tmp_path / "contacts.db") as directory:
        await fill(directory)
        exported = await directory.call("export_contacts", format="xlsx")
        (contents,) = (await directory.client.read_resource(exported["uri"])).contents

    assert contents.mime_type == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert [row.name for row in read_contacts(b64decode(contents.blob)).rows] == [each["name"] for each in PEOPLE]


async def test_export_never_overwrites_a_file(directory, files):
    """The name of an existing file is an error, and the file stays."""
    (files / "out.csv").write_text("mine")

    line = await directory.error("export_contacts", path="out.csv")

    assert line.startswith("invalid: path: already exists")
    assert (files / "out.csv").read_text() == "mine"


async def test_large_export_without_scans_contains_list_fields_only(platform, unsteady, monkeypatch):
    """The answer says which fields are missing."""
    monkeypatch.setattr("contacts_mcp.tools._export_contacts._MAX_READ_SINGLY", 3)
    await fill(platform)
    unsteady.seen.clear()

    result = await platform.raw("export_contacts")

    assert result.structured_content["note"].startswith("without company, notes and times")
    assert unsteady.seen["GET"] < 5
    assert not result.is_error, text_of(result)


async def test_export_asks_for_no_consent(directory, person):
    """It changes nothing in the directory."""
    await fill(directory)
    await directory.raw("export_contacts")

    assert not person.asked
