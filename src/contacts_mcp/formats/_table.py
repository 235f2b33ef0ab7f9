"""Tables of any format: finds which column fills which field, and reads rows of cells by dialect."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from contacts_mcp.contract import ContactType, ValidationFailed, invalid_field
from contacts_mcp.formats import _export
from contacts_mcp.formats._rows import Format, ParsedFile, Row, check_rows
from contacts_mcp.text import fold, sanitize

Cells = Sequence[str]
MAX_CELL_LENGTH = 20_000
"""Characters; a row with a longer cell is no contact."""
MAX_COLUMNS = 1_000
IGNORE = "ignore"
"""In a mapping: do not use this column."""

_MAPPABLE = ("name", "first_name", "last_name", "company_name", "phone_number", "email", "tags", "notes", "type")
_NAME_FIELDS = {"name", "first_name", "last_name", "company_name"}
_NAME_PARTS = ("first_name", "middle_name", "last_name")
_MAX_LISTED_HEADERS = 30
_GOOGLE_SEPARATOR = ":::"

_ALIASES: dict[str, str] = {
    "name": "name, full name, fullname, display name, contact name, customer name, contact, customer, file as, "
    "navn, fullt navn, kontakt, kontaktnavn, kunde, kundenavn, namn, fullstandigt namn, fulde navn, "
    "vollstandiger name, nom, nom complet, nombre completo, nombre y apellidos, naam, volledige naam, nome, "
    "nome completo, kundenname, kontaktname, anzeigename, nom et prenom, nom prenom, prenom nom, nombre y apellido",
    "first_name": "first name, firstname, given name, givenname, forename, fornavn, fornamn, vorname, prenom, nombre, "
    "voornaam, first",
    "middle_name": "middle name, middlename, additional name, mellomnavn, mellemnavn, mellannamn, tussenvoegsel",
    "last_name": "last name, lastname, family name, familyname, surname, etternavn, efternavn, efternamn, nachname, "
    "familienname, nom de famille, apellido, apellidos, achternaam, cognome, last",
    "company_name": "company, company name, companyname, organization, organization name, organization 1 name, "
    "organisation, organisation name, org, employer, business, firma, firmanavn, firmenname, bedrift, bedriftsnavn, "
    "selskap, virksomhed, arbeidsgiver, foretag, foretagsnamn, unternehmen, entreprise, societe, empresa, bedrijf, "
    "bedrijfsnaam, azienda, organisasjon, organizacion, compania",
    "phone_number": "phone, phone number, phonenumber, phone no, mobile, mobile phone, mobile number, mobilephone, "
    "cell, cell phone, cellphone, telephone, tel, contact number, sms, sms number, msisdn, primary phone, home phone, "
    "home phone 2, business phone, business phone 2, work phone, company main phone, car phone, other phone, telefon, "
    "telefonnr, telefonnummer, tlf, tlf nr, tlfnr, mobil, mobilnr, mobilnummer, mobiltelefon, mobiltlf, "
    "telefon mobil, telefon privat, privattelefon, jobbtelefon, telefon jobb, handy, handynummer, rufnummer, "
    "mobilfunk, portable, telephone mobile, numero de telephone, telephone portable, movil, telefono, "
    "telefono movil, numero, celular, telefoon, telefoonnummer, mobiel, gsm, cellulare, "
    "phones, phone numbers, phonenumbers, phone 1, phone 2, telephone number, mobile phone number, mobile no, "
    "phone mobile, cell number, cell phone number, mobile 1, telefon 1, telefon 2, telefon arbeid, "
    "telefon geschaftlich, telefon dienstlich, telefonnummer mobil, tlf mobil, numero de telefono",
    "email": "email, e mail, mail, email address, e mail address, emailaddress, e mail 2 address, e mail 3 address, "
    "primary email, work email, home email, epost, e post, epostadresse, e post adresse, epostadress, e postadress, "
    "mailadresse, e mailadresse, e mail adresse, correo, correo electronico, courriel, adresse email, adresse e mail, "
    "adresse mail, emailadres, e mailadres, posta elettronica, e postadresse, emails, email addresses, emailaddresses, "
    "email 1, email 2, e mail 1, e mail 2",
    "tags": "tags, tag, labels, label, groups, group, group membership, category, categories, kategori, kategorier, "
    "gruppe, grupper, gruppen, etikett, etiketter, merker, merkelapper, stikkord, taggar, etiquetas, etiquettes, "
    "schlagworte, kategorien, categorias, categorieen, categorie, categoria, etiqueta, "
    "etiquette, groupe, groupes, grupo, grupos, merkelapp",
    "notes": "notes, note, comment, comments, remarks, notat, notater, merknad, merknader, kommentar, kommentarer, "
    "bemerkung, bemerkungen, notizen, anmerkungen, anteckning, anteckningar, bemaerkninger, notas, comentarios, "
    "remarques, opmerkingen, notities, observaciones, observations, notiz",
    "type": "type, contact type, contacttype, kontakttype",
}
_FIELD_BY_ALIAS = {alias.strip(): name for name, aliases in _ALIASES.items() for alias in aliases.split(",")}
_LAST_NAME_BESIDE_FIRST = frozenset({"name", "nom", "naam", "nome", "apellidos"})
"""Headers of the last name, if another column has the first name."""
_NUMBERED_VALUE = re.compile(r"(?:(phone)|e ?mail) \d+ value")
_NUMBERED_LABEL = re.compile(r"(?:phone|e ?mail) \d+ (?:label|type)")
_PHONE_KINDS = (
    "mobile cell mobil handy movil portable gsm sms mobiel celular main mobiltelefon mobilnr",
    "primary",
    "work business jobb arbeid buero",
    "home privat hjem",
)
"""Words for kinds of numbers, the best for text messages first."""
_PHONE_KIND_RANKS = {word: rank for rank, kinds in enumerate(_PHONE_KINDS) for word in kinds.split()}
_COMPANY = re.compile(
    r"compan|firma|bedrift|business|organi[sz]ation|unternehmen|entreprise|empresa|foretag", re.IGNORECASE
)
_DATA = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s()./-]{6,}")

_GOOGLE_SYSTEM_GROUPS = frozenset({"* mycontacts", "mycontacts", "* my contacts", "* starred"})
"""Groups that Google adds to contacts by itself."""
# None of these begins with a repetition: a cell of only spaces would be searched again from each of them.
_NUMBER_SEPARATOR = re.compile(r":::|[;,\n\r|]| / |(?<=\d{5})/(?=[+\d(])| (?:or|og|eller|oder|ou|und|and) ")
_EMAIL_SEPARATOR = re.compile(r":::|[;,\s|/]")
_TAG_SEPARATOR = re.compile(r":::|[;,\n\r|]")
_SPACES = re.compile(r"[ \t\xa0]+")
_ONE_NUMBER = re.compile(r"\+?[0-9][0-9 ()-]{3,20}[0-9]")
_ONE_EMAIL = re.compile(r"[\w.+-]+@[\w.-]+")
_SCHEME = re.compile(r"^(?:tel|callto|mailto|sms):(?://)?", re.IGNORECASE)
_EXTENSION = re.compile(r";\s*(?:ext|isub|phone-context|postd)=.*$", re.IGNORECASE)
_ANGLE_BRACKETS = re.compile(r"^.*<([^<>@\s]+@[^<>\s]+)>$")
_WHOLE_FLOAT = re.compile(r"^(\d{5,})\.0+$")


class Column(NamedTuple):
    """A column that fills a field; the column at `label_position` holds the kinds of its values, such as "Mobile"."""

    position: int
    field: str
    header: str
    label_position: int | None = None


def read_table(
    file_format: Format,
    header: Cells,
    rows: Iterable[tuple[int, Cells]],
    mapping: Mapping[str, str],
    encoding: str | None = None,
    delimiter: str | None = None,
) -> ParsedFile:
    """Read numbered rows under a header. `mapping` sets the field of columns by their header.

    Raises:
        ValidationFailed: there is no header, or it cannot be understood.
    """
    headers = [cell.strip().lstrip("\ufeff") for cell in header]
    if not mapping and any(_DATA.fullmatch(cell) for cell in headers):
        raise ValidationFailed(
            "the first row looks like data, not like a header",
            advice="add a first row with column names, such as name, phone, email",
        )
    if not mapping and _export.is_export_header(headers):
        used = [(name, name) for name in headers if name not in _export.TIMES]
        exported = (_export.parse_exported_row(number, headers, cells) for number, cells in rows)
        return ParsedFile(
            file_format, _export.OWN_DIALECT, check_rows(exported), used, encoding=encoding, delimiter=delimiter
        )
    columns = map_columns(headers, mapping)
    used_positions = {column.position for column in columns} | {column.label_position for column in columns}
    return ParsedFile(
        file_format,
        _dialect(headers),
        check_rows(map(_RowReader(columns).read, rows)),
        [(column.header, column.field) for column in columns],
        [name for index, name in enumerate(headers) if index not in used_positions and name],
        encoding,
        delimiter,
    )


def _dialect(headers: Sequence[str]) -> str:
    names = {normalize_header(header) for header in headers}
    if names & {"e mail 1 value", "phone 1 value"}:
        return "Google Contacts" if "first name" in names else "Google Contacts (old)"
    if names >= {"first name", "last name", "e mail address"}:
        return "Outlook"
    return "by column name"


def normalize_header(header: str) -> str:
    """Fold a header to lower-case letters and digits, as headers are compared."""
    return " ".join(re.findall(r"[a-z0-9]+", fold(header)))


def map_columns(headers: Sequence[str], mapping: Mapping[str, str]) -> list[Column]:
    """Return the columns that fill a field, in their order.

    Raises:
        ValidationFailed: `mapping` has an unknown column or field, no column holds a name, or there are too many
            columns.
    """
    if len(headers) > MAX_COLUMNS:
        raise ValidationFailed(
            f"there are more than {MAX_COLUMNS:,} columns", advice="keep only columns with contact data, and try again"
        )
    mapped = _mapped_fields(headers, mapping)
    names = [normalize_header(header) for header in headers]
    fields = [mapped.get(index) or _field_of(name) for index, name in enumerate(names)]
    if "first_name" in fields and "last_name" not in fields:
        pairs = zip(names, fields, strict=True)
        fields = ["last_name" if name in _LAST_NAME_BESIDE_FIRST else field for name, field in pairs]
    columns = [
        Column(index, field, headers[index], _label_position(names, index))
        for index, field in enumerate(fields)
        if field and field != IGNORE
    ]
    if not {column.field for column in columns} & _NAME_FIELDS:
        raise ValidationFailed(
            f"no column holds a name; the columns are {_list_headers(headers)}",
            advice='name one with mapping, such as ["Kunde=name"]',
        )
    return columns


def _mapped_fields(headers: Sequence[str], mapping: Mapping[str, str]) -> dict[int, str]:
    indexes = {normalize_header(header): index for index, header in reversed(list(enumerate(headers)))}
    found: dict[int, str] = {}
    for header, field in mapping.items():
        if field not in (*_MAPPABLE, IGNORE):
            raise invalid_field("mapping", f"fields are {', '.join(_MAPPABLE)} and {IGNORE}, not {_one_line(field)}")
        index = indexes.get(normalize_header(header))
        if index is None:
            raise invalid_field(
                "mapping", f"there is no column {_one_line(header)}; the columns are {_list_headers(headers)}"
            )
        found[index] = field
    return found


def _field_of(name: str) -> str | None:
    if numbered := _NUMBERED_VALUE.fullmatch(name):
        return "phone_number" if numbered[1] else "email"
    return _FIELD_BY_ALIAS.get(name)


def _label_position(names: Sequence[str], index: int) -> int | None:
    """Return the column of labels before a numbered value, as Google writes them."""
    has_label = index > 0 and _NUMBERED_VALUE.fullmatch(names[index]) and _NUMBERED_LABEL.fullmatch(names[index - 1])
    return index - 1 if has_label else None


def _list_headers(headers: Sequence[str]) -> str:
    return ", ".join(_one_line(header) or "(empty)" for header in headers[:_MAX_LISTED_HEADERS])


def _one_line(name: str) -> str:
    return " ".join(sanitize(name, 40).split())


def phone_kind_rank(label: str) -> int:
    """Rank a kind of number by how well it receives text messages; mobiles are 0."""
    words = normalize_header(label).split()
    return min((_PHONE_KIND_RANKS[word] for word in words if word in _PHONE_KIND_RANKS), default=len(_PHONE_KINDS))


class _RowReader:
    """Reads rows of cells by columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns: dict[str, list[Column]] = {}
        for column in columns:
            self._columns.setdefault(column.field, []).append(column)
        self._ranks = {column.position: phone_kind_rank(column.header) for column in columns}

    def read(self, numbered: tuple[int, Cells]) -> Row:
        """Read a numbered row; one with an oversized cell only gets a problem."""
        number, cells = numbered
        if max(map(len, cells), default=0) > MAX_CELL_LENGTH:
            return Row(number, problem=f"has a cell of more than {MAX_CELL_LENGTH:,} characters")
        phones = self._ranked("phone_number", cells)
        phones.sort(key=itemgetter(0))
        return Row(
            number,
            type=self._type(cells),
            name=self._name(cells),
            company_name=self._first("company_name", cells).partition(_GOOGLE_SEPARATOR)[0].strip(),
            phones=split_phones(value for _, value in phones),
            emails=split_emails(value for _, value in self._ranked("email", cells)),
            tags=_split_tags(self._all("tags", cells)),
            notes="\n".join(value for value in self._all("notes", cells) if value.strip()),
        )

    def _all(self, field: str, cells: Cells) -> list[str]:
        columns = self._columns.get(field)
        return [cells[column.position] for column in columns if column.position < len(cells)] if columns else []

    def _first(self, field: str, cells: Cells) -> str:
        for value in self._all(field, cells):
            if value and not value.isspace():
                return value
        return ""

    def _ranked(self, field: str, cells: Cells) -> list[tuple[int, str]]:
        """Return values with the rank of their kind: by their label if there is one, else by their header."""
        found: list[tuple[int, str]] = []
        for column in self._columns.get(field, ()):
            if column.position < len(cells) and (
                value := cells[column.position].replace(_GOOGLE_SEPARATOR, "\n").strip()
            ):
                label = column.label_position
                found.append((self._ranks[column.position] if label is None else phone_kind_rank(cells[label]), value))
        return found

    def _name(self, cells: Cells) -> str:
        full = self._first("name", cells).strip()
        if full and "last_name" not in self._columns:
            return full
        first, middle, last = (self._first(field, cells).strip() for field in _NAME_PARTS)
        if full and (first or last.casefold() in full.casefold()):
            return full
        return " ".join(filter(None, (full or first, middle, last)))  # `Name` beside `Surname` is not the full name

    def _type(self, cells: Cells) -> ContactType | None:
        value = self._first("type", cells).strip()
        if not value:
            return None
        return "company" if _COMPANY.search(value) else "person"


def split_phones(cells: Iterable[str]) -> tuple[str, ...]:
    """Return every number in cells that may hold several."""
    return tuple(chain.from_iterable((cell,) if _ONE_NUMBER.fullmatch(cell) else _split_phone(cell) for cell in cells))


def _split_phone(cell: str) -> Iterator[str]:
    text = _EXTENSION.sub("", _SCHEME.sub("", _SPACES.sub(" ", cell).strip()))
    for part in _NUMBER_SEPARATOR.split(text):
        number = _SCHEME.sub("", part.strip())
        if number:
            yield _WHOLE_FLOAT.sub(r"\1", number)


def split_emails(cells: Iterable[str]) -> tuple[str, ...]:
    """Return every e-mail address in cells that may hold several."""
    return tuple(address for cell in cells for address in _split_email(cell))


def _split_email(cell: str) -> Iterator[str]:
    if _ONE_EMAIL.fullmatch(cell):
        yield cell
        return
    text = cell.strip()
    if not text:
        return
    bracketed = _ANGLE_BRACKETS.match(text)
    parts = [bracketed[1]] if bracketed else _EMAIL_SEPARATOR.split(text)
    yield from (_SCHEME.sub("", part) for part in parts if part)


def _split_tags(cells: Iterable[str]) -> tuple[str, ...]:
    parts = chain.from_iterable(_TAG_SEPARATOR.split(cell) for cell in cells)
    return tuple(
        part.removeprefix("* ").strip()
        for part in parts
        if part.strip() and part.strip().lower() not in _GOOGLE_SYSTEM_GROUPS
    )
