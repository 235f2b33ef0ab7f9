"""Irregular text files: quotes, delimiters, invalid bytes and unusual JSON."""

import pytest

from contacts_mcp.formats import read_contacts
from support.texts import refusal, rows_of


def test_unclosed_quote_is_refused():
    """It would swallow all following rows."""
    line = refusal('Name,Phone\nOla,90000001\nKari,"90000002\nPer,90000003\n')

    assert "the file is not valid CSV after row 2: a quote is never closed" in line
    assert "never closed" in refusal('"Name,Phone\nOla,1\n')
    assert "never closed" in refusal('Name,Phone\nOla,"')


def test_quotes_inside_cells_are_text():
    """Spreadsheets read them like this."""
    first, second = rows_of('Name,Notes\nOla "the king" N,a\nKari,"say ""hi"""\n')

    assert (first.name, second.notes) == ('Ola "the king" N', 'say "hi"')


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_sep_line_sets_the_delimiter(delimiter):
    """It is a first line for Excel, which counts as a row."""
    reading = read_contacts(f"sep={delimiter}\r\nName{delimiter}Phone\r\nOla{delimiter}90000001\r\n".encode())

    (row,) = reading.rows
    assert reading.delimiter == delimiter
    assert (row.number, row.name, row.phones) == (3, "Ola", ("90000001",))


def test_quoted_delimiters_are_not_counted():
    reading = read_contacts(
        b'"Name, or what is like it";Phone\nOla;"1,2,3"\n', mapping={"name or what is like it": "name"}
    )

    assert reading.delimiter == ";"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_any_line_ending_ends_a_row(end):
    text = f"Name,Phone{end or chr(10)}Ola,1234567{end}"

    assert [(row.number, row.name) for row in rows_of(text)] == [(2, "Ola")]


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_large_file_is_not_split_inside_a_character(codec):
    rows = rows_of(("Name;Phone\n" + "Øø🎉;1\n" * 20_000).encode(codec))

    assert {row.name for row in rows} == {"Øø🎉"}


def test_invalid_byte_affects_only_one_character():
    """The file is not UTF-8, so it is read as Windows-1252."""
    (row,) = rows_of(b"Name\nBj\xf8rn\x81\n")

    assert row.name == "Bjørn\N{REPLACEMENT CHARACTER}"


def test_unstorable_characters_are_removed():
    """NUL and lone surrogates."""
    (row,) = rows_of(r'[{"name": "O\u0000la", "notes": "a\ud800b", "tags": ["x\u0000"]}]')

    assert (row.name, row.notes, row.tags) == ("Ola", "ab", ("x",))


def test_deeply_nested_json_does_not_fail():
    (row,) = rows_of('[{"name": "Ola", "phone": ' + "[" * 900 + "1" + "]" * 900 + "}]")

    assert (row.name, row.phones) == ("Ola", ())
    assert "not valid JSON" in refusal("[" * 100_000)
    assert "not valid JSON" in refusal('{"a":' * 100_000)


def test_missing_numbers_in_json_are_blank():
    """Programs write NaN or Infinity for them."""
    (row,) = rows_of('[{"name": "Ola", "phone": NaN, "mobile": Infinity, "tel": 90000001.0, "email": null}]')

    assert (row.phones, row.emails) == (("90000001",), ())


def test_values_of_objects_in_json_lists_are_read():
    (row,) = rows_of('[{"firstName": "Ola", "phones": [{"type": "home", "value": "90000001"}, {"value": "90000002"}]}]')

    assert (row.name, row.phones) == ("Ola", ("90000001", "90000002"))


def test_json_lines_are_split_only_at_line_feeds():
    first, second = rows_of('{"name": "Ola\u2028Nordmann"}\r\n\r\n{"name": "Kari"}\r\n')

    assert (first.name, second.name) == ("Ola Nordmann", "Kari")


def test_json_items_that_are_no_objects_are_reported():
    """The items before and after are read."""
    rows = rows_of('[{"name": "Ola"}, "Kari", null, 7, {"name": "Per"}]')

    assert [row.name for row in rows if row.problem is None] == ["Ola", "Per"]
    assert [row.number for row in rows if row.problem == "has no name"] == [2, 3, 4]
