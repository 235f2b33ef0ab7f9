"""What is written reads back to the letter, and is harmless to a spreadsheet."""

import csv
import io
from datetime import UTC, datetime

import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st

from contacts_mcp.contract import Contact
from contacts_mcp.formats import FORMATS, Row, Writer, read_contacts

NASTY = st.sampled_from(
    ["=1+1", "+cmd", "-1", "@sum", "'=x", "''+y", "a;b", 'c"d', "e,f", "\\n", "\\,", "\tx", "ø🎉", "مرحبا"]
)
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0\x85\u2028\u2029")
LINE = (NASTY | st.text(CHARACTERS, min_size=1, max_size=30)).map(lambda text: " ".join(text.split()))
FILLED = LINE.filter(bool)
NOTES = st.lists(LINE, min_size=1, max_size=3).map("\n".join).map(str.strip).filter(bool)
CONTACTS = st.builds(
    Contact,
    id=st.uuids().map(str),
    type=st.sampled_from(["person", "company"]),
    name=FILLED,
    company_name=st.none() | FILLED,
    phone_number=st.none() | st.sampled_from(["+4799999999", "999 99 999", "=1", "call me"]),
    email=st.none() | st.sampled_from(["ola@example.com", "a+b@example.no"]),
    tags=st.lists(FILLED, max_size=4, unique=True),
    notes=st.none() | NOTES,
    created_at=st.just(datetime(2025, 1, 15, 9, 30, tzinfo=UTC)),
    updated_at=st.none(),
)


def written(contacts: list[Contact], format_: str) -> bytes:
    writer = Writer(format_)
    half = len(contacts) // 2
    return b"".join([writer.write(contacts[:half]), writer.write(contacts[half:]), writer.end()])


def said(row: Row) -> tuple[object, ...]:
    return (row.id, row.type, row.name, row.company_name, row.phones, row.emails, row.tags, row.notes, row.problem)


@pytest.mark.parametrize("format_", FORMATS)
@given(contacts=st.lists(CONTACTS, min_size=1, max_size=4))
def test_every_contact_reads_back_as_it_was(format_: str, contacts: list[Contact]) -> None:
    """Whatever its values begin with or hold."""
    rows = list(read_contacts(written(contacts, format_)).rows)

    assert [said(row) for row in rows] == [
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


@given(contacts=st.lists(CONTACTS, min_size=1, max_size=4))
def test_no_cell_is_a_formula(contacts: list[Contact]) -> None:
    """But for E.164, which a spreadsheet can calculate nothing with; tags neither, where `;` splits cells."""
    text = written(contacts, "csv").decode("utf-8-sig")

    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            for part in [cell, *cell.split(";")]:
                assert part == "+4799999999" or not part.startswith(("=", "+", "-", "@", "\t", "\r")) or part not in row
        assert all(cell == "+4799999999" or not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@given(contacts=st.lists(CONTACTS, min_size=1, max_size=3))
def test_cards_are_folded_and_read_by_others(contacts: list[Contact]) -> None:
    """No line is longer than 75 octets, and another library reads the names."""
    data = written(contacts, "vcard")

    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    names = [card.fn.value for card in vobject.readComponents(data.decode())]
    assert [" ".join(name.split()) for name in names] == [contact.name for contact in contacts]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_of_nobody_is_a_file(format_: str) -> None:
    """With a header, or a frame; a vCard of nobody is empty."""
    data = written([], format_)

    assert (b"name" in data, b"contacts" in data) == (format_ == "csv", format_ == "json")
