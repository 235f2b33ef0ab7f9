"""Headers: in many languages, mapped by hand, twice the same, or none at all."""

import pytest

from contact_files import refusal, rows_of
from contacts_mcp.formats import read_contacts

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
def test_headers_are_understood_in_the_languages_of_europe(header: str) -> None:
    """The mobile comes first, and `Name`, `Nom` and `Nombre` are what they are beside the others."""
    (row,) = rows_of(f"{header}\nZoë;Lefèvre;90000001;22222222;zoe@example.com;ACME;VIP;Note\n")

    assert (row.name, row.phones, row.emails, row.company_name, row.tags, row.notes) == SAID


@pytest.mark.parametrize("header", ["Name", "Full Name", "Fullt navn", "Nombre", "Nom", "Navn", "Kunde", "NAME:"])
def test_one_column_may_hold_the_whole_name(header: str) -> None:
    """Whatever it is called, and however it is written."""
    (row,) = rows_of(f"{header}\nOla Nordmann\n")

    assert row.name == "Ola Nordmann"


def test_a_last_name_that_is_said_already_is_not_said_again() -> None:
    """As where a directory writes both."""
    (row,) = rows_of("Display name,Surname\nOla Nordmann,NORDMANN\n")

    assert row.name == "Ola Nordmann"


def test_columns_of_one_name_are_all_read() -> None:
    """Numbers in their order, notes one under the other, and the first company that there is."""
    (row,) = rows_of("Name,Phone,Phone,Notes,Notes,Company,Company\nOla,1111111,2222222,a,b,,ACME\n")

    assert (row.phones, row.notes, row.company_name) == (("1111111", "2222222"), "a\nb", "ACME")


def test_fax_numbers_are_none() -> None:
    """No SMS reaches them."""
    (row,) = rows_of("Name,Fax,Business Fax,Phone\nOla,1111111,2222222,3333333\n")

    assert row.phones == ("3333333",)


def test_fifty_columns() -> None:
    """Those that are understood are used, the others named."""
    header = ",".join(["Name", *(f"Field {number}" for number in range(49))])
    reading = read_contacts(f"{header}\nOla{',x' * 49}\n".encode())

    assert reading.mapping == [("Name", "name")]
    assert len(reading.unmapped) == 49
    assert next(reading.rows).name == "Ola"


def test_thousands_of_columns_are_refused() -> None:
    """They would take longer to understand than anybody waits."""
    assert "there are more than 1,000 columns" in refusal("Name," * 500_000)
    assert "there are more than 1,000 columns" in refusal(f"[{{{','.join(f'{n}: 1' for n in KEYS)}}}]")


KEYS = [f'"key {number}"' for number in range(1_001)]


def test_a_mapping_adds_to_what_is_understood() -> None:
    """It takes columns away as well, and finds them as they are written or nearly."""
    reading = read_contacts(
        b"Kj\xc3\xb8per,Ring,E-mail,Notes\nOla,90000001,ola@example.com,secret\n",
        mapping={"kjoper": "name", "Ring": "phone_number", "Notes": "ignore"},
    )

    (row,) = reading.rows
    assert reading.mapping == [("Kjøper", "name"), ("Ring", "phone_number"), ("E-mail", "email")]
    assert reading.unmapped == ["Notes"]
    assert (row.name, row.phones, row.emails, row.notes) == ("Ola", ("90000001",), ("ola@example.com",), "")


def test_a_mapping_reads_headers_in_any_script() -> None:
    """They are found by what they sound like."""
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
def test_a_mapping_that_does_not_fit_says_what_there_is(mapping: dict[str, str], line: str) -> None:
    """Columns and fields by their names, on one line whatever is in them."""
    assert line in refusal('Kunde,"Ring\nme"\nOla,1\n', mapping=mapping)


def test_a_card_has_no_columns_to_map() -> None:
    """So a mapping is a mistake."""
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
def test_a_file_without_a_header_says_so(text: str, line: str) -> None:
    """And does not take a person for one."""
    assert line in refusal(text)
