"""Workbooks: cells that are not text, empty sheets, and files larger than they look."""

import sys
import zipfile
from datetime import date, datetime
from io import BytesIO

import openpyxl
import pytest

from contacts_mcp.formats import read_contacts
from support.texts import refusal, rows_of, workbook

PEOPLE = [("Navn", "Telefon"), ("Ola Nordmann", 90000001)]


def test_numeric_cells_are_read_as_phone_numbers():
    """The content determines the format, not the file name."""
    data = workbook(People=[("Navn", "Telefon", "Merknad"), ("Ola", 4799999999, 1.5), ("Kari", 90000001.0, 2025)])
    reading = read_contacts(data, name="people.csv")

    ola, kari = reading.rows
    assert (reading.format, reading.dialect) == ("excel", "by column name")
    assert reading.mapping == [("Navn", "name"), ("Telefon", "phone_number"), ("Merknad", "notes")]
    assert (ola.phones, ola.notes) == (("4799999999",), "1.5")
    assert (kari.phones, kari.notes) == (("90000001",), "2025")


def test_date_cells_are_written_as_iso_dates():
    (ola,) = rows_of(workbook(People=[("Name", "Notes"), ("Ola", date(2025, 1, 2))]))
    (kari,) = rows_of(workbook(People=[("Name", "Notes"), ("Kari", datetime(2025, 1, 2, 3, 4, 5))]))  # noqa: DTZ001

    assert (ola.notes, kari.notes) == ("2025-01-02", "2025-01-02 03:04:05")


def test_first_sheet_that_is_not_empty_is_read():
    (ola,) = rows_of(workbook(Empty=[], Blank=[(" ", None)], People=PEOPLE, Others=[("Name",), ("Kari",)]))

    assert (ola.number, ola.name) == (2, "Ola Nordmann")


def test_visible_sheet_is_read_before_hidden_ones():
    book = openpyxl.load_workbook(BytesIO(workbook(Lists=[("Name",), ("Norway",)], People=PEOPLE)))
    book["Lists"].sheet_state = "hidden"
    written = BytesIO()
    book.save(written)

    assert [row.name for row in rows_of(written.getvalue())] == ["Ola Nordmann"]


def test_rows_keep_the_numbers_of_the_spreadsheet():
    """Also if rows and columns before the table are blank."""
    shifted = [(), (None, None), *((None, None, *row) for row in PEOPLE), (), (None, None, "Kari", 90000002)]

    rows = rows_of(workbook(People=shifted))

    assert [(row.number, row.name) for row in rows] == [(4, "Ola Nordmann"), (6, "Kari")]


def test_empty_workbook_is_refused():
    assert "the workbook is empty" in refusal(workbook(Sheet=[]))


def test_workbook_with_too_many_rows_is_refused(monkeypatch):
    """It is not truncated."""
    rows = [("Name",), *((f"Person {number}",) for number in range(4))]
    monkeypatch.setattr("contacts_mcp.formats._rows.MAX_ROWS", 4)
    assert len(rows_of(workbook(People=rows))) == 4
    monkeypatch.setattr("contacts_mcp.formats._rows.MAX_ROWS", 3)

    assert "more than 3 rows; split it" in refusal(workbook(People=rows))


@pytest.mark.parametrize(
    "cell",
    [
        "XFD1048576",
        pytest.param("XFD4000", marks=pytest.mark.skipif(sys.platform != "linux", reason="memory has no bound there")),
    ],
)
def test_far_cells_do_not_end_the_server(cell):
    """The library allocates all cells in between, which may exceed the memory: the file has only two, far apart."""
    row = cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    sheet = (
        '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c></row>'
        f'<row r="{row}"><c r="{cell}" t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>'
    )
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(workbook(People=PEOPLE))) as source, zipfile.ZipFile(written, "w") as target:
        for name in source.namelist():
            target.writestr(name, sheet if name.startswith("xl/worksheets/") else source.read(name))

    assert "the workbook is too large: its cells reach too far" in refusal(written.getvalue())


def test_workbook_with_too_much_text_is_refused(monkeypatch):
    monkeypatch.setattr("contacts_mcp.formats._read._MAX_WORKBOOK_CHARACTERS", 1_000)

    assert "the workbook is too large" in refusal(workbook(People=[("Name",), ("x" * 1_000,)]))


@pytest.mark.parametrize("damage", [slice(0, 500), slice(0, 3_000)])
def test_truncated_workbook_is_refused(damage):
    assert "damaged or protected with a password" in refusal(workbook(People=PEOPLE)[damage])


def test_other_archives_are_not_opened_as_workbooks():
    """They have the same signature."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("people.txt", "Ola")

    assert "the workbook cannot be opened" in refusal(packed.getvalue())
    assert "the workbook cannot be opened" in refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
