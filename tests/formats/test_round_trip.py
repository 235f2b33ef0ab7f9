"""Exports read back exactly, and are safe for spreadsheets."""

import csv
import io
from datetime import UTC, datetime

import pytest
import vobject
from hypothesis import example, given
from hypothesis import strategies as st

from contacts_mcp.contract import Contact
from contacts_mcp.formats import FORMATS, Writer, read_contacts

NASTY = st.sampled_from(
    ["=1+1", "+cmd", "-1", "@sum", "'=x", "''+y", "'t Hooft", "a;b", 'c"d', "e,f", "\\n", "\\,", "\tx", "ø🎉", "مرحبا"]
)
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0\x85\u2028\u2029")
LINE = (NASTY | st.text(CHARACTERS, min_size=1, max_size=30)).map(lambda text: " ".join(text.split()))
FILLED = LINE.filter(bool)
LONG = st.sampled_from(
    ["x" * 70, "ø" * 36, "=" * 80, " " * 160, "🎉" * 20, "QUOTED-PRINTABLE:", "\\;,", "\n", "\n ", "\t"]
)
NOTES = st.lists(LINE | LONG, min_size=1, max_size=6).map("".join).map(str.strip).filter(bool)
NUMBERS = st.sampled_from(
    ["+4799999999", "999 99 999", "=1", "call me", "22 22 22 22 / 90 00 00 01", "1234567;ext=5", "tel:1234567, 2"]
)
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


def written(contacts: list[Contact], format_: str) -> bytes:
    writer = Writer(format_)
    half = len(contacts) // 2
    return b"".join([writer.write(contacts[:half]), writer.write(contacts[half:]), writer.end()])


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
@example(contacts=[Contact(id=ID, type="person", name="Ola", tags=["a;=1", ";'=", "=;"])])
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=4))
def test_written_contacts_read_back_unchanged(format_, contacts):
    rows = list(read_contacts(written(contacts, format_)).rows)

    assert [
        (row.id, row.type, row.name, row.company_name, row.phones, row.emails, row.tags, row.notes, row.problem)
        for row in rows
    ] == [
        (
            contact.id,
            contact.type,
            contact.name,
            contact.company_name or "",
            (contact.phone_number,) if contact.phone_number else (),
            (contact.email,) if contact.email else (),
            tuple(contact.tags),
            contact.notes or "",
            None,
        )
        for contact in contacts
    ]


@pytest.mark.slow
@example(contacts=[Contact(id=ID, type="person", name="Ola", tags=["a;=1", ";'=", "=;"])])
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=4))
def test_csv_cells_are_never_formulas(contacts):
    """Except E.164 numbers; tags are escaped too, as `;` may split cells."""
    text, signs = written(contacts, "csv").decode("utf-8-sig"), ("=", "+", "-", "@", "\t", "\r", "\n")

    for row in csv.DictReader(io.StringIO(text, newline="")):
        cells = [*row.values(), *row["tags"].split(";")]
        assert all(cell == "+4799999999" or not cell.startswith(signs) for cell in cells)


def test_e164_numbers_are_not_escaped():
    """A value that only resembles one is escaped."""
    contacts = [Contact(id=ID, type="person", name="Ola", phone_number=number) for number in ("+4799999999", "+1+1")]

    rows = csv.DictReader(io.StringIO(written(contacts, "csv").decode("utf-8-sig")))
    assert [row["phone_number"] for row in rows] == ["+4799999999", "'+1+1"]


@pytest.mark.slow
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=3))
def test_written_cards_are_folded_and_readable_by_another_library(contacts):
    data = written(contacts, "vcard")

    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    names = [card.fn.value for card in vobject.readComponents(data.decode())]
    assert [" ".join(name.split()) for name in names] == [contact.name for contact in contacts]


@pytest.mark.parametrize("format_", FORMATS)
def test_export_without_contacts_is_a_valid_file(format_):
    data = written([], format_)

    assert (b"name" in data, b"contacts" in data) == (format_ == "csv", format_ == "json")


@pytest.mark.parametrize("format_", FORMATS)
def test_own_export_is_recognized(format_):
    """Its values are then not split."""
    reading = read_contacts(written([Contact(id=ID, type="person", name="Ola")], format_))

    assert reading.dialect == "this program's own"


def test_own_export_with_removed_columns_is_recognized():
    """By id and name, in any order."""
    reading = read_contacts(f"name;tags;id\nOla;'=a;{ID}\n".encode())

    (ola,) = reading.rows
    assert (reading.dialect, ola.id, ola.tags) == ("this program's own", ID, ("=a",))


def test_line_endings_of_notes_are_normalized_only_in_vcards():
    contact = Contact(id=ID, type="person", name="Ola", notes="a\r\nb\rc")
    notes = {format_: next(read_contacts(written([contact], format_)).rows).notes for format_ in FORMATS}

    assert notes == {"csv": "a\r\nb\rc", "vcard": "a\nb\nc", "json": "a\r\nb\rc"}
