"""Workbooks: cells that are not text, empty sheets, and files larger than they look."""

import re
import subprocess
import zipfile
from datetime import date, datetime
from io import BytesIO

import openpyxl
import pytest

from contacts_mcp.formats import read_contacts
from contacts_mcp.formats._workbook._convert import convert
from support.texts import refusal, rows_of, workbook

PEOPLE = [("Navn", "Telefon"), ("Ola Nordmann", 90000001)]


@pytest.fixture(autouse=True, params=["in a process of its own", "here"])
def place(request, monkeypatch):
    """Read workbooks as always, and in this process, where coverage is measured."""
    if request.param == "here":
        monkeypatch.setattr("contacts_mcp.formats._read.subprocess.run", convert_here)


def convert_here(program, *, input, **_):  # noqa: A002 - the argument's name
    output = BytesIO()
    status = convert(input, output, *map(int, program[-2:]))
    return subprocess.CompletedProcess(program, status, output.getvalue())


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


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:"


def with_sheet(rows, shared=None, prolog="", prefix=""):
    """A workbook with these rows; `shared` are the texts that its cells refer to."""
    sheet = f"<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>"
    if prefix:
        sheet = re.sub(r"<(?=\w)|</", lambda found: f"{found[0]}{prefix}:", sheet).replace("xmlns", f"xmlns:{prefix}")
    parts = {"sheet1.xml": prolog + sheet}
    with zipfile.ZipFile(BytesIO(workbook(People=PEOPLE))) as proper:
        found = {name: parts.get(name.rpartition("/")[2]) or proper.read(name).decode() for name in proper.namelist()}
    if shared is not None:
        found["xl/sharedStrings.xml"] = f"<sst {MAIN}>{shared}</sst>"
        relation = '<Relationship Id="texts" Type="x/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
        relations = "xl/_rels/workbook.xml.rels"
        found[relations] = found[relations].replace("</Relationships>", relation)
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in found.items():
            target.writestr(name, content)
    return written.getvalue()


def ods(tables, styles=""):
    names = " ".join(f'xmlns:{name}="{OFFICE}{name}:1.0"' for name in ("office", "table", "text", "style"))
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>",
        )
    return written.getvalue()


def cells(*texts):
    return "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in texts)


NAME_ROW = '<row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c></row>'
SHARED_ROW = '<row><c t="s"><v>0</v></c></row>'
HOSTILE = {
    "a cell far on the right": lambda: with_sheet(NAME_ROW + '<row r="2"><c r="XFD2"><v>1</v></c></row>'),
    "a long text in many cells": lambda: with_sheet(NAME_ROW + SHARED_ROW * 5_000, f"<si><t>{'x' * 30_000}</t></si>"),
    "texts without end": lambda: with_sheet(SHARED_ROW, f"<si><t>{'x' * 1_000_000}</t></si>" * 70),
    "a cell without end": lambda: with_sheet(NAME_ROW.replace("Name", "x" * 9_000_000)),
    "a repeated row": lambda: ods(
        f"<table:table><table:table-row>{cells('Name')}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="1048576">{cells("x" * 1_000)}</table:table-row></table:table>'
    ),
    "a repeated cell": lambda: ods(
        '<table:table><table:table-row><table:table-cell table:number-columns-repeated="16384"><text:p>Name</text:p>'
        "</table:table-cell></table:table-row></table:table>"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", HOSTILE)
def test_small_workbook_that_describes_much_is_refused(what):
    data = HOSTILE[what]()

    assert len(data) < 200_000
    assert "the workbook is too large: its cells reach too far" in refusal(data)


def test_workbook_with_a_document_type_is_refused():
    """Its entities could grow without end, or read files."""
    assert "damaged" in refusal(with_sheet(NAME_ROW, prolog='<!DOCTYPE x [<!ENTITY a "Ola">]>'))


@pytest.mark.parametrize("prefix", ["", "x"])
def test_texts_of_runs_formulas_and_other_cells_are_read(prefix):
    """Without references, which some programs do not write, and without the text of how a name is pronounced."""
    inline = "<is><r><t>Ola</t></r><rPh sb='0' eb='1'><t>ola</t></rPh><r><t> Nordmann</t></r></is>"
    rows = (
        "<row><c t='str'><f>A1</f><v>Name</v></c><c t='s'><v>0</v></c></row><row/>"
        f"<row><c t='inlineStr'>{inline}</c><c><v>9.0000001E7</v></c></row>"
    )

    (ola,) = rows_of(with_sheet(rows, "<si><t>Pho</t><t>ne</t></si>", prefix=prefix))

    assert (ola.number, ola.name, ola.phones) == (3, "Ola Nordmann", ("90000001",))


def test_far_row_is_read():
    """Blank rows before it cost nothing."""
    (ola,) = rows_of(with_sheet(NAME_ROW + NAME_ROW.replace("1", "1048576").replace("Name", "Ola")))

    assert (ola.number, ola.name) == (1_048_576, "Ola")


def test_ods_is_read():
    """Repeated, covered and typed cells, spaces, comments, several paragraphs, and a hidden sheet before."""
    styles = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    hidden = f'<table:table table:style-name="h"><table:table-row>{cells("Land")}</table:table-row></table:table>'
    typed = (
        '<table:table-cell office:value-type="float" office:value="90000001"><text:p>90 00 00 01</text:p>'
        '</table:table-cell><table:table-cell table:number-columns-repeated="2"/><table:table-cell '
        'office:value-type="date" office:date-value="2025-01-02T03:04:05"><text:p>2.1.</text:p></table:table-cell>'
    )
    comment = "<office:annotation><text:p>hei</text:p></office:annotation>"
    name = f"Ola<text:s/><text:span>Nordmann</text:span>{comment}</text:p>{comment}<text:p>"
    data = ods(
        f"{hidden}<table:table><table:table-row>{cells('Navn', 'Telefon', 'x', 'y', 'Notat')}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row><table:table-row>'
        f'{cells(name)}{typed}</table:table-row><table:table-row table:number-rows-repeated="2">'
        f"{cells('Kari')}</table:table-row></table:table>",
        styles,
    )

    rows = rows_of(data)
    assert [(row.number, row.name) for row in rows] == [(5, "Ola Nordmann"), (6, "Kari"), (7, "Kari")]
    assert (rows[0].phones, rows[0].notes) == (("90000001",), "2025-01-02 03:04:05")


def test_workbook_with_too_much_text_is_refused(monkeypatch):
    monkeypatch.setattr("contacts_mcp.formats._read._MAX_WORKBOOK_BYTES", 1_000)

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
