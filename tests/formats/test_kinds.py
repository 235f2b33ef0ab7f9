"""Contact files as people have them: each kind of oddity that public bug reports describe, with the right value."""

import pytest

from contacts_mcp.formats import read_contacts
from support.texts import card, rows_of

SHIFTED = "is shifted: its values are not below their headers, perhaps by an unquoted comma"
MOBILE, OTHER = "+4791235103", "+4722335103"


def old_card(*lines, end="\r\n"):
    return card(*lines, version="2.1").replace("\n", end)


def one(data, **more):
    (row,) = rows_of(data, **more)
    return row


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([f"TEL;FAX:{OTHER}", f"TEL;CELL:{MOBILE}"], {"phones": (MOBILE,)}),
        (
            ["EMAIL;INTERNET:a@example.org", "EMAIL;PREF;INTERNET:b@example.org"],
            {"emails": ("b@example.org", "a@example.org")},
        ),
        ([f"TEL;WORK;VOICE:{OTHER}", f"TEL;CELL;VOICE:{MOBILE}"], {"phones": (MOBILE, OTHER)}),
        (["N;ENCODING=quoted-printable:=C3=85sen;=C3=98ystein"], {"name": "Øystein Åsen"}),
        (["NOTE;quoted-printable;CHARSET=UTF-8:Bl=C3=A5"], {"notes": "Blå"}),
        (["NOTE;ENCODING=8BIT:hei"], {"notes": "hei"}),
        (["NOTE;ENCODING=QUOTED-PRINTABLE:Bl=E5b=E6r"], {"notes": "Blåbær"}),
        (["NOTE;ENCODING=QUOTED-PRINTABLE:Ring f=C3=B8r=20=", " klokka tre"], {"notes": "Ring før klokka tre"}),
        (["NOTE;ENCODING=QUOTED-PRINTABLE:Bl=C3=", " =A5b=C3=A6r"], {"notes": "Blåbær"}),
        (["NOTE;ENCODING=QUOTED-PRINTABLE:Syltet=", " =C3=B8y"], {"notes": "Syltetøy"}),
        (
            ["NOTE;ENCODING=QUOTED-PRINTABLE:" + "en lang linje med mange ord og mellomrom =", "og flere=", " ord"],
            {"notes": "en lang linje med mange ord og mellomrom og flere ord"},
        ),
        (["ORG:Fjord og Fjell Norge", " AS"], {"company_name": "Fjord og Fjell Norge AS"}),
        (["NOTE:C:\\nytt"], {"notes": "C:\\nytt"}),
        ([f"TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=41=42):{MOBILE}"], {"phones": (MOBILE,)}),
        ([f"PHONE.WORK:{OTHER}"], {"phones": (OTHER,)}),
        (["NOTE:en", "to: tre", "fire"], {"notes": "en\nto: tre\nfire"}),
        (["FN:Kari", "", "Hansen"], {"name": "Kari Hansen"}),
        (["CATEGORIES:myContacts,VIP"], {"tags": ("VIP",)}),
        (["NICKNAME:Kalle"], {"name": "Kalle", "notices": ("has no name and is named by its nickname",)}),
        ([f"TEL:{MOBILE}"], {"name": MOBILE, "notices": ("has no name and is named by its number",)}),
        (["EMAIL:a@example.org"], {"name": "a@example.org"}),
        (["ORG:Fjord AS"], {"name": "Fjord AS", "type": "company"}),
    ],
)
def test_property_of_an_old_card_is_read(lines, expected):
    """Version 2.1, as phones and Outlook write it."""
    row = one(old_card(*lines))

    assert {name: getattr(row, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("codec", "text"), [("WINDOWS-1251", "Иван"), ("MACINTOSH", "Blåbær"), ("ISO-8859-2", "Łucja")]
)
def test_raw_bytes_are_decoded_by_the_character_set_of_their_property(codec, text):
    data = old_card(f"FN;CHARSET={codec}:NAME").encode().replace(b"NAME", text.encode(codec))

    assert one(data).name == text


@pytest.mark.parametrize("note", ["NOTE;ENCODING=BASE64:!", "NOTE;ENCODING=B:abcde"])
def test_unreadable_note_costs_only_the_note(note):
    row = one(old_card("FN:Kari", note, f"TEL:{MOBILE}"))

    assert (row.name, row.notes, row.phones) == ("Kari", "", (MOBILE,))
    assert row.notices == ("has a value that cannot be decoded",)


@pytest.mark.parametrize("line", [f"TEL;CELL;{MOBILE}", "EMAIL;INTERNET;a@example.org", f"Mob 1: {MOBILE}"])
def test_line_with_a_value_that_cannot_be_read_is_reported(line):
    row = one(old_card("FN:Kari", "TITLE:x", line))

    assert row.phones == row.emails == ()
    assert row.notices == ("has a line that looks like a number or an e-mail address, but cannot be read",)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (old_card("FN:A").rstrip() + old_card("FN:B"), ["A", "B"]),
        ("\ufeff" + old_card("FN:A") + "\ufeff" + old_card("FN:B"), ["A", "B"]),
        ("BEGIN:VADDRESSBOOK\r\n" + old_card("FN:A") + "END:VADDRESSBOOK\r\n", ["A"]),
        (old_card("FN:Boss", "AGENT:", "BEGIN:VCARD", "FN:Assistant", "END:VCARD", "TEL:1"), ["Boss"]),
        (old_card("AGENT:", "BEGIN:VCARD", "FN:Assistant", "END:VCARD", "FN:Boss"), ["Boss"]),
        ("".join(f"   {line}\r\n" for line in old_card("FN:A", "TEL:1").split("\r\n")), ["A"]),
        ("BEGIN:VCARD\nFN:A\n" + old_card("FN:B"), ["A", "B"]),
        (old_card("FN:A", end="\r"), ["A"]),
    ],
)
def test_every_owners_card_is_found(data, names):
    """Whatever stands around it; the card of an assistant is never taken for the owner's."""
    assert [row.name for row in rows_of(data, name="people.vcf")] == names


def test_picture_does_not_count():
    picture = "\r\n ".join(["A" * 72] * 20_000)

    assert one(old_card("FN:A", f"X-MS-CARDPICTURE;TYPE=GIF;ENCODING=BASE64:{picture}", f"TEL:{MOBILE}")).phones == (
        MOBILE,
    )


def test_odd_bytes_change_only_their_card_or_row():
    table = read_contacts("name,phone\nÅse,1\n".encode() + "Bjørn,2\n".encode("latin-1"))
    cards = old_card("FN:Åse").encode() + old_card("FN:Bjørn").encode("latin-1")

    assert [row.name for row in table.rows] == [row.name for row in rows_of(cards)] == ["Åse", "Bjørn"]
    assert table.encoding == "UTF-8 and Windows-1252 (guessed)"


def test_letters_that_were_encoded_twice_are_repaired_and_reported():
    data = "name;Telefón\nBjørn Øy;1\nPål;2\n".encode().decode("latin-1").encode() + "NÃO Åse;3\n".encode()

    found = [(row.name, row.phones, len(row.notices)) for row in rows_of(data)]

    assert found == [("Bjørn Øy", ("1",), 1), ("Pål", ("2",), 1), ("NÃO Åse", ("3",), 0)]


@pytest.mark.parametrize("written", ["HVA NÅ…", "JOSÉ’s", "BLÅ” og GRÅ”", "GRÜß – Gruß…", "MENÜ›"])
def test_capital_letter_before_typographic_punctuation_is_not_decoded_again(written):
    (row,) = rows_of(f"name,notes\nOla,{written}\n".encode())

    assert (row.notes, row.notices) == (written, ())


def test_letters_that_were_lost_are_reported():
    assert one("name,phone\nBj\ufffdrn,1\n").notices == (
        "has letters that cannot be read; give encoding, or correct the file",
    )


def test_fold_inside_a_character_is_read():
    data = card("FN:Kari Blåb").encode().replace("å".encode(), b"\xc3\r\n \xa5")

    assert one(data).name == "Kari Blåb"


def test_encoding_argument_decides_what_is_not_utf_8():
    assert one("name,phone\nŁukasz Żółw,1\n".encode("cp1250"), encoding="windows-1250").name == "Łukasz Żółw"
    assert one(old_card("FN:Łukasz Żółw").encode("cp1250"), encoding="windows-1250").name == "Łukasz Żółw"


@pytest.mark.parametrize(
    ("cell", "region", "phones"),
    [
        ("02129/3743399", "DE", ("02129/3743399",)),
        ("01512/3456789", "DE", ("01512/3456789",)),
        ("02236 / 123456", "AT", ("02236 / 123456",)),
        ("91 23 51 03 / 22 33 51 03", "NO", ("91 23 51 03", "22 33 51 03")),
        ("91235103/22335103", "NO", ("91235103", "22335103")),
        ("4,47911E+11", "GB", ("4,47911E+11",)),
        ("0151/23456789 / 0160/1234567", "DE", ("0151/23456789", "0160/1234567")),
        ("0664/1234567/01 5125600", "AT", ("0664/1234567", "01 5125600")),
        ("09/2221111 - 0475/123456", "BE", ("09/2221111", "0475/123456")),
        ("600123456-914461000", "ES", ("600123456", "914461000")),
        ("91235103 22335103", "NO", ("91235103", "22335103")),
        ("22 33 51 03/04", "NO", ("22 33 51 03", "22 33 51 04")),
        ("06/12/34/56/78", "FR", ("06/12/34/56/78",)),
        ("89/1", "DE", ("89/1",)),
    ],
)
def test_numbers_are_split_only_if_each_is_valid(cell, region, phones):
    assert one(f"name;phone\nA;{cell}\n", region=region).phones == phones


@pytest.mark.parametrize(
    ("cell", "phones"),
    [
        ("4,791,235,103", ("4791235103",)),
        ("4.791.235.103,00", ("4791235103",)),
        ("91'235'103", ("91235103",)),
        ("4791235103,0", ("4791235103",)),
        ("'+4791235103", ("'+4791235103",)),
        ('=T("91235103")', ("91235103",)),
        ('=HYPERLINK("tel:+4791235103","91 23 51 03")', ("91 23 51 03",)),
        ("91235103, 22335103", ("91235103", "22335103")),
    ],
)
def test_number_that_a_spreadsheet_formatted_is_read(cell, phones):
    quoted = cell.replace('"', '""')

    assert one(f'name;phone\nA;"{quoted}"\n', region="NO").phones == phones


def test_errors_of_a_spreadsheet_are_left_out_and_reported():
    row = one("name;phone;email;notes\n#NAME?;91235103;#N/A;#VERDI!\n")

    assert (row.name, row.emails, row.notes) == ("91235103", (), "")
    assert row.notices[0] == "has an error of a spreadsheet in a cell, which is not imported"


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ('["VIP", "Oslo, Norge"]', ("VIP", "Oslo, Norge")),
        ("['VIP', 'Oslo']", ("VIP", "Oslo")),
        ("{VIP,Oslo}", ("VIP", "Oslo")),
        ("VIP;Oslo, Norge", ("VIP", "Oslo, Norge")),
        ("VIP, Oslo", ("VIP", "Oslo")),
        ("VIP|Oslo, Norge", ("VIP", "Oslo, Norge")),
        ("[VIP", ("[VIP",)),
    ],
)
def test_tags_of_a_cell_are_split_at_its_strongest_separator(cell, tags):
    quoted = cell.replace('"', '""')

    assert one(f'name,tags\nA,"{quoted}"\n').tags == tags


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (header, field)
        for field, headers in {
            "email": "Emailadresse|E-Mail 2: Adresse|Adresse de messagerie|Primäre E-Mail-Adresse|Adres e-mail|"
            "Dirección de correo electrónico|Indirizzo posta elettronica|Sähköpostiosoite|E-postadress|E-mailadres|"
            "Endereço de email|Person - Email - Work|EMAIL_ADDRESS|EmailAddress",
            "phone_number": "Mobil-Nr.|Tél. mobile|Numero di telefono|Phone Number (Mobile)|Mobil-Tel.-Nr.|Móvil|"
            "Téléphone 2 (bureau)|Telefon, arbeid|Arbejdstelefon|Telefoon op werk|Telefon komórkowy|Matkapuhelin|"
            "Telefone celular|Person - Phone - Mobile|LANDLINE_NUMBER|SMS|Handynummer|Teléfono del trabajo 2",
            "name": "For- og etternavn|Vor- und Nachname|Nom / Prénom|Voor- en achternaam|Apellidos, nombre|Your name",
            "company_name": "Firma|Société|Organización|Yritys|Account Name|Person - Organization|Azienda",
            None: "E-Mail-Typ|E-mail Display Name|Contact owner|Work Email Status|Mobile carrier|Mailing Street|"
            "Nom complet de l'adresse de messagerie|Kundenummer|Customer number|Home Address|Business Fax|Fax privat",
        }.items()
        for header in headers.split("|")
    ],
)
def test_header_is_read_by_its_words(header, field):
    reading = read_contacts(f'Name,"{header}"\nA,x\n'.encode())

    assert dict(reading.mapping).get(header) == field


def test_columns_with_unknown_headers_are_read_by_their_cells():
    table = f"Spalte1;Spalte2;Spalte3\nKari Hansen;{MOBILE};k@example.org\nOla Berg;{OTHER};o@example.org\n"
    reading = read_contacts(table.encode())

    assert dict(reading.mapping) == {"Spalte1": "name", "Spalte2": "phone_number", "Spalte3": "email"}
    assert reading.remarks[0] == "column Spalte1 is used as name, which its cells look like"


def test_cells_without_a_header_are_named_as_unused():
    assert read_contacts(b"name,phone,,\nKari,1,x,\n").unmapped == ["column 3"]


def test_column_that_only_partly_holds_numbers_is_named():
    table = f"Navn;Annet\nKari;{MOBILE}\nOla;ingen\nPer;ukjent\nPål;{OTHER}\nAda;-\n"

    assert read_contacts(table.encode()).remarks == [
        "no column has phone numbers or e-mail addresses",
        "column Annet may hold phone_number; if it does, set it with mapping",
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            'Email Address,First Name,TAGS\na@example.org,Kari,"""VIP"",""Oslo, Norge"""\n',
            {"tags": ("VIP", "Oslo, Norge")},
        ),
        (
            'First Name,Labels,Phone 1 - Label,Phone 1 - Value\nKari,"Venner, nære ::: Kor; alt",Mobile,1\n',
            {"tags": ("Venner, nære", "Kor; alt")},
        ),
        (
            'name,email\nOla,"Ola <ola@example.org>; kari@example.org"\n',
            {"emails": ("ola@example.org", "kari@example.org")},
        ),
        ("name,email\nOla,Ola#mailto:ola@example.org#\n", {"emails": ("ola@example.org",)}),
        ("name,email\nOla,'ola@example.org.\n", {"emails": ("ola@example.org",)}),
        ('name,notes,phone\nOla,"sa \\"hei, du\\" ja",1\n', {"notes": 'sa "hei, du" ja', "phones": ("1",)}),
        ('name,notes\nOla,"C:\\"\n', {"notes": "C:\\"}),
        (f'name,phone\nOla,"=""{MOBILE}"""\n', {"phones": (MOBILE,)}),
        ("name,email\nOla,ola@example.org\u200b\n", {"emails": ("ola@example.org",)}),
        ("name,phone\nOla,+47\ufe0d91235103\n", {"phones": (MOBILE,)}),
        (
            "Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\nA,Fax,22335103,Other,91235103\n",
            {"phones": ("91235103",), "notices": ("has a fax or pager number, which is not imported",)},
        ),
        ("name,email\nA,user/dept@example.org\n", {"emails": ("user/dept@example.org",)}),
        (
            f"name,phone\nMer Celle,{MOBILE},mer@example.org\n",
            {"name": "Mer Celle", "notices": ("has more cells than the header; additional cells are not imported",)},
        ),
        (f"name,phone,email\nHansen, Kari, Dr.,{MOBILE},kari@example.org\n", {"problem": SHIFTED}),
        (f"name,phone,email\nHansen, Kari,{MOBILE},kari@example.org\n", {"problem": SHIFTED}),
        (f"name,phone,email\nHansen, Kari,{MOBILE},\n", {"problem": SHIFTED}),
        (f"name,phone,email\n{MOBILE},kari@example.org\n", {"problem": SHIFTED}),
        (f"name,phone,org,phone 2\nKari,ukjent,912345678,{MOBILE}\n", {"problem": None, "phones": ("ukjent", MOBILE)}),
        ("name,phone,email\nKari,kari@example.org\n", {"phones": (), "emails": ("kari@example.org",)}),
        (f"Kunder per 1. november,\n,\nNavn,Mobil\nOla,{MOBILE}\n", {"number": 4, "name": "Ola", "phones": (MOBILE,)}),
        (f"Navn;Telefon;\n;Mobil;Arbeid\nOla;{MOBILE};{OTHER}\n", {"name": "Ola", "phones": (MOBILE, OTHER)}),
        ("Notes:\n\nFirst Name,Last Name,Email Address\nKari,Berg,k@example.org\n", {"name": "Kari Berg"}),
    ],
)
def test_cells_are_read_as_they_are_meant(table, expected):
    row = one(table)

    assert {name: getattr(row, name) for name in expected} == expected


SECOND_NAME = ("has a second name or company, which is not imported",)


@pytest.mark.parametrize(
    ("header", "cells", "name", "company", "notices"),
    [
        ("Display Name,First Name,Last Name", "Mamma,Anne,Berg", "Anne Berg", "", SECOND_NAME),
        ("Display Name,First Name,Last Name", '"Berg, Anne",Anne,Berg', "Anne Berg", "", ()),
        ("Display Name,First Name,Last Name", "Anne Marie Berg,Anne,Berg", "Anne Marie Berg", "", ()),
        ("Display Name,First Name,Last Name", "Anne Berg,,", "Anne Berg", "", ()),
        ("Nome,Cognome", "Anna,Rossi", "Anna Rossi", "", ()),
        ("Navn,Kontaktperson", "Fjord AS,Kari Berg", "Kari Berg", "Fjord AS", ()),
        ("Navn,Kontaktperson", "Fjord AS,", "Fjord AS", "Fjord AS", ()),
        ("Kunde,Fornavn,Etternavn", "Fjord AS,Kari,Berg", "Kari Berg", "Fjord AS", ()),
        ("Name,Company,Account", "Kari Berg,Fjord AS,Elv AS", "Kari Berg", "Fjord AS", SECOND_NAME),
        ("First Name,Nickname", ",Kalle", "Kalle", "", ("has no name and is named by its nickname",)),
    ],
)
def test_columns_of_names_are_told_apart(header, cells, name, company, notices):
    """The parts of a name before the display name; a customer with a contact person is a company."""
    row = one(f"{header},Phone\n{cells},{MOBILE}\n")

    assert (row.name, row.company_name, row.notices) == (name, company, notices)


@pytest.mark.parametrize(
    "above",
    [
        "Utskrift;Side 1;av 2;28.11.2026\n",
        "Firma:;Fjord AS;;\nDato:;28.11.2026;;\n\n",
        "1;2;3;4\n",
        ";Privat;Privat;Arbeid\n",
        "sep=;\nKunder;;;\n",
        "".join(f"Linje {number}\n" for number in range(15)),
    ],
)
def test_header_is_found_below_lines_of_a_report(above):
    (row,) = rows_of(f"{above}Navn;Mobil;E-post;Telefon\nKari;{MOBILE};k@example.org;{OTHER}\n")

    assert (row.name, row.phones, row.problem) == ("Kari", (MOBILE, OTHER), None)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Name,Phone,Email", "is a line of the header, not a contact"),
        ("(tekst),(8 siffer),(valgfritt)", "is a line of the header, not a contact"),
        ("Totalt: 2,,", "is the end of a report, not a contact"),
        ("Sum,2,", "is the end of a report, not a contact"),
        ("Grand Totals (2 records)", "is the end of a report, not a contact"),
        ("Copyright (c) 2000-2026 Fjord AS", "is the end of a report, not a contact"),
        ("Total Fitness AS,,", None),
        ("Mobil Huset,ukjent,", None),
    ],
)
def test_line_of_a_report_is_no_contact(line, problem):
    assert one(f"Navn,Mobil,E-post\n{line}\n").problem == problem


def test_escaped_colon_of_google_is_read():
    assert one(card("FN:A", "NOTE:kl 12\\:30")).notes == "kl 12:30"


@pytest.mark.parametrize("name", ["null null", "(No Name)", "undefined", "-"])
def test_placeholder_for_a_missing_name_is_no_name(name):
    (from_table,) = rows_of(f"name,email\n{name},kari@example.org\n".encode())
    (from_card,) = rows_of(card(f"FN:{name}", "EMAIL:kari@example.org").encode())

    assert from_table.name == from_card.name == "kari@example.org"
    assert from_table.notices == from_card.notices == ("has no name and is named by its e-mail address",)
