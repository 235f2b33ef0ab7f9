"""Files of many programs are recognized and read; others are refused in one line."""

import json
from pathlib import Path

import pytest

from contacts_mcp.formats import ParsedFile, Row, read_contacts
from support.texts import refusal, rows_of

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> tuple[ParsedFile, list[Row]]:
    reading = read_contacts((SAMPLES / name).read_bytes(), name=name)
    return reading, list(reading.rows)


def test_old_google_export_is_read():
    """Joined cells are split, system groups are dropped, the mobile comes first."""
    reading, (ola,) = sample("google_old.csv")

    assert (reading.format, reading.dialect) == ("csv", "Google Contacts (old)")
    assert (ola.number, ola.name, ola.company_name) == (2, "Ola Nordmann", "ACME AS")
    assert ola.phones == ("999 99 999", "900 00 001", "22 22 22 22")
    assert ola.emails == ("ola@example.com", "old@example.com", "ola@acme.example")
    assert ola.tags == ("Customers",)
    assert ola.notes == "First line\nsecond line"


def test_new_google_export_is_read():
    """Names are joined, and a row with only a company is a company."""
    reading, (kari, bakery) = sample("google_new.csv")

    assert reading.dialect == "Google Contacts"
    assert (kari.name, kari.company_name, kari.type) == ("Kari Marie Nordmann", "Fjord Consulting", None)
    assert kari.phones == ("900 00 001", "22 22 22 22")
    assert kari.tags == ("Friends",)
    assert (bakery.name, bakery.type, bakery.emails) == ("Kjær Bageri", "company", ("post@example.dk",))


def test_outlook_export_in_windows_1252_is_read():
    """Fax numbers are dropped; the encoding is detected."""
    reading, (bjorn,) = sample("outlook.csv")

    assert (reading.dialect, reading.encoding) == ("Outlook", "Windows-1252")
    assert (bjorn.name, bjorn.company_name, bjorn.notes) == ("Bjørn Håkonsen", "Åsen & Sønner", "Ærlig – 5 €")
    assert bjorn.phones == ("900 00 002", "22 22 22 22", "33 33 33 33")
    assert bjorn.emails == ("bjorn@example.com", "b2@example.com")
    assert bjorn.tags == ("Kunder", "VIP")


@pytest.mark.parametrize(
    ("name", "encoding", "delimiter", "row"),
    [
        ("semicolons.csv", "Windows-1252", ";", ("Øystein Åsen", ("900 00 003", "22 22 22 22"), "Sjø; Land")),
        ("tabs_utf16.txt", "UTF-16", "\t", ("Jürgen Müller", ("0151 23456789",), "Müller GmbH")),
        ("bom.csv", "UTF-8", ",", ("Zoë Lefèvre", ("06 12 34 56 78",), "")),
    ],
)
def test_encodings_delimiters_and_header_languages_are_detected(name, encoding, delimiter, row):
    """Norwegian, German and French headers; `Name` beside `Vorname` and `Nom` beside `Prénom` are last names."""
    reading, (read,) = sample(name)

    assert (reading.encoding, reading.delimiter, reading.dialect) == (encoding, delimiter, "by column name")
    assert (read.name, read.phones, read.company_name) == row


def test_apple_cards_are_read():
    """Pictures and fax numbers are skipped; a card shown as a company is one."""
    reading, (ola, bakery) = sample("apple.vcf")

    assert (reading.format, reading.dialect) == ("vcard", "Apple")
    assert (ola.name, ola.company_name) == ("Ola Nordmann", "ACME AS")
    assert ola.phones == ("+47 999 99 999", "22 22 22 22")
    assert ola.emails == ("ola@example.com", "second@example.com")
    assert ola.tags == ("Customers", "VIP")
    assert ola.notes == "First line\nsecond, with a comma"
    assert (bakery.name, bakery.type, bakery.phones) == ("Kjær Bageri", "company", ("+45 32 12 34 56",))


def test_android_cards_are_read_and_a_broken_one_is_reported():
    """Quoted-printable with soft line breaks is read; a card without an end affects no other."""
    reading, (bjorn, broken, last) = sample("android21.vcf")

    assert reading.dialect == "Android"
    assert (bjorn.name, bjorn.phones) == ("Bjørn Håkonsen", ("90000002", "22222222"))
    assert (broken.number, broken.problem) == (2, "is a card without an end")
    assert (last.name, last.problem) == ("One Last", None)


def test_version_4_cards_are_read():
    """Numbers are URIs, organisations are companies, an id is kept."""
    _, (fjord, mohammed) = sample("vcard4.vcf")

    assert (fjord.id, fjord.type) == ("a1b2c3d4-5678-9abc-def0-123456789abc", "company")
    assert fjord.phones == ("+47-22-22-22-22",)
    assert (mohammed.name, mohammed.phones) == ("محمد علي 🎉", ("+4790000004",))


@pytest.mark.parametrize(
    "text",
    [
        '[{"Name": "Ola", "Mobile": 90000001, "Labels": ["a", "b"]}]',
        '{"contacts": [{"name": "Ola", "phone_number": "90000001", "tags": ["a", "b"]}]}',
        '{"name": "Ola", "phone": "90000001", "tags": "a;b"}\n{"name": "Kari"}',
    ],
)
def test_json_is_read_in_all_its_forms(text):
    """A list, an object that holds one, or an object on each line."""
    ola = rows_of(text)[0]

    assert (ola.number, ola.name, ola.phones, ola.tags) == (1, "Ola", ("90000001",), ("a", "b"))


def test_irregular_csv_rows_are_read_or_reported():
    """Each row keeps its number."""
    rows = rows_of(
        "\n\nName,Phone,Phone,Mail,Notes\n"
        "A,90 00 00 01; 90 00 00 02,+47 900 00 003,a@example.com <x>\n"
        ",,,only@example.com,\n"
        'B,,,"Bee <b@example.com>","quoted\n\nnewline, and ""quotes"""\n'
        "C,,,,,,,extra,cells\n"
        "   ,,\n"
        f"{'D' * 300},,,,\n"
        "مرحبا 👩‍👩‍👧‍👦,,,,\n"
    )

    assert [row.name for row in rows[:3]] == ["A", "", "B"]
    assert rows[0].phones == ("90 00 00 01", "90 00 00 02", "+47 900 00 003")
    assert rows[1].problem == "has no name"
    assert (rows[2].emails, rows[2].notes) == (("b@example.com",), 'quoted\n\nnewline, and "quotes"')
    assert rows[3].name == "C"
    assert rows[4].problem == "has more than 255 characters in name"
    assert rows[5].name == "مرحبا 👩‍👩‍👧‍👦"
    assert [row.number for row in rows] == [4, 5, 6, 7, 9, 10]


def test_oversized_row_does_not_affect_other_rows():
    before, large, after = rows_of(f"name,notes\nA,x\nB,{'y' * 10_000_000}\nC,z\n")

    assert (before.name, after.name) == ("A", "C")
    assert large.problem == "has a cell of more than 20,000 characters"


@pytest.mark.parametrize(
    "cell", [" " * 15_000, "1 " * 7_000, "; " * 7_000, "a@b.no " * 2_000, "<" * 15_000, "::: " * 4_000]
)
def test_long_cells_are_read_in_bounded_time(cell):
    (row,) = rows_of(f"name,phone,email,tags\nOla,{cell},{cell},{cell}\n")

    assert row.name == "Ola"


@pytest.mark.parametrize(
    ("data", "name", "line"),
    [
        (b"", "people.csv", "the file is empty"),
        (b" \n ", "people.csv", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "people.csv", "the file is a picture"),
        (b"%PDF-1.7 x", "people.csv", "the file is a PDF"),
        (b"\x7fELF\x02\x00\x00", "people.csv", "the file is binary"),
        (b"PK\x03\x04nonsense", "people.xlsx", "the workbook cannot be opened"),
        (b"ola@example.com,99999999\n", None, "the first row looks like data, not like a header"),
        (b"a,b\n1,2\n", None, "no column holds a name; the columns are a, b"),
        (b"[1, 2]", None, "the JSON holds no contacts"),
        (b"[{", "x.json", "the file is not valid JSON"),
        (b"hello", "x.vcf", "the file is not a vcf file, despite its name"),
        (b"\xff\xfea", "x.csv", "the file is not valid UTF-16"),
    ],
)
def test_file_without_contacts_is_refused_with_the_reason(data, name, line):
    assert line in refusal(data, name=name)


def test_file_with_too_many_rows_is_refused(monkeypatch):
    """The error says what to do."""
    monkeypatch.setattr("contacts_mcp.formats._rows.MAX_ROWS", 2)

    assert "split it" in refusal("name\na\nb\nc\n")


def test_format_that_differs_from_the_content_is_refused():
    assert refusal(json.dumps([{"name": "x"}]), format="csv").startswith("invalid: format: the file is not csv")
