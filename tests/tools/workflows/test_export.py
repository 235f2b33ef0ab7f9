"""export_contacts: the file reads back exactly, and the model sees only a few lines about it."""

import csv
import io
import json
from typing import Any

import pytest
from mcp_types import ResourceLink

from support.hosts import Host, host, text_of

PEOPLE: list[dict[str, Any]] = [
    {"name": "Ola Nordmann", "phone_number": "+4799999999", "email": "ola@example.com", "tags": ["vip", "a;b", "=x"]},
    {"name": "=HYPERLINK(1)", "company_name": "+cmd", "notes": "-1\n@sum", "phone_number": "999 99 999"},
    {"name": "'=quoted", "company_name": "@", "tags": ["'=1", '"']},
    {"name": "Kjær Bageri", "type": "company", "notes": "Ærlig, «sitert»; \\n\n\nslutt 🎉"},
    {"name": "محمد علي"},
]


async def fill(directory: Host) -> list[dict[str, Any]]:
    return [await directory.call("create_contact", **person) for person in PEOPLE]


async def test_export_answers_a_link_without_contacts(directory, files):
    """The link reads the file's content, and only its owner can read the file."""
    await fill(directory)

    result = await directory.raw("export_contacts", path="out.csv")

    text, link = result.content
    assert isinstance(link, ResourceLink)
    assert (link.name, link.mime_type) == ("out.csv", "text/csv")
    assert "Nordmann" not in text.text
    assert json.loads(text.text) == result.structured_content
    contents = (await directory.client.read_resource(str(link.uri))).contents
    assert contents[0].text.encode() == (files / "out.csv").read_bytes()[3:]
    assert (files / "out.csv").stat().st_mode & 0o777 == 0o600
    assert result.structured_content["contacts"] == 5


@pytest.mark.parametrize("format_", ["csv", "vcard", "json"])
async def test_imported_export_changes_nothing(either, files, format_):
    """In every format, also for contacts without number and address, and for cells that begin like formulas."""
    before = await fill(either)
    exported = await either.raw("export_contacts", format=format_)
    name = exported.structured_content["file"]

    for on_match in ("skip", "update", "create"):
        again = await either.call("import_contacts", path=name, on_match=on_match)
        assert (again["creates"], again["updates"], again["unchanged"], again["invalid"]) == (0, 0, 5, 0)
    assert [await either.call("get_contact", contact_id=each["id"]) for each in before] == [
        {name: value for name, value in each.items() if name != "warnings"} for each in before
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
        result = await directory.raw("export_contacts", format="vcard")
        link = result.content[1]
        assert isinstance(link, ResourceLink)
        contents = (await directory.client.read_resource(str(link.uri))).contents

    assert line.startswith("invalid: path: cannot be used here: the operator has configured no folder for files")
    assert contents[0].text.count("BEGIN:VCARD") == 5
    assert contents[0].mime_type == "text/vcard"


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
