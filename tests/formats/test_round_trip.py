"""Exports read back exactly, and are safe for spreadsheets."""

import csv
import io
import json
import re
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts_mcp.contract import Contact, ValidationFailed
from contacts_mcp.formats import FORMATS, Row, open_writer, read_contacts, write_csv_rows
from contacts_mcp.formats._cells import escape, escape_formulas, escape_typed, unescape, unescape_formulas

NASTY = st.sampled_from(
    ["=1+1", "+cmd", "-1", "@sum", "'=x", "''+y", "'t Hooft", "a;b", 'c"d', "e,f", "\\n", "\\,", "\tx", "ø🎉", "مرحبا",
     "x;=cmd|' /C calc'!A0;y", "a;@SUM(1)", "\uff1dA1", "\uff0b\uff0d\uff20", "a, '=b", '"=x', '";"=x"', "%0A=x",
     "x\t-y", "' =x", "007", "'007", "''007", "1E5", "2024-05", "1.10", "mars 24", "TRUE", "_x0041_", '="007"']
)  # fmt: skip
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0\x85\u2028\u2029")
LINE = (NASTY | st.text(CHARACTERS, min_size=1, max_size=30)).map(lambda text: " ".join(text.split()))
FILLED = LINE.filter(bool)
LONG = st.sampled_from(
    ["x" * 70, "ø" * 36, "=" * 80, " " * 160, "🎉" * 20, "QUOTED-PRINTABLE:", "\\;,", "\n", "\n ", "\t"]
)
NOTES = st.lists(LINE | LONG, min_size=1, max_size=6).map("".join).map(str.strip).filter(bool)
NUMBERS = st.sampled_from(
    [
        "+4799999999",
        "999 99 999",
        "=1",
        "call me",
        "22 22 22 22 / 90 00 00 01",
        "1234567;ext=5",
        "tel:1234567, 2",
        "4799999999",
        "'4799999999",
        "0047999",
        "'0047999",
        "999",
        "4.79E+11",
        "+4917612345678",
        "\uff0b47",
    ]
)
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
CONTACTS = st.builds(
    Contact,
    id=st.uuids().map(str),
    type=st.sampled_from(["person", "company"]),
    name=FILLED,
    company_name=st.none() | FILLED,
    phone_number=st.none() | NUMBERS,
    email=st.none() | st.sampled_from(["ola@example.com", "a+b@example.no", '"a, b"@example.no']),
    tags=st.lists(FILLED, max_size=4, unique=True),
    notes=st.none() | NOTES,
    created_at=st.just(datetime(2025, 1, 15, 9, 30, tzinfo=UTC)),
    updated_at=st.none(),
)


EXACT = [("csv", None), ("csv", "semicolon"), ("xlsx", None), ("vcard", "3.0"), ("vcard", "4.0"), ("json", None)]
"""Formats and dialects that hold every field."""
ADDRESS_BOOKS = [("csv", "google"), ("csv", "outlook")]
every_format = pytest.mark.parametrize(("format_", "dialect"), [*EXACT, *ADDRESS_BOOKS])


def written(contacts: list[Contact], format_: str, dialect: str | None = None) -> bytes:
    sink, half = io.BytesIO(), len(contacts) // 2
    with open_writer(sink, format_, dialect) as writer:
        writer.write(contacts[:half])
        writer.write(contacts[half:])
    return sink.getvalue()


def fields_of(row: Row) -> tuple[Any, ...]:
    return (row.type, row.name, row.company_name, row.phones, row.emails, row.tags, row.notes, row.problem, row.notices)


def expected(contact: Contact) -> tuple[Any, ...]:
    return (
        contact.type,
        contact.name,
        contact.company_name or "",
        (contact.phone_number,) if contact.phone_number else (),
        (contact.email,) if contact.email else (),
        tuple(contact.tags),
        contact.notes or "",
        None,
        (),
    )


@pytest.mark.parametrize(("format_", "dialect"), [case for case in EXACT if case[0] != "xlsx"])
@pytest.mark.slow
@settings(max_examples=50)
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=4))
def test_written_contacts_read_back_unchanged(format_, dialect, contacts):
    rows = list(read_contacts(written(contacts, format_, dialect)).rows)

    assert [row.id for row in rows] == [contact.id for contact in contacts]
    assert [*map(fields_of, rows)] == [*map(expected, contacts)]


@pytest.mark.parametrize(("format_", "dialect"), ADDRESS_BOOKS)
@pytest.mark.slow
@settings(max_examples=50)
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=4))
def test_tables_for_address_books_read_back_unchanged(format_, dialect, contacts):
    """They have no place for the id; a tag with Google's separator becomes two."""
    contacts = [each.model_copy(update={"tags": [tag for tag in each.tags if ":::" not in tag]}) for each in contacts]

    rows = list(read_contacts(written(contacts, format_, dialect)).rows)

    assert [*map(fields_of, rows)] == [*map(expected, contacts)]


@pytest.mark.slow
@settings(max_examples=10)  # each reads a workbook in a process of its own
@given(contacts=st.lists(CONTACTS, min_size=20, max_size=40))
def test_workbook_reads_back_unchanged(contacts):
    rows = list(read_contacts(written(contacts, "xlsx")).rows)

    assert [row.id for row in rows] == [contact.id for contact in contacts]
    assert [*map(fields_of, rows)] == [*map(expected, contacts)]


@pytest.mark.parametrize(
    ("name", "limit", "reason"),
    [
        ("MAX_SHEET_ROWS", 2, "an Excel sheet holds 1 contacts"),
        ("MAX_CELL_LENGTH", 10, "has more text than an Excel cell holds"),
        ("_MAX_SHEET_BYTES", 2_000, "more text than an Excel sheet holds"),
    ],
)
def test_workbook_that_excel_could_not_open_is_not_written(monkeypatch, name, limit, reason):
    monkeypatch.setattr(f"contacts_mcp.formats._write_xlsx.{name}", limit)
    contacts = [Contact(id=f"0000000{number}-0000-0000-0000-000000000000", name="x" * 200) for number in range(5)]

    with pytest.raises(ValidationFailed, match=reason):
        written(contacts, "xlsx")


@given(value=LINE | NOTES | st.text("=+-@'\" ,;\t\n0aE.\uff1d", max_size=12))
def test_escaped_values_are_restored(value):
    assert unescape(escape(value)) == value
    assert unescape(escape_typed(value)) == value
    assert unescape_formulas(escape_formulas(value)) == value


SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def split_cells(text: str) -> set[str]:
    """The cells of a CSV file, split at every separator, with and without attention to quotes; spaces dropped."""
    parts = {cell for separator in ",;\t" for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
             for cell in row}  # fmt: skip
    parts |= {cell for separator in ",;\t" for line in text.splitlines() for cell in line.split(separator)}
    parts |= {cell for line in re.split("[\r\n]", text) for cell in re.split("[,;\t]", line)}
    return {cell.strip('" \t\r\n\xa0\u200b') for cell in parts}


@pytest.mark.parametrize("dialect", [None, "semicolon", "google", "outlook"])
@pytest.mark.slow
@settings(max_examples=50)
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=4))
def test_no_cell_is_a_formula_at_any_separator(dialect, contacts):
    """Except E.164 numbers, which are numbers to a spreadsheet."""
    text = written(contacts, "csv", dialect).decode("utf-8-sig")

    assert [cell for cell in split_cells(text) if cell.startswith(SIGNS) and not E164.fullmatch(cell)] == []


@pytest.mark.slow
@every_format
def test_export_of_any_size_takes_constant_memory(format_, dialect, tmp_path):
    """The file has some MB, of which a page of 10 contacts is in memory."""
    person = Contact(id=ID, type="person", name="Ola", notes="x" * 10_000)
    with (tmp_path / "export").open("w+b") as sink, open_writer(sink, format_, dialect) as writer:
        writer.write([person])
        tracemalloc.start()
        try:
            for _ in range(30):
                writer.write([person] * 10)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak < 1_000_000


def test_result_files_follow_the_same_rule():
    text = write_csv_rows([[escape_formulas("refused: x;=cmd|'/C calc'!A0")]]).decode()

    assert text == "refused: x;'=cmd|'/C calc'!A0\r\n"


def test_e164_numbers_are_not_escaped():
    """A value that only resembles one is escaped."""
    contacts = [Contact(id=ID, type="person", name="Ola", phone_number=number) for number in ("+4799999999", "+1+1")]

    rows = csv.DictReader(io.StringIO(written(contacts, "csv").decode("utf-8-sig")))
    assert [row["phone_number"] for row in rows] == ["+4799999999", "'+1+1"]


@pytest.mark.parametrize("dialect", ["3.0", "4.0"])
@pytest.mark.slow
@settings(max_examples=50)
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=3))
def test_written_cards_are_folded_and_readable_by_another_library(dialect, contacts):
    data = written(contacts, "vcard", dialect)

    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    names = [card.fn.value for card in vobject.readComponents(data.decode())]
    assert [" ".join(name.split()) for name in names] == [contact.name for contact in contacts]


@every_format
def test_export_without_contacts_is_a_valid_file(format_, dialect):
    data = written([], format_, dialect)

    if format_ == "json":
        assert json.loads(data) == {"contacts": []}
    elif format_ == "vcard":
        assert data == b""
    else:
        assert list(read_contacts(data).rows) == []


@every_format
def test_export_is_recognized(format_, dialect):
    """Its values are then not split."""
    reading = read_contacts(written([Contact(id=ID, type="person", name="Ola")], format_, dialect))

    assert reading.dialect == {"google": "Google Contacts", "outlook": "Outlook"}.get(dialect, "this program's own")


def test_own_export_with_removed_columns_is_recognized():
    """By id and name, in any order."""
    reading = read_contacts(f"name;tags;id\nOla;'=a;{ID}\n".encode())

    (ola,) = reading.rows
    assert (reading.dialect, ola.id, ola.tags) == ("this program's own", ID, ("=a",))


def test_line_endings_of_notes_are_normalized_only_in_vcards():
    contact = Contact(id=ID, type="person", name="Ola", notes="a\r\nb\rc")
    notes = {format_: next(read_contacts(written([contact], format_)).rows).notes for format_ in FORMATS}

    assert notes == {"csv": "a\r\nb\rc", "xlsx": "a\r\nb\rc", "vcard": "a\nb\nc", "json": "a\r\nb\rc"}
