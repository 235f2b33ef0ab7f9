"""Text files: headers in many languages, mapped, repeated or missing; quotes, delimiters, unusual bytes and JSON."""

import pytest

from contacts_mcp.formats import read_contacts
from support.texts import refusal, rows_of


@pytest.mark.parametrize(
    "header",
    [
        "First Name;Last Name;Mobile Phone Number;Telephone Number;E-mail Address;Company;Groups;Comments",
        "firstName;lastName;mobile;phones;emails;companyName;tags;notes",
        "Fornavn;Etternavn;Mobiltelefon;Telefon jobb;E-postadresse;Bedrift;Kategorier;Merknad",
        "Fornavn;Efternavn;Mobil;Telefon;E-mail;Virksomhed;Grupper;Bemærkninger",
        "Förnamn;Efternamn;Mobilnummer;Telefonnummer;E-post;Företag;Taggar;Anteckningar",
        "Vorname;Name;Handynummer;Telefon (geschäftlich);E-Mail-Adresse;Firma;Gruppen;Bemerkung",
        "Vorname;Nachname;Mobil;Rufnummer;E-Mail;Unternehmen;Kategorien;Notizen",
        "Prénom;Nom;Téléphone portable;Téléphone;Courriel;Société;Catégorie;Remarques",
        "Prénom;Nom de famille;Portable;Tél.;Adresse e-mail;Entreprise;Étiquettes;Notes",
        "Nombre;Apellidos;Teléfono móvil;Teléfono;Correo electrónico;Empresa;Etiquetas;Observaciones",
        "Voornaam;Achternaam;Mobiel;Telefoonnummer;E-mailadres;Bedrijf;Categorieën;Opmerkingen",
        "Name;Surname;Cell;Phone;Mail;Organisation;Labels;Remarks",
        "Nome;Cognome;Cellulare;Telefono;Posta elettronica;Azienda;Tag;Note",
    ],
)
def test_headers_are_understood_in_european_languages(header):
    """The mobile comes first; `Name`, `Nom` and `Nombre` depend on the columns beside them."""
    (row,) = rows_of(f"{header}\nZoë;Lefèvre;90000001;22222222;zoe@example.com;ACME;VIP;Note\n")

    assert (row.name, row.phones, row.emails, row.company_name, row.tags, row.notes) == (
        "Zoë Lefèvre",
        ("90000001", "22222222"),
        ("zoe@example.com",),
        "ACME",
        ("VIP",),
        "Note",
    )


@pytest.mark.parametrize("header", ["Name", "Full Name", "Fullt navn", "Nombre", "Nom", "Navn", "Kunde", "NAME:"])
def test_full_name_header_is_recognized(header):
    (row,) = rows_of(f"{header}\nOla Nordmann\n")

    assert row.name == "Ola Nordmann"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Display name,Surname\nOla Nordmann,NORDMANN\n", {"name": "Ola Nordmann"}),
        (
            "Name,Phone,Phone,Notes,Notes,Company,Company\nOla,1111111,2222222,a,b,,ACME\n",
            {"phones": ("1111111", "2222222"), "notes": "a\nb", "company_name": "ACME"},
        ),
        ("Name,Fax,Business Fax,Phone\nOla,1111111,2222222,3333333\n", {"phones": ("3333333",)}),
        (b"Name\nBj\xf8rn\x81\n", {"name": "Bjørn\N{REPLACEMENT CHARACTER}"}),
        (
            r'[{"name": "O\u0000la", "notes": "a\ud800b", "tags": ["x\u0000"]}]',
            {"name": "Ola", "notes": "ab", "tags": ("x",)},
        ),
        (
            '[{"name": "Ola", "phone": NaN, "mobile": Infinity, "tel": 90000001.0, "email": null}]',
            {"phones": ("90000001",), "emails": ()},
        ),
        (
            '[{"firstName": "Ola", "phones": [{"type": "home", "value": "90000001"}, {"value": "90000002"}]}]',
            {"name": "Ola", "phones": ("90000001", "90000002")},
        ),
        ('[{"name": "Ola", "phone": ' + "[" * 900 + "1" + "]" * 900 + "}]", {"name": "Ola", "phones": ()}),
    ],
    ids=[
        "last name within the full name",
        "columns with the same name",
        "fax numbers receive no SMS",
        "an invalid byte affects one character",
        "unstorable characters",
        "missing numbers",
        "objects in lists",
        "deeply nested",
    ],
)
def test_irregular_row_is_read(data, expected):
    """Of columns with the same name, numbers are in their order, notes joined, and the first company is not empty."""
    (row,) = rows_of(data)

    assert {name: getattr(row, name) for name in expected} == expected


def test_columns_that_are_not_understood_are_listed_as_unmapped():
    header = ",".join(["Name", *(f"Field {number}" for number in range(49))])
    reading = read_contacts(f"{header}\nOla{',x' * 49}\n".encode())

    assert reading.mapping == [("Name", "name")]
    assert len(reading.unmapped) == 49
    assert next(reading.rows).name == "Ola"


@pytest.mark.slow
def test_too_many_columns_are_refused():
    keys = ",".join(f'"key {number}": 1' for number in range(1_001))

    assert "there are more than 1,000 columns" in refusal("Name," * 500_000)
    assert "there are more than 1,000 columns" in refusal(f"[{{{keys}}}]")


def test_mapping_adds_and_ignores_columns():
    """It finds headers despite small differences in spelling."""
    reading = read_contacts(
        b"Kj\xc3\xb8per,Ring,E-mail,Notes\nOla,90000001,ola@example.com,secret\n",
        mapping={"kjoper": "name", "Ring": "phone_number", "Notes": "ignore"},
    )

    (row,) = reading.rows
    assert reading.mapping == [("Kjøper", "name"), ("Ring", "phone_number"), ("E-mail", "email")]
    assert reading.unmapped == ["Notes"]
    assert (row.name, row.phones, row.emails, row.notes) == ("Ola", ("90000001",), ("ola@example.com",), "")


def test_mapping_works_for_headers_in_any_script():
    """They are compared after transliteration."""
    (row,) = rows_of("имя,電話\nОля,90000001\n", mapping={"имя": "name", "電話": "phone_number"})

    assert (row.name, row.phones) == ("Оля", ("90000001",))


@pytest.mark.parametrize(
    ("mapping", "line"),
    [
        ({"Kunde": "name", "X": "phone_number"}, "mapping: there is no column X; the columns are Kunde, Ring me"),
        ({"Kunde": "telephone"}, "mapping: fields are name, first_name, last_name"),
        ({"A\nB": "name"}, "mapping: there is no column A B;"),
        ({"Ring\nme": "x\ny"}, "mapping: fields are name"),
    ],
)
def test_invalid_mapping_lists_columns_and_fields(mapping, line):
    """On one line, also if the names contain line breaks."""
    assert line in refusal('Kunde,"Ring\nme"\nOla,1\n', mapping=mapping)


def test_mapping_for_a_vcard_is_refused():
    assert "mapping: a vCard has no columns" in refusal("BEGIN:VCARD\nFN:Ola\nEND:VCARD\n", mapping={"FN": "name"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ola,90000001\nKari,90000002\n", "the first row looks like data"),
        ("Ola;ola@example.com\n", "the first row looks like data"),
        ("Ola,+47 900 00 001\n", "the first row looks like data"),
        ("Our customers,,\n\nKolonne,Annen\nOla,1\n", "no column holds a name; the columns are Our customers, (empty)"),
        ('"a\nb",c\n1,2\n', "no column holds a name; the columns are a b, c"),
        ("<html><table>\n", "no column holds a name"),
    ],
)
def test_csv_without_a_header_is_refused(text, line):
    assert line in refusal(text)


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


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_large_file_is_not_split_inside_a_character(codec):
    rows = rows_of(("Name;Phone\n" + "Øø🎉;1\n" * 20_000).encode(codec))

    assert {row.name for row in rows} == {"Øø🎉"}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_json_nested_too_deeply_is_refused(text):
    assert "not valid JSON" in refusal(text)


def test_json_lines_are_split_only_at_line_feeds():
    first, second = rows_of('{"name": "Ola\u2028Nordmann"}\r\n\r\n{"name": "Kari"}\r\n')

    assert (first.name, second.name) == ("Ola Nordmann", "Kari")


def test_json_items_that_are_no_objects_are_reported():
    """The items before and after are read."""
    rows = rows_of('[{"name": "Ola"}, "Kari", null, 7, {"name": "Per"}]')

    assert [row.name for row in rows if row.problem is None] == ["Ola", "Per"]
    assert [row.number for row in rows if row.problem == "has no name, number or e-mail address"] == [2, 3, 4]
