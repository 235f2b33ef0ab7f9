"""Exports survive a spreadsheet: LibreOffice in two countries, and what Excel does to a CSV that it opens and saves."""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contacts_mcp.contract import Contact
from contacts_mcp.formats import open_writer, read_contacts
from contacts_mcp.phones import is_destroyed
from support.spreadsheets import excel_saves

SOFFICE = shutil.which("soffice")
needs_libreoffice = pytest.mark.skipif(
    SOFFICE is None, reason="LibreOffice is missing: apt-get install --no-install-recommends libreoffice-calc"
)
PEOPLE: list[dict[str, Any]] = [
    {
        "name": "Ola Nordmann",
        "phone_number": "+4799999999",
        "email": "ola@example.com",
        "tags": ["vip", "2024-05", "a;b", "=x"],
        "notes": "- melk\n- brød; =1+1",
    },
    {"name": "007", "company_name": "1E5", "phone_number": "+12025550123", "tags": ["0012"], "notes": "12.05"},
    {
        "name": "=HYPERLINK(1)",
        "type": "company",
        "company_name": "+cmd",
        "phone_number": "0047 99 99 99 99",
        "notes": "x;=cmd|' /C calc'!A0;y\ta;@SUM(1)",
    },
    {
        "name": "Åse «Ærlig» Ødegård",
        "company_name": "TRUE",
        "phone_number": "22335103",
        "email": "ase@example.no",
        "tags": ["'=1", '"', "mars 24"],
        "notes": '"quoted", and, more',
    },
    {"name": "'t Hooft", "phone_number": "0223 35 103", "tags": ["1.10", "a,b"], "notes": "1/2"},
    {"name": "Per Lang", "phone_number": "4799999998", "notes": "=1+1", "tags": ["-", "'007"]},
]
CONTACTS = [
    Contact(id=f"a1b2c3d4-5678-9abc-def0-12345678900{number}", **{"type": "person", **person})
    for number, person in enumerate(PEOPLE)
]
LONG_NUMBER = Contact(
    id="a1b2c3d4-5678-9abc-def0-123456789009",
    type="person",
    name="محمد علي",
    phone_number="+4917612345678",
    notes="＝A1",
)


def written(format_: str = "csv", dialect: str | None = None, contacts: list[Contact] = CONTACTS) -> bytes:
    sink = io.BytesIO()
    with open_writer(sink, format_, dialect) as writer:
        writer.write(contacts)
    return sink.getvalue()


def contacts_in(data: bytes) -> list[Contact]:
    """The contacts of a file of which nothing was reported."""
    rows = list(read_contacts(data).rows)
    assert not [row for row in rows if row.problem or row.notices]
    return [
        Contact(
            id=row.id,
            type=row.type,
            name=row.name,
            company_name=row.company_name or None,
            phone_number=row.phones[0] if row.phones else None,
            email=row.emails[0] if row.emails else None,
            tags=list(row.tags),
            notes=row.notes or None,
        )
        for row in rows
    ]


@pytest.mark.parametrize(
    ("dialect", "separator", "decimal", "codec"),
    [
        (None, ",", ".", "cp1252"),
        (None, ",", ".", "utf-8-sig"),
        ("semicolon", ";", ",", "cp1252"),
        ("semicolon", ";", ",", "utf-8-sig"),
    ],
)
def test_csv_survives_opening_and_saving_in_excel(dialect, separator, decimal, codec):
    """Numbers get their plus back; leading zeros, dates and exponents are never read as such."""
    saved = excel_saves(written(dialect=dialect), separator, decimal, codec)

    assert b"4799999999" in saved
    assert b"+4799999999" not in saved
    assert contacts_in(saved) == CONTACTS


@pytest.mark.parametrize(("dialect", "separator"), [(None, ";"), ("semicolon", ",")])
def test_csv_opened_at_another_separator_is_restored(dialect, separator):
    """Excel then has each line in a cell. Only quotes that follow the separator are lost, so the plan says it."""
    contacts = [each.model_copy(update={"tags": [tag for tag in each.tags if tag != '"']}) for each in CONTACTS[1:]]

    saved = excel_saves(written(dialect=dialect, contacts=contacts), separator, ".", "utf-8-sig")

    assert saved.count(b'"id') == 0
    assert contacts_in(saved) == contacts
    assert "opened the file at another separator" in read_contacts(saved).remarks[0]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('name,phone,tags\n"Hansen, ""Kari"", X",90000001,\n"Berg, Per, X"\n', ['Hansen, "Kari", X', "Berg, Per, X"]),
        ('"Kunder, Oslo, 2026";;\nname;phone;email\n"Hansen, Per, Oslo";90000001;\n', ["Hansen, Per, Oslo"]),
    ],
    ids=["quoted", "title"],
)  # fmt: skip
def test_cell_with_commas_is_no_line(text, names):
    reading = read_contacts(text.encode())

    assert [row.name for row in reading.rows] == names
    assert not [remark for remark in reading.remarks if "separator" in remark]


def test_number_that_excel_destroys_is_reported_and_the_rest_survives():
    saved = excel_saves(written(contacts=[LONG_NUMBER]), ",", ".", "utf-8-sig")

    (row,) = read_contacts(saved).rows
    assert row.phones == ("4.91761E+12",)
    assert is_destroyed(row.phones[0])
    assert (row.id, row.name, row.notes) == (LONG_NUMBER.id, LONG_NUMBER.name, LONG_NUMBER.notes)


def test_digits_in_a_row_without_id_get_no_plus():
    """A person has added the row; a national number may look like one of another country."""
    (row,) = read_contacts(b"id,type,name,phone_number\n,person,Kari,4799999999\n").rows

    assert row.phones == ("4799999999",)


def test_cells_beyond_the_columns_of_an_export_are_reported():
    (row,) = read_contacts(written(contacts=CONTACTS[1:2]).rstrip() + b",more\r\n").rows

    assert row.notices == ("has more cells than the header; additional cells are not imported",)


def test_workbook_has_only_text_cells():
    """With the format of text, so that what a person types there stays text as well."""
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx", contacts=[*CONTACTS, LONG_NUMBER])))

    cells = [cell for row in book.active.iter_rows() for cell in row if cell.value is not None]
    assert {(cell.data_type, cell.number_format) for cell in cells} == {("s", "@")}
    assert {cell.number_format for cell in book.active["E"]} == {"@"}
    values = {cell.value for cell in cells}
    assert {"007", "+4917612345678", "=HYPERLINK(1)", "x;=cmd|' /C calc'!A0;y\ta;@SUM(1)"} <= values


class LibreOffice:
    """LibreOffice with the settings of a country, in a profile of its own."""

    def __init__(self, folder: Path, locale: str) -> None:
        self._folder, self._profile = folder, folder / "profile"
        (self._profile / "user").mkdir(parents=True)
        (self._profile / "user/registrymodifications.xcu").write_text(
            '<?xml version="1.0"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
            '<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">'
            f"<value>{locale}</value></prop></item></oor:items>"
        )

    def convert(self, data: bytes, suffix: str, to: str, opened_as: str = "") -> bytes:
        """Open a file and save it in another format; `opened_as` are the options of a CSV."""
        source, saved = self._folder / f"contacts.{suffix}", self._folder / "saved"
        source.write_bytes(data)
        options = ["--convert-to", to, "--outdir", str(saved), str(source)]
        if opened_as:
            options.insert(0, f"--infilter=CSV:{opened_as}")
        subprocess.run(
            [str(SOFFICE), f"-env:UserInstallation={self._profile.as_uri()}", "--headless", *options],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        return (saved / f"contacts.{to.partition(':')[0]}").read_bytes()


def saved_as_csv(separator: str) -> str:
    """The options of CSV in UTF-8, with cells as they are shown."""
    return f"csv:Text - txt - csv (StarCalc):{ord(separator)},34,76,1,,0,false,true"


@needs_libreoffice
@pytest.mark.system
@pytest.mark.parametrize(
    ("locale", "format_", "dialect", "separator", "to"),
    [
        ("en-US", "csv", None, ",", saved_as_csv(",")),
        ("en-US", "xlsx", None, "", saved_as_csv(",")),
        ("en-US", "xlsx", None, "", "ods"),
        ("nb-NO", "csv", "semicolon", ";", saved_as_csv(";")),
        ("nb-NO", "csv", None, ",", "xlsx"),
        ("nb-NO", "xlsx", None, "", "xlsx"),
        ("de-DE", "xlsx", None, "", saved_as_csv(";")),
    ],
)
def test_export_survives_opening_and_saving_in_libreoffice(tmp_path, locale, format_, dialect, separator, to):
    opened_as = f"{ord(separator)},34,76,1" if separator else ""
    contacts = [*CONTACTS, LONG_NUMBER]

    saved = LibreOffice(tmp_path, locale).convert(written(format_, dialect, contacts), format_, to, opened_as)

    assert contacts_in(saved) == contacts


@needs_libreoffice
@pytest.mark.system
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_libreoffice_evaluates_no_cell_of_a_csv(tmp_path, separator):
    """With formulas switched on, at any separator; the row at the end shows that they are."""
    opened_as = f"{ord(separator)},34,76,1,,1044,false,true,false,false,false,0,true"
    data = written() + written(dialect="google") + f"end{separator}=1+1\r\n".encode()

    saved = LibreOffice(tmp_path, "nb-NO").convert(data, "csv", "xlsx", opened_as)

    cells = [cell for row in openpyxl.load_workbook(io.BytesIO(saved)).active.iter_rows() for cell in row]
    assert [cell.value for cell in cells if cell.data_type == "f"] == ["=1+1"]
