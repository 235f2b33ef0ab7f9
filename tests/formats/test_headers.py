"""Headers in many languages, mapped, repeated, or missing."""

import pytest

from contacts_mcp.formats import read_contacts
from support.texts import refusal, rows_of

SAID = ("Zoë Lefèvre", ("90000001", "22222222"), ("zoe@example.com",), "ACME", ("VIP",), "Note")


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

    assert (row.name, row.phones, row.emails, row.company_name, row.tags, row.notes) == SAID


@pytest.mark.parametrize("header", ["Name", "Full Name", "Fullt navn", "Nombre", "Nom", "Navn", "Kunde", "NAME:"])
def test_full_name_header_is_recognized(header):
    (row,) = rows_of(f"{header}\nOla Nordmann\n")

    assert row.name == "Ola Nordmann"


def test_last_name_contained_in_the_full_name_is_not_repeated():
    (row,) = rows_of("Display name,Surname\nOla Nordmann,NORDMANN\n")

    assert row.name == "Ola Nordmann"


def test_columns_with_the_same_name_are_all_read():
    """Numbers in their order, notes joined by line breaks, and the first company that is not empty."""
    (row,) = rows_of("Name,Phone,Phone,Notes,Notes,Company,Company\nOla,1111111,2222222,a,b,,ACME\n")

    assert (row.phones, row.notes, row.company_name) == (("1111111", "2222222"), "a\nb", "ACME")


def test_fax_columns_are_ignored():
    """They receive no SMS."""
    (row,) = rows_of("Name,Fax,Business Fax,Phone\nOla,1111111,2222222,3333333\n")

    assert row.phones == ("3333333",)


def test_columns_that_are_not_understood_are_listed_as_unmapped():
    header = ",".join(["Name", *(f"Field {number}" for number in range(49))])
    reading = read_contacts(f"{header}\nOla{',x' * 49}\n".encode())

    assert reading.mapping == [("Name", "name")]
    assert len(reading.unmapped) == 49
    assert next(reading.rows).name == "Ola"


def test_too_many_columns_are_refused():
    assert "there are more than 1,000 columns" in refusal("Name," * 500_000)
    assert "there are more than 1,000 columns" in refusal(f"[{{{','.join(f'{n}: 1' for n in KEYS)}}}]")


KEYS = [f'"key {number}"' for number in range(1_001)]


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
        ("Our customers,,\n\nName,Phone\nOla,1\n", "no column holds a name; the columns are Our customers, (empty)"),
        ('"a\nb",c\n1,2\n', "no column holds a name; the columns are a b, c"),
        ("<html><table>\n", "no column holds a name"),
    ],
)
def test_csv_without_a_header_is_refused(text, line):
    assert line in refusal(text)
