"""Text files that are not quite what they should be: quotes, delimiters, bytes and JSON out of order."""

import pytest

from contact_files import refusal, rows_of
from contacts_mcp.formats import read_contacts


def test_a_quote_that_is_never_closed_is_refused() -> None:
    """It would swallow everybody who comes after."""
    line = refusal('Name,Phone\nOla,90000001\nKari,"90000002\nPer,90000003\n')

    assert "the file is not valid CSV after row 2: a quote is never closed" in line
    assert "never closed" in refusal('"Name,Phone\nOla,1\n')
    assert "never closed" in refusal('Name,Phone\nOla,"')


def test_quotes_inside_of_cells_are_text() -> None:
    """As spreadsheets read them."""
    first, second = rows_of('Name,Notes\nOla "the king" N,a\nKari,"say ""hi"""\n')

    assert (first.name, second.notes) == ('Ola "the king" N', 'say "hi"')


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_a_file_may_say_its_delimiter(delimiter: str) -> None:
    """In a first line for Excel, which counts as a row."""
    reading = read_contacts(f"sep={delimiter}\r\nName{delimiter}Phone\r\nOla{delimiter}90000001\r\n".encode())

    (row,) = reading.rows
    assert reading.delimiter == delimiter
    assert (row.number, row.name, row.phones) == (3, "Ola", ("90000001",))


def test_delimiters_in_quotes_do_not_count() -> None:
    """Nor those in the rows."""
    reading = read_contacts(
        b'"Name, or what is like it";Phone\nOla;"1,2,3"\n', mapping={"name or what is like it": "name"}
    )

    assert reading.delimiter == ";"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_any_end_of_a_line_ends_a_row(end: str) -> None:
    """Also none, after the last."""
    text = f"Name,Phone{end or chr(10)}Ola,1234567{end}"

    assert [(row.number, row.name) for row in rows_of(text)] == [(2, "Ola")]


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_a_large_file_is_not_cut_in_the_middle_of_a_character(codec: str) -> None:
    """However many bytes one has."""
    rows = rows_of(("Name;Phone\n" + "Øø🎉;1\n" * 20_000).encode(codec))

    assert {row.name for row in rows} == {"Øø🎉"}


def test_one_wrong_byte_does_not_spoil_the_others() -> None:
    """The file is then no UTF-8, and read as Windows writes."""
    (row,) = rows_of(b"Name\nBj\xf8rn\x81\n")

    assert row.name == "Bjørn\N{REPLACEMENT CHARACTER}"


def test_characters_that_nobody_can_store_are_dropped() -> None:
    """NUL, and halves of characters."""
    (row,) = rows_of(r'[{"name": "O\u0000la", "notes": "a\ud800b", "tags": ["x\u0000"]}]')

    assert (row.name, row.notes, row.tags) == ("Ola", "ab", ("x",))


def test_json_of_any_depth_is_read_as_far_as_it_makes_sense() -> None:
    """It ends nothing."""
    (row,) = rows_of('[{"name": "Ola", "phone": ' + "[" * 900 + "1" + "]" * 900 + "}]")

    assert (row.name, row.phones) == ("Ola", ())
    assert "not valid JSON" in refusal("[" * 100_000)
    assert "not valid JSON" in refusal('{"a":' * 100_000)


def test_numbers_that_are_none_are_blank() -> None:
    """As programs write those that are missing."""
    (row,) = rows_of('[{"name": "Ola", "phone": NaN, "mobile": Infinity, "tel": 90000001.0, "email": null}]')

    assert (row.phones, row.emails) == (("90000001",), ())


def test_json_with_objects_in_its_lists() -> None:
    """Their values count."""
    (row,) = rows_of('[{"firstName": "Ola", "phones": [{"type": "home", "value": "90000001"}, {"value": "90000002"}]}]')

    assert (row.name, row.phones) == ("Ola", ("90000001", "90000002"))


def test_json_on_lines_is_parted_at_their_ends_alone() -> None:
    """Not at what some programs take for one."""
    first, second = rows_of('{"name": "Ola\u2028Nordmann"}\r\n\r\n{"name": "Kari"}\r\n')

    assert (first.name, second.name) == ("Ola Nordmann", "Kari")


def test_what_is_no_object_is_its_own_problem() -> None:
    """Those before and after it are read."""
    rows = rows_of('[{"name": "Ola"}, "Kari", null, 7, {"name": "Per"}]')

    assert [row.name for row in rows if row.problem is None] == ["Ola", "Per"]
    assert [row.number for row in rows if row.problem == "has no name"] == [2, 3, 4]
