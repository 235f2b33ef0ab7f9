"""Files of many programs are recognized and read; others are refused in one line."""

import json
from pathlib import Path

import pytest

from contacts_mcp.formats import read_contacts
from support.texts import refusal, rows_of

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize(
    ("file", "reading", "rows"),
    [
        (
            "google_old.csv",
            {"format": "csv", "dialect": "Google Contacts (old)"},
            [
                {
                    "number": 2,
                    "name": "Ola Nordmann",
                    "company_name": "ACME AS",
                    "phones": ("999 99 999", "900 00 001", "22 22 22 22"),
                    "emails": ("ola@example.com", "old@example.com", "ola@acme.example"),
                    "tags": ("Customers",),
                    "notes": "First line\nsecond line",
                }
            ],
        ),
        (
            "google_new.csv",
            {"dialect": "Google Contacts"},
            [
                {
                    "name": "Kari Marie Nordmann",
                    "company_name": "Fjord Consulting",
                    "type": None,
                    "phones": ("900 00 001", "22 22 22 22"),
                    "tags": ("Friends",),
                },
                {"name": "Kjær Bageri", "type": "company", "emails": ("post@example.dk",)},
            ],
        ),
        (
            "outlook.csv",
            {"dialect": "Outlook", "encoding": "Windows-1252 (guessed)"},
            [
                {
                    "name": "Bjørn Håkonsen",
                    "company_name": "Åsen & Sønner",
                    "notes": "Ærlig – 5 €",
                    "phones": ("900 00 002", "22 22 22 22", "33 33 33 33"),
                    "emails": ("bjorn@example.com", "b2@example.com"),
                    "tags": ("Kunder", "VIP"),
                }
            ],
        ),
        (
            "semicolons.csv",
            {"encoding": "Windows-1252 (guessed)", "delimiter": ";", "dialect": "by column name"},
            [{"name": "Øystein Åsen", "phones": ("900 00 003", "22 22 22 22"), "company_name": "Sjø; Land"}],
        ),
        (
            "tabs_utf16.txt",
            {"encoding": "UTF-16", "delimiter": "\t", "dialect": "by column name"},
            [{"name": "Jürgen Müller", "phones": ("0151 23456789",), "company_name": "Müller GmbH"}],
        ),
        (
            "bom.csv",
            {"encoding": "UTF-8", "delimiter": ",", "dialect": "by column name"},
            [{"name": "Zoë Lefèvre", "phones": ("06 12 34 56 78",), "company_name": ""}],
        ),
        (
            "apple.vcf",
            {"format": "vcard", "dialect": "Apple"},
            [
                {
                    "name": "Ola Nordmann",
                    "company_name": "ACME AS",
                    "phones": ("+47 999 99 999", "22 22 22 22"),
                    "emails": ("ola@example.com", "second@example.com"),
                    "tags": ("Customers", "VIP"),
                    "notes": "First line\nsecond, with a comma",
                },
                {"name": "Kjær Bageri", "type": "company", "phones": ("+45 32 12 34 56",)},
            ],
        ),
        (
            "android21.vcf",
            {"dialect": "vCard 2.1"},
            [
                {"name": "Bjørn Håkonsen", "phones": ("90000002", "22222222")},
                {"number": 2, "problem": None},
                {"name": "One Last", "problem": None},
            ],
        ),
        (
            "vcard4.vcf",
            {},
            [
                {
                    "id": "a1b2c3d4-5678-9abc-def0-123456789abc",
                    "type": "company",
                    "phones": ("+47-22-22-22-22 ext. 5",),
                },
                {"name": "محمد علي 🎉", "phones": ("+4790000004",)},
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_file_of_another_program_is_read(file, reading, rows):
    """Joined cells are split, mobiles come first, system groups, pictures and fax numbers are dropped.

    A row with only a company is a company. The encoding and the delimiter are detected, and so is the language of the
    header: `Name` beside `Vorname` and `Nom` beside `Prénom` are last names.
    """
    found = read_contacts((SAMPLES / file).read_bytes(), name=file)

    assert {name: getattr(found, name) for name in reading} == reading
    for row, expected in zip(found.rows, rows, strict=True):
        assert {name: getattr(row, name) for name in expected} == expected


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

    assert [row.name for row in rows[:3]] == ["A", "only@example.com", "B"]
    assert rows[0].phones == ("90 00 00 01", "90 00 00 02", "+47 900 00 003")
    assert rows[1].notices == ("has no name and is named by its e-mail address",)
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
