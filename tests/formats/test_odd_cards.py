"""vCards with the oddities of twenty years of phones and programs, by what each breaks."""

import pytest

from contacts_mcp.formats import read_contacts
from support.texts import card, refusal, rows_of

MOBILE, OTHER, FAX = "+4791235103", "+4722335103", "+4791235104"
NO_END = "has no END:VCARD; its last line may be incomplete"
LOST = "has a line that looks like a number or an e-mail address, but cannot be read"
GUESSED = "has letters whose encoding is guessed; give encoding if they are wrong"


def one(data, **more):
    (row,) = rows_of(data, **more)
    return row


def encoded(text, codec="utf-8"):
    return "".join(f"={byte:02X}" for byte in text.encode(codec))


@pytest.mark.parametrize(
    ("fax", "mobile"),
    [
        (f"TEL;X-Faks:{FAX}", f"TEL;CELL:{MOBILE}"),
        (f"TEL;TYPE=fax_work:{FAX}", f"TEL;TYPE=mobile:{MOBILE}"),
        (f"TEL;TYPE=workfax:{FAX}", f"TEL;TYPE=home2:{MOBILE}"),
        (f'TEL;TYPE="Fax domicile":{FAX}', f"TEL;TYPE=main:{MOBILE}"),
        (f'TEL;type=\\"FAX\\":{FAX}', f"TEL;TYPE=,CELL:{MOBILE}"),
        (f"TEL;FAX=;WORK=:{FAX}", f"TEL;CELL=:{MOBILE}"),
        (f"TEL;MODEM:{FAX}", f"TEL:{MOBILE}"),
        (f"TEL;TYPE=Télécopie:{FAX}", f"TEL;TYPE=Móvil:{MOBILE}"),
        (f"TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=46=61=\n=6B=73):{FAX}", f"TEL;CELL:{MOBILE}"),
        (f"PHONE.FAX:{FAX}", f"PHONE.CELL:{MOBILE}"),
        (f"FAX:{FAX}", f"MOBILE:{MOBILE}"),
        (f"item1.TEL:{FAX}\nitem1.X-ABLabel:Arbeidsfaks", f"TEL:{MOBILE}"),
    ],
)
def test_fax_number_is_found_by_any_spelling_and_never_chosen(fax, mobile):
    row = one(card("FN:Kari", fax, mobile))

    assert (row.phones, row.notices) == ((MOBILE,), ("has a fax or pager number, which is not imported",))


@pytest.mark.parametrize("label", ["Halifax office", "Fairfax", "Factory"])
def test_label_that_only_contains_fax_is_no_fax(label):
    assert one(card("FN:Kari", f"item1.TEL:{MOBILE}", f"item1.X-ABLabel:{label}")).phones == (MOBILE,)


@pytest.mark.parametrize(
    ("line", "phone"),
    [
        (f"TEL1:{MOBILE}", MOBILE),
        (f"TEL_CELL:{MOBILE}", MOBILE),
        (f"TEL,TYPE=CELL:{MOBILE}", MOBILE),
        ("TEL;VALUE=uri:tel:91235103;phone-context=+47", MOBILE),
        (f"TEL;VALUE=uri:tel:{OTHER};ext=12", f"{OTHER} ext. 12"),
        (f"TEL:*31#{MOBILE}", MOBILE),
        (f"TEL:{MOBILE}w9", f"{MOBILE} ext. 9"),
        (f"TEL:{MOBILE} (Per)", MOBILE),
        (f"TEL:{MOBILE[:6]}\x07{MOBILE[6:]}", MOBILE),
    ],
)
def test_number_is_read_as_it_is_dialled(line, phone):
    assert one(card("FN:Kari", line)).phones == (phone,)


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        ((f"TEL;HOME;PREF:{OTHER}", f"TEL;WORK:{FAX}", f"TEL;CELL:{MOBILE}"), MOBILE),
        ((f"TEL;WORK:{OTHER}", f"TEL;HOME;PREF:{MOBILE}"), MOBILE),
        ((f"TEL;TYPE=cell;PREF=2:{OTHER}", f"TEL;TYPE=cell;PREF=1:{MOBILE}"), MOBILE),
        ((f"TEL;HOME:{OTHER}", f"TEL;WORK:{MOBILE}"), MOBILE),
        ((f"TEL;HOME:{OTHER}", f"TEL;PCS:{MOBILE}"), MOBILE),
        ((f"TEL;PREF:{OTHER}", f"TEL;TYPE=text:{MOBILE}"), MOBILE),
    ],
)
def test_mobile_is_first_then_the_preferred_number(lines, first):
    assert one(card("FN:Kari", *lines)).phones[0] == first


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("X-GROUPS:Kor,VIP", {"tags": ("Kor", "VIP")}),
        ("X-GN:Kor", {"tags": ("Kor",)}),
        ("CATEGORY:Kor", {"tags": ("Kor",)}),
        ("X-MOBILE:1", {"phones": ("1",)}),
        ("X-EMAIL:a@example.org", {"emails": ("a@example.org",)}),
        ("X-COMPANY:Fjord AS", {"company_name": "Fjord AS"}),
    ],
)
def test_property_with_another_name_is_read(line, expected):
    row = one(card("FN:Kari", line))

    assert {name: getattr(row, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "emails"),
    [
        ("EMAIL.HOME:a@example.org", ("a@example.org",)),
        ("VERSION:2.1\nEMAIL;INTERNET:a@exa\n mple.o\n rg", ("a@example.org",)),
        ("EMAIL2:a@example.org", ("a@example.org",)),
        ("EMAIL:mailto:a@example.org?subject=Hei", ("a@example.org",)),
        ("EMAIL:mailto:a%2Bb@example.org", ("a+b@example.org",)),
        ("EMAIL:a@example.org.", ("a@example.org",)),
        ("EMAIL:SMTP:a@example.org", ("a@example.org",)),
        ("EMAIL:a＠example．org", ("a@example.org",)),
        ("EMAIL:kari hansen@example.org", ("kari hansen@example.org",)),
        ("EMAIL:Kari Hansen kari@example.org", ("kari@example.org",)),
        ("EMAIL:a@example.org og b@example.org", ("a@example.org", "b@example.org")),
        ("EMAIL;PREF=:b@example.org\nEMAIL;PREF=3:a@example.org", ("a@example.org", "b@example.org")),
    ],
)
def test_address_is_read_but_never_a_part_of_one(line, emails):
    assert one(card("FN:Kari", line)).emails == emails


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([f"FN;ENCODING=QUOTED-PRINTABLE:{encoded('Åse')}=", f"TEL:{MOBILE}"], {"name": "Åse", "phones": (MOBILE,)}),
        (["FN:A", "NOTE;ENCODING=QUOTED-PRINTABLE:5 =ZZ =", "TEL:1"], {"notes": "5 =ZZ", "phones": ("1",)}),
        (["FN:A", "NOTE;ENCODING=QUOTED-PRINTABLE:a=0D=0A=", "TEL: b"], {"notes": "a\nTEL: b", "phones": ()}),
        (["FN:A", "NOTE;ENCODING=QUOTED-PRINTABLE:hei=  ", "deg"], {"notes": "heideg"}),
        (["FN;CHARSET=UTF-8:=C3=85se=20Li"], {"name": "Åse Li"}),
        (["FN;CHARSET=UTF-8:a=20b"], {"name": "a=20b"}),
        (["FN;ENCODING=Q:=C3=85se"], {"name": "Åse"}),
        ([f"FN;CHARSET=X-SJIS;ENCODING=QUOTED-PRINTABLE:{encoded('高橋', 'cp932')}"], {"name": "高橋"}),
        ([f"FN;CHARSET=x-cp1251;ENCODING=QUOTED-PRINTABLE:{encoded('Рога', 'cp1251')}"], {"name": "Рога"}),
        ([f"FN;CHARSET=GB2312;ENCODING=QUOTED-PRINTABLE:{encoded('王䶮', 'gb18030')}"], {"name": "王䶮"}),
        ([f"FN:{'山田'.encode('iso2022_jp').decode()}"], {"name": "山田"}),
        (["FN;CHARSET=ISO-8859-1:Åse"], {"name": "Åse"}),
        (["FN:A", "NOTE;ENCODING=b:w4VzZQ"], {"notes": "Åse"}),
        (
            ["FN:A", "NOTE;ENCODING=BASE64:hei og hå!"],
            {"notes": "", "notices": ("has a value that cannot be decoded",)},
        ),
    ],
)
def test_value_is_decoded_as_its_program_meant(lines, expected):
    row = one(card(*lines, version="2.1"))

    assert {name: getattr(row, name) for name in expected} == expected


def test_fold_inside_a_character_is_read_in_every_version():
    for version in ("2.1", "3.0"):
        data = card("FN:Kari Blåb", version=version).encode().replace("å".encode(), b"\xc3\r\n \xa5")
        assert one(data).name == "Kari Blåb"


def test_guessed_encoding_is_reported_for_its_card():
    data = card("FN:Åse").encode() + card("FN:Bjørn").encode("latin-1")

    assert [row.notices for row in rows_of(data)] == [(), (GUESSED,)]
    assert [row.notices for row in rows_of(data, encoding="iso-8859-1")] == [(), ()]


AGENT = ("BEGIN:VCARD", "FN:Per", f"TEL:{OTHER}", "END:VCARD")


@pytest.mark.parametrize(
    ("data", "cards"),
    [
        (card("FN:A", "TEL:1").removesuffix("END:VCARD\n"), [("A", ("1",), (NO_END,))]),
        (card("FN:A").removesuffix("END:VCARD\n") + card("FN:B"), [("A", (), (NO_END,)), ("B", (), ())]),
        (card("FN:A") + card("FN:B").removeprefix("BEGIN:VCARD\n"), [("A", (), ()), ("B", (), ())]),
        (card("FN:A").removeprefix("BEGIN:VCARD\n"), [("A", (), ())]),
        (card("FN:A", "AGENT:", *AGENT, "TEL:1").removeprefix("BEGIN:VCARD\n"), [("A", ("1",), ())]),
        (card("FN:A", "TEL:1").replace("BEGIN:VCARD", "").replace("\n", "\n  "), [("A", ("1",), ())]),
        ("FN:A\nTEL:1\n" + card("FN:B"), [("A", ("1",), (NO_END,)), ("B", (), ())]),
        (card("FN:A") + card("FN:B").removeprefix("BEGIN:VCARD"), [("A", (), ()), ("B", (), ())]),
        (
            (card("FN:A") + card("FN:B")).replace("END:VCARD\nBEGIN:VCARD\n", "END:VCARD"),
            [("A", (), ()), ("B", (), ())],
        ),
        (card("FN:A") + "\x1a" + card("FN:B") + "\x1a", [("A", (), ()), ("B", (), ())]),
        (card("FN:A\0") + "\0" * 9, [("A", (), ())]),
        (card("FN:A").replace("END:VCARD", "END:VCARD;"), [("A", (), ())]),
        (card("FN:A", "TEL:1").replace("\n", "<br>\n"), [("A", ("1",), ())]),
        (f"<html><pre>{card('FN:A').strip()}</pre></html>", [("A", (), ())]),
        ("".join(f"> {line}\n" for line in card("FN:A", "TEL:1").splitlines()), [("A", ("1",), ())]),
        (card("FN:A", "TEL:1").replace("\n", "\n        "), [("A", ("1",), ())]),
        (card("FN:A", "TEL:1").replace("END", "  END"), [("A", ("1",), ())]),
        (card("FN:A", f"NOTE:{'x' * 70}\n END:VCARD", "TEL:1"), [("A", ("1",), ())]),
        (card("FN:A", "item1.AGENT:", *AGENT, "TEL:1", version="2.1"), [("A", ("1",), ())]),
        (card("FN:A", "AGENT:" + "\\n".join(AGENT), "TEL:1"), [("A", ("1",), ())]),
        (card("FN:A", *["AGENT:", "BEGIN:VCARD"] * 300, *["END:VCARD"] * 300, "TEL:1"), [("A", ("1",), ())]),
        (card("FN:A", "TEL:1").replace("\n", "\n\n"), [("A", ("1",), ())]),
        ("BEGIN:VCARD\n" + card("FN:A") + "END:VCARD\n", [("A", (), ())]),
    ],
)
def test_card_is_found_whatever_stands_around_it(data, cards):
    assert [(row.name, row.phones, row.notices) for row in rows_of(data, name="people.vcf")] == cards


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32"])
def test_cards_in_wide_characters_are_read_without_a_mark(codec):
    assert one(card("FN:Иван Петров", "NOTE:" + "много " * 40).encode(codec)).name == "Иван Петров"


def test_file_without_a_card_is_refused():
    assert "the file has no card" in refusal("Se BEGIN:VCARD i manualen\n", name="people.vcf")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["NOTE:en", "", "to", "Email: a@example.org", "tlf: 22 33 51 03"], {"emails": (), "phones": ()}),
        (["NOTE:en", "", "to: tre"], {"notes": "en\n\nto: tre"}),
        (['NOTE:\\"som den er\\", kl 12\\:30'], {"notes": '"som den er", kl 12:30'}),
        (["NOTE:en", "voilà", "to Å"], {"notes": "en\nvoilà\nto Å"}),
        (["CLOUD:7", f"TEL:{MOBILE}"], {"name": "A", "phones": (MOBILE,), "notices": ()}),
        ([f"MOB:{MOBILE}"], {"name": "A", "phones": (), "notices": (LOST,)}),
        (["NOTE;ENCODING=BASE64:", "w4Vz", "ZQ==", ""], {"notes": "Åse", "notices": ()}),
        (["TITLE:sjef", "91 23 51 03"], {"notices": (LOST,)}),
        (["URL:x", "Skriv til a@example.org i dag"], {"notices": (LOST,)}),
        (["PHOTO;ENCODING=BASE64:", "12345678"], {"notices": ()}),
        (["PHOTO;ENCODING=BASE64:AAAA", f"TEL {MOBILE}"], {"notices": (LOST,)}),
        (["CATEGORIES:VIP\u200b,\u200b"], {"tags": ("VIP",)}),
        (["N:Han\u200bsen;Kari"], {"name": "Kari Hansen"}),
        (["FN;PREF=2:K. H.", "FN;PREF=1:Kari Hansen"], {"name": "Kari Hansen"}),
        (["NICKNAME:,Kalle\\, jr.", "TEL:1"], {"name": "Kalle, jr."}),
        (["EMAIL:n/a", f"TEL:{MOBILE}"], {"name": MOBILE}),
        (["EMAIL:n/a"], {"problem": "has no name, number or e-mail address"}),
    ],
)
def test_line_is_read_for_what_it_is(lines, expected):
    named = [] if lines[0].startswith(("N:", "FN", "NICK", "EMAIL")) else ["FN:A"]
    row = one(card(*named, *lines))

    assert {name: getattr(row, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        ("EMAIL:" + "a" * 400 + "@example.org", "has a number, e-mail address or tag that is too long"),
        ("CATEGORIES:" + "t" * 70, "has a number, e-mail address or tag that is too long"),
        ("CATEGORIES:" + ",".join(map(str, range(60))), "has more than 50 tags; the others are not imported"),
        ("\n".join(f"EMAIL:a{number}@example.org" for number in range(25)), "has more than 20 emails; the others"),
        ("ORG:" + "o" * 300, "has more than 255 characters in company_name; the rest is not imported"),
    ],
)
def test_value_that_is_too_long_costs_only_itself(line, notice):
    row = one(card("FN:Kari", f"TEL:{MOBILE}", line))

    assert (row.name, row.phones, row.problem) == ("Kari", (MOBILE,), None)
    assert [each.startswith(notice) for each in row.notices] == [True]


def test_what_a_contact_has_no_place_for_is_named():
    reading = read_contacts(
        card(
            "FN;ALTID=1:Kari",
            "FN;ALTID=1;LANGUAGE=ja:カリ",
            "ORG:Fjord AS;Salg",
            "BDAY:1980-01-01",
            "X-SKYPE:kari",
            "REV:1",
            "URL:",
        ).encode()
        + card("FN:A", "BDAY:1990-01-01", "AGENT:", *AGENT).encode()
        + b"NOTE:lost\n"
    )

    list(reading.rows)
    assert reading.unmapped[0] == "BDAY"
    assert {*reading.unmapped} == {"BDAY", "X-SKYPE", "AGENT", "departments in ORG", "alternative FN"}
    assert reading.remarks == ["the file has text outside of cards, which is not read"]
