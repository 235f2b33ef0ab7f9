"""vCards: as address books write them, and as nobody should."""

import logging
import logging.config

import pytest

from contact_files import card, rows_of
from contacts_mcp.formats import read_contacts


def test_numbers_that_a_message_reaches_come_first() -> None:
    """Mobiles, then what is preferred; fax and pager numbers are none."""
    (row,) = rows_of(
        card(
            "FN:Ola",
            "TEL;TYPE=HOME:1111111",
            "TEL;TYPE=WORK,FAX:2222222",
            "TEL;TYPE=PAGER:3333333",
            "TEL;TYPE=HOME,PREF:4444444",
            'TEL;TYPE="voice,cell":5555555',
        )
    )

    assert row.phones == ("5555555", "4444444", "1111111")


def test_preferences_of_version_four_are_numbers() -> None:
    """The lowest first, and what has none last."""
    (row,) = rows_of(
        card("FN:Ola", "EMAIL:c@example.com", "EMAIL;PREF=2:b@example.com", "EMAIL;PREF=1:mailto:a@example.com")
    )

    assert row.emails == ("a@example.com", "b@example.com", "c@example.com")


def test_numbers_with_a_scheme_and_an_extension() -> None:
    """The number alone is left."""
    (row,) = rows_of(card("FN:Ola", "TEL;VALUE=uri;TYPE=cell:tel:+47-900-00-001;ext=5", version="4.0"))

    assert row.phones == ("+47-900-00-001",)


@pytest.mark.parametrize(
    ("lines", "name", "company"),
    [
        (["FN:", "N:Nordmann;Ola;Marie;Dr;"], "Ola Marie Nordmann", ""),
        (["N:Nordmann,Hansen;Ola,Kari;;;"], "Ola Kari Nordmann Hansen", ""),
        (["N:Nordmann"], "Nordmann", ""),
        (["ORG:ACME;Sales"], "ACME", "ACME"),
        (["item1.FN:Ola", "item2.ORG:ACME"], "Ola", "ACME"),
        (["fn:Ola"], "Ola", ""),
    ],
)
def test_names_are_made_of_what_there_is(lines: list[str], name: str, company: str) -> None:
    """The full name, or its parts, or the company's."""
    (row,) = rows_of(card(*lines))

    assert (row.name, row.company_name, row.problem) == (name, company, None)


def test_lists_of_other_cards_are_no_contacts() -> None:
    """Apple and version 4.0 write groups among the people."""
    rows = rows_of(card("FN:Friends", "KIND:group") + card("FN:Work", "X-ADDRESSBOOKSERVER-KIND:group"))

    assert [row.problem for row in rows] == ["is a group of other cards, not a contact"] * 2


def test_text_of_two_point_one_in_its_encodings() -> None:
    """Soft line breaks, old character sets, and parameters without a name."""
    (row,) = rows_of(
        card(
            "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=85sen;=C3=98ystein;;;",
            "ORG;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:=C5sen=20AS",
            "NOTE;ENCODING=QUOTED-PRINTABLE:one=0D=0A=",
            "two",
            version="2.1",
        )
    )

    assert (row.name, row.company_name, row.notes) == ("Øystein Åsen", "Åsen AS", "one\ntwo")


def test_only_a_parameter_makes_a_line_quoted_printable() -> None:
    """Not a note that speaks of it."""
    (row,) = rows_of(card("FN:Ola", "NOTE:see quoted-printable =", "TEL:90000001"))

    assert (row.notes, row.phones) == ("see quoted-printable =", ("90000001",))


@pytest.mark.parametrize(
    "picture",
    [
        "PHOTO;ENCODING=b;TYPE=JPEG:" + "A" * 2_000_000,
        "PHOTO;ENCODING=b;TYPE=JPEG:" + "\n ".join(["A" * 74] * 20_000),
        "PHOTO;ENCODING=BASE64;JPEG:\n" + "\n".join(["A" * 76] * 20_000) + "\nAA==\n",
        "item1.LOGO:" + "A" * 2_000_000,
    ],
)
def test_pictures_of_any_size_are_passed_over(picture: str) -> None:
    """However they are folded."""
    (row,) = rows_of(card("FN:Ola", picture, "TEL:90000001"))

    assert (row.name, row.phones, row.problem) == ("Ola", ("90000001",), None)


@pytest.mark.parametrize(
    "line",
    [
        "NOTE:" + "A " * 45_000,
        "NOTE:" + "\n ".join(["A" * 74] * 1_300),
        "TEL" + ";a" * 45_000 + ":9",
        "\n".join(["TEL:9"] * 15_000),
        "NOTE;ENCODING=QUOTED-PRINTABLE:" + "=\n" * 45_000 + "x",
    ],
)
def test_no_card_takes_for_ever(line: str) -> None:
    """Whatever it is made of, up to the size of which one is read."""
    (row,) = rows_of(card("FN:Ola", line))

    assert row.name == "Ola"


def test_a_card_beyond_all_measure_is_its_own_problem() -> None:
    """Those before and after it are read."""
    before, large, after = rows_of(card("FN:A") + card("FN:B", "NOTE:" + "x" * 10_000_000) + card("FN:C"))

    assert (before.name, after.name) == ("A", "C")
    assert large.problem == "is a card of more than 100,000 characters"


def test_lines_that_cannot_be_read_are_in_no_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are passed over; the library would write them out, with whatever they say of somebody."""
    rows_of(card("FN:Ola"))
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})  # as an HTTP server does
    caplog.set_level(logging.DEBUG)

    (row,) = rows_of(card("FN:Ola", "Ola lives here without a colon", "TEL:90000001"))

    assert (row.name, row.phones) == ("Ola", ("90000001",))
    assert "lives here" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_cards_in_any_encoding_and_with_any_ends_of_lines(codec: str, end: str) -> None:
    """The first line is looked for in the text and not in the bytes."""
    (row,) = rows_of(card("FN:Øystein", "TEL:90000001").replace("\n", end).encode(codec))

    assert (row.name, row.phones) == ("Øystein", ("90000001",))


def test_ids_are_kept_where_they_are_ids() -> None:
    """With and without the scheme; what others use as one is none of ours."""
    known = "a1b2c3d4-5678-9abc-def0-123456789abc"
    rows = rows_of(
        card("FN:A", f"UID:urn:uuid:{known.upper()}") + card("FN:B", f"UID:{known}") + card("FN:C", "UID:4711")
    )

    assert [row.id for row in rows] == [known, known, None]


def test_cards_are_told_from_other_text_by_how_they_begin() -> None:
    """Blank lines before do no harm."""
    assert read_contacts(b"\xef\xbb\xbf\n\n" + card("FN:Ola").encode()).format == "vcard"
