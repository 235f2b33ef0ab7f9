"""Which column fills which field, by its name in many languages."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from contacts_mcp.contract import FieldFault, ValidationFailed
from contacts_mcp.text import fold, sanitize

IGNORE = "ignore"
MOST_COLUMNS = 1_000
_MAPPABLE = ("name", "first_name", "last_name", "company_name", "phone_number", "email", "tags", "notes", "type")
_NAMING = {"name", "first_name", "last_name", "company_name"}
_SHOWN = 30

_NAMES: dict[str, str] = {
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
_FIELD_OF = {alias.strip(): name for name, aliases in _NAMES.items() for alias in aliases.split(",")}
_LAST_IF_FIRST = frozenset({"name", "nom", "naam", "nome", "apellidos"})
"""What stands over the last name where there is a column for the first one."""
_NUMBERED = re.compile(r"(?:(phone)|e ?mail) \d+ value")
_LABEL = re.compile(r"(?:phone|e ?mail) \d+ (?:label|type)")
_KINDS = (
    frozenset(
        [
            "mobile",
            "cell",
            "mobil",
            "handy",
            "movil",
            "portable",
            "gsm",
            "sms",
            "mobiel",
            "celular",
            "main",
            "mobiltelefon",
            "mobilnr",
        ]
    ),
    frozenset(["primary"]),
    frozenset(["work", "business", "jobb", "arbeid", "buero"]),
    frozenset(["home", "privat", "hjem"]),
)
"""Words for kinds of numbers, those that a message reaches first."""


class Column(NamedTuple):
    """A column that fills a field. `label` is the place of the column that says of what kind its values are."""

    place: int
    field: str
    header: str
    label: int | None = None


def plain(header: str) -> str:
    """A header as it is compared: folded, letters and digits alone."""
    return " ".join(re.findall(r"[a-z0-9]+", fold(header)))


def map_columns(headers: Sequence[str], wanted: Mapping[str, str]) -> list[Column]:
    """The columns that fill a field, in their order; `wanted` says so of some by hand.

    Raises:
        ValidationFailed: `wanted` names what there is not, no column holds a name, or there are too many columns.
    """
    if len(headers) > MOST_COLUMNS:
        raise ValidationFailed(
            f"there are more than {MOST_COLUMNS:,} columns", advice="leave those of contacts, and import again"
        )
    by_hand = _by_hand(headers, wanted)
    names = [plain(header) for header in headers]
    fields = [by_hand.get(place) or _field_of(name) for place, name in enumerate(names)]
    if "first_name" in fields and "last_name" not in fields:
        fields = ["last_name" if name in _LAST_IF_FIRST else field for name, field in zip(names, fields, strict=True)]
    columns = [
        Column(place, field, headers[place], _label_of(names, place))
        for place, field in enumerate(fields)
        if field and field != IGNORE
    ]
    if not {column.field for column in columns} & _NAMING:
        raise ValidationFailed(
            f"no column holds a name; the columns are {_shown(headers)}",
            advice='say which by mapping, such as ["Kunde=name"]',
        )
    return columns


def kind_rank(label: str) -> int:
    """How early a number of this kind is tried: mobiles first."""
    words = set(plain(label).split())
    return next((rank for rank, kinds in enumerate(_KINDS) if words & kinds), len(_KINDS))


def _field_of(name: str) -> str | None:
    if numbered := _NUMBERED.fullmatch(name):
        return "phone_number" if numbered[1] else "email"
    return _FIELD_OF.get(name)


def _label_of(names: Sequence[str], place: int) -> int | None:
    """The column of labels that stands before a numbered value, as Google writes them."""
    is_labelled = place > 0 and _NUMBERED.fullmatch(names[place]) and _LABEL.fullmatch(names[place - 1])
    return place - 1 if is_labelled else None


def _by_hand(headers: Sequence[str], wanted: Mapping[str, str]) -> dict[int, str]:
    places = {plain(header): place for place, header in reversed(list(enumerate(headers)))}
    found: dict[int, str] = {}
    for header, field in wanted.items():
        if field not in (*_MAPPABLE, IGNORE):
            raise _refused(f"fields are {', '.join(_MAPPABLE)} and {IGNORE}, not {_line(field)}")
        if plain(header) not in places:
            raise _refused(f"there is no column {_line(header)}; the columns are {_shown(headers)}")
        found[places[plain(header)]] = field
    return found


def _shown(headers: Sequence[str]) -> str:
    return ", ".join(_line(header) or "(empty)" for header in headers[:_SHOWN])


def _line(name: str) -> str:
    return " ".join(sanitize(name, 40).split())


def _refused(reason: str) -> ValidationFailed:
    fault = FieldFault("mapping", reason)
    return ValidationFailed(str(fault), faults=(fault,))
