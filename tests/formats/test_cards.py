"""vCards as address books write them, and malformed ones."""

import logging
import logging.config

import pytest

from contacts_mcp.formats import read_contacts
from support.texts import card, rows_of


@pytest.mark.parametrize(
    ("version", "lines", "expected"),
    [
        (
            "3.0",
            [
                "TEL;TYPE=HOME:1111111",
                "TEL;TYPE=WORK,FAX:2222222",
                "TEL;TYPE=PAGER:3333333",
                "TEL;TYPE=HOME,PREF:4444444",
                'TEL;TYPE="voice,cell":5555555',
            ],
            {"phones": ("5555555", "4444444", "1111111")},
        ),
        (
            "3.0",
            ["EMAIL:c@example.com", "EMAIL;PREF=2:b@example.com", "EMAIL;PREF=1:mailto:a@example.com"],
            {"emails": ("a@example.com", "b@example.com", "c@example.com")},
        ),
        ("4.0", ["TEL;VALUE=uri;TYPE=cell:tel:+47-900-00-001;ext=5"], {"phones": ("+47-900-00-001 ext. 5",)}),
        (
            "2.1",
            [
                "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=C3=85sen;=C3=98ystein;;;",
                "ORG;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:=C5sen=20AS",
                "NOTE;ENCODING=QUOTED-PRINTABLE:one=0D=0A=",
                "two",
            ],
            {"name": "Øystein Åsen", "company_name": "Åsen AS", "notes": "one\ntwo"},
        ),
        (
            "3.0",
            ["NOTE:see quoted-printable =", "TEL:90000001"],
            {"notes": "see quoted-printable =", "phones": ("90000001",)},
        ),
    ],
    ids=["by use", "by preference", "scheme and extension", "encodings of version 2.1", "note about an encoding"],
)
def test_values_of_a_card_are_read(version, lines, expected):
    """Mobiles first, then preferred numbers, no fax and pager numbers; the lowest preference first."""
    full_name = [] if lines[0].startswith("N;") else ["FN:Ola"]

    (row,) = rows_of(card(*full_name, *lines, version=version))

    assert {name: getattr(row, name) for name in expected} == expected


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
def test_name_comes_from_full_name_parts_or_company(lines, name, company):
    (row,) = rows_of(card(*lines))

    assert (row.name, row.company_name, row.problem) == (name, company, None)


def test_group_cards_are_reported_as_problems():
    """Apple and version 4.0 write groups as cards."""
    rows = rows_of(card("FN:Friends", "KIND:group") + card("FN:Work", "X-ADDRESSBOOKSERVER-KIND:group"))

    assert [row.problem for row in rows] == ["is a group of other cards, not a contact"] * 2


@pytest.mark.parametrize(
    "picture",
    [
        "PHOTO;ENCODING=b;TYPE=JPEG:" + "A" * 2_000_000,
        "PHOTO;ENCODING=b;TYPE=JPEG:" + "\n ".join(["A" * 74] * 20_000),
        "PHOTO;ENCODING=BASE64;JPEG:\n" + "\n".join(["A" * 76] * 20_000) + "\nAA==\n",
        "item1.LOGO:" + "A" * 2_000_000,
    ],
)
def test_pictures_of_any_size_are_skipped(picture):
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
def test_large_cards_are_read_in_bounded_time(line):
    (row,) = rows_of(card("FN:Ola", line))

    assert row.name == "Ola"


def test_oversized_card_does_not_affect_other_cards():
    before, large, after = rows_of(card("FN:A") + card("FN:B", "NOTE:" + "x" * 10_000_000) + card("FN:C"))

    assert (before.name, after.name) == ("A", "C")
    assert (len(large.notes), large.problem) == (10_000, None)
    assert large.notices == ("has more than 10,000 characters in notes; the rest is not imported",)


def test_lines_above_the_limit_of_a_card_are_left_out_and_reported():
    before, *_, after = rows = rows_of(card("FN:A", "NOTE:x", *[""] * 99_000, "TEL:90000001") + card("FN:B"))
    (long,) = rows_of(card("FN:A", "NOTE:x", *[""] * 100_000, "TEL:90000001"))

    assert (len(rows), before.phones, after.name) == (2, ("90000001",), "B")
    assert (long.name, long.phones) == ("A", ())
    assert long.notices == ("has more than 100,000 lines; the others are not imported",)


def test_unreadable_card_lines_are_not_logged(caplog, capfd):
    """They may be personal data. A line that is not a property continues the one before."""
    rows_of(card("FN:Ola"))
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})  # as an HTTP server does
    caplog.set_level(logging.DEBUG)

    (row,) = rows_of(card("FN:Ola", "Ola lives here without a colon", "TEL:90000001"))

    assert (row.name, row.phones) == ("Ola Ola lives here without a colon", ("90000001",))
    assert row.notices == ("has a line that is not a property and was read as part of the line before",)
    assert "lives here" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_cards_are_read_in_any_encoding_and_with_any_line_ends(codec, end):
    """The format is detected in the text, not in the bytes."""
    (row,) = rows_of(card("FN:Øystein", "TEL:90000001").replace("\n", end).encode(codec))

    assert (row.name, row.phones) == ("Øystein", ("90000001",))


def test_only_uuid_uids_are_kept_as_ids():
    """With and without the scheme; other programs use other UIDs."""
    known = "a1b2c3d4-5678-9abc-def0-123456789abc"
    rows = rows_of(
        card("FN:A", f"UID:urn:uuid:{known.upper()}") + card("FN:B", f"UID:{known}") + card("FN:C", "UID:4711")
    )

    assert [row.id for row in rows] == [known, known, None]


def test_vcard_is_detected_after_blank_lines():
    assert read_contacts(b"\xef\xbb\xbf\n\n" + card("FN:Ola").encode()).format == "vcard"
