"""Find the field that a column header means, by its words, in many languages and the exports of many programs.

A header is understood only if all of its words are: `Mobile number (work)` is a number, `Mobile carrier` is not. Words
are folded (`Tél.` is `tel`), and compounds of known words are split (`Emailadresse`, `arbejdstelefon`).
"""

import re
from functools import cache, lru_cache
from typing import Literal

from contacts_mcp.text import fold

Meaning = Literal[
    "name", "first_name", "middle_name", "last_name", "nickname", "company_name", "phone_number", "email", "tags",
    "notes", "type", "fax", "kind",
]  # fmt: skip
"""What a header means: a field; `fax`, which is not imported; or `kind`, such as `Work`, which may be any field."""

_MAX_HEADER_LENGTH, _MAX_WORDS = 100, 10

_PHRASES: dict[Meaning, str] = {
    "name": "name, full name, fullname, display name, displayname, contact name, customer name, customer, contact, "
    "file as, person, person name, member name, name surname, client, client name, recipient, "
    "navn, fullt navn, kontakt, kontaktnavn, kontaktperson, kunde, kundenavn, visningsnavn, fulde navn, vist navn, "
    "namn, fullstandigt namn, kontaktnamn, kund, kundnamn, visningsnamn, "
    "vollstandiger name, ganzer name, kundenname, kontaktname, anzeigename, ansprechpartner, "
    "nom, nom complet, nom et prenom, nom prenom, prenom nom, prenom et nom, nom affiche, contact nom, "
    "nombre completo, nombre y apellidos, nombre y apellido, apellidos y nombre, nombre para mostrar, cliente, "
    "contacto, naam, volledige naam, weergavenaam, klant, klantnaam, contactpersoon, "
    "nome, nome completo, nome e cognome, cognome e nome, nome visualizzato, nominativo, contatto, contato, "
    "nome de exibicao, nome para exibicao, nome e sobrenome, "
    "nimi, koko nimi, nayttonimi, asiakas, yhteyshenkilo, imie i nazwisko, nazwisko i imie, nazwa wyswietlana, klient",
    "first_name": "first name, firstname, first, given name, givenname, forename, fname, fornavn, fornamn, vorname, "
    "prenom, nombre, nombre de pila, primer nombre, voornaam, roepnaam, primeiro nome, nome proprio, etunimi, imie, "
    "contact first name, person first name",
    "middle_name": "middle name, middlename, middle, additional name, additional names, mellomnavn, mellemnavn, "
    "mellannamn, andra fornamn, weitere vornamen, zweiter vorname, deuxieme prenom, second prenom, segundo nombre, "
    "tweede voornaam, middelste naam, tussenvoegsel, secondo nome, segundo nome, nome do meio, toinen nimi, "
    "drugie imie, second name",
    "last_name": "last name, lastname, last, family name, familyname, surname, lname, etternavn, efternavn, efternamn, "
    "nachname, familienname, zuname, nom de famille, apellido, apellidos, primer apellido, achternaam, familienaam, "
    "cognome, sobrenome, apelido, ultimo nome, sukunimi, nazwisko, slektsnavn, contact last name, person last name",
    "nickname": "nickname, nick name, nick, kallenavn, kaldenavn, oknavn, smeknamn, spitzname, surnom, alias, apodo, "
    "bijnaam, soprannome, alcunha, lempinimi, pseudonim",
    "company_name": "company, company name, companyname, organization, organization name, organization 1 name, "
    "organisation, organisation name, org, employer, business, business name, account, account name, associated "
    "company, primary associated company, related company, current company, company or organization, "
    "person organization, firma, firmanavn, firmanamn, firmenname, firma name, name der firma, bedrift, bedriftsnavn, "
    "selskap, selskapsnavn, virksomhed, virksomhedsnavn, arbeidsgiver, arbejdsgiver, arbetsgivare, foretag, "
    "foretagsnamn, organisasjon, organisasjonsnavn, unternehmen, unternehmensname, arbeitgeber, entreprise, societe, "
    "nom de la societe, nom de l entreprise, raison sociale, employeur, empresa, nombre de la empresa, compania, "
    "organizacion, razon social, bedrijf, bedrijfsnaam, organisatie, werkgever, azienda, nome azienda, societa, "
    "ragione sociale, organizzazione, ditta, nome da empresa, organizacao, companhia, yritys, yrityksen nimi, "
    "tyonantaja, organisaatio, nazwa firmy, przedsiebiorstwo, organizacja, pracodawca",
    "tags": "tags, tag, labels, label, person label, groups, group, group membership, category, categories, segment, "
    "segments, list, lists, kategori, kategorier, gruppe, grupper, gruppen, grupp, etikett, etiketter, etiketten, "
    "merker, merkelapp, merkelapper, emneord, stikkord, taggar, etiquetas, etiqueta, etiquettes, etiquette, "
    "schlagworte, schlagworter, kategorie, kategorien, categoria, categorias, categorie, categories, categorieen, "
    "groupe, groupes, grupo, grupos, groep, groepen, labels, gruppi, gruppo, etichetta, etichette, luokat, luokka, "
    "ryhma, ryhmat, tunnisteet, kategorie, grupy, grupa, etykiety, tagi, category id, contact tags",
    "notes": "notes, note, comment, comments, remark, remarks, memo, notat, notater, noter, merknad, merknader, "
    "kommentar, kommentarer, kommentare, bemerkung, bemerkungen, bemaerkning, bemaerkninger, notiz, notizen, "
    "anmerkung, anmerkungen, anteckning, anteckningar, anmarkning, nota, notas, comentario, comentarios, "
    "observacion, observaciones, observation, observations, remarque, remarques, commentaire, commentaires, "
    "opmerking, opmerkingen, notitie, notities, annotazioni, osservazioni, commenti, anotacoes, observacoes, "
    "muistiinpanot, huomautukset, lisatiedot, notatki, uwagi, komentarz, internal notes",
    "type": "type, contact type, contacttype, kontakttype, kontakttyp, record type",
}  # fmt: skip
"""Whole headers, folded."""

_WORDS: dict[str, str] = {
    "phone": "phone phones telephone telephones tel telefon telefono telefone telefoon telefonu telefoni puhelin tlf "
    "fon mobile mobiles mobil mobilfunk mobiltlf mobiltel cell cellphone cellular handy portable movil celular gsm "
    "mobiel mobiele cellulare telemovel matkapuhelin kannykka komorka komorkowy komorkowa rufnummer rufnr "
    "msisdn sms whatsapp landline fastnett hustelefon festnetz fijo fisso lankapuhelin stacjonarny mobiltelefon "
    "biltelefon autotelefon haupttelefon hauptrufnummer radiotelefon centralita",
    "email": "email emails mail mails epost epostadresse sahkoposti sahkopostin courriel correo messagerie posta "
    "mel eposta",
    "fax": "fax faks telefax telefaks telecopie telecopieur pager beeper personsoker personsokare personsoger semafoon "
    "cercapersone hakulaite telex faxe modem bbs busca buscapersonas bip bipe biper",
    "number": "number numbers no num nr nummer numero numeros numer numeru nro n",
    "address": "address addresses adresse adresses adress adres adresa direccion indirizzo endereco osoite osoitteet "
    "adrese",
    "kind": "value values primary secondary main other others additional alternative alternate preferred default first "
    "second third person contact customer work business office home house private privat personal car company "
    "organization direct direkte switchboard radio kontakt kontakts kunde kunden kunder kund klant cliente client "
    "arbeid jobb jobbs privat hjem hjemme annen andre annet primaer primaert hoved firma sentralbord bil "
    "arbejde arbejds privat anden andet hjemme arbete hem annan primar huvud foretagets foretag "
    "geschaftlich dienstlich geschaft buro buero dienst weitere weiteres weiterer haupt primare sekundare primares "
    "privee bureau domicile voiture principal principale autre autres personnel personnelle professionnel "
    "professionnelle pro fixe travail trabajo casa oficina particular otro otra personal principal empresa automovil "
    "laboral werk op thuis zakelijk prive andere ander hoofd bedrijf auto ufficio uff abitazione ab lavoro casa altro "
    "altri principale personale aziendale comercial residencial trabalho outro outra pessoal escritorio carro "
    "tyo koti muu toinen ensisijainen sluzbowy domowy inny prywatny praca dom glowny glowna dodatkowy",
    "link": "de del di da do du des der la le el los l d da fur for til av af pa i e the of a y et og und och en om "
    "electronico electronica electronique elettronica eletronico electronica elektroniczny correio",
}
"""The class of each word in headers of phone numbers and e-mail addresses. Words of the class `link` mean nothing."""

_WORD_CLASSES = {word: word_class for word_class, words in _WORDS.items() for word in words.split()}
_MEANING_BY_PHRASE: dict[str, Meaning] = {
    phrase.strip(): meaning for meaning, phrases in _PHRASES.items() for phrase in phrases.split(",")
}
_MIN_PART_LENGTH = 3
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DIGITS = re.compile(r"\d+")
_OWNER_PREFIXES = ("person ", "contact ", "kontakt ")  # Pipedrive writes `Person - Email - Work`
_E_MAIL = re.compile(r"\be (?=mail|post)")

NUMBERED_VALUE = re.compile(r"(?:phone|e ?mail) \d+ value")
NUMBERED_LABEL = re.compile(r"(?:phone|e ?mail) \d+ (?:label|type)")


def normalize_header(header: str) -> str:
    """Fold a header to lower-case words of letters and digits, for comparison."""
    words = re.findall(r"[a-z]+|\d+", fold(_CAMEL_CASE.sub(" ", header[:_MAX_HEADER_LENGTH])))
    return " ".join(words)


@lru_cache(maxsize=1024)
def meaning_of(header: str) -> Meaning | None:
    """Return what a normalized header means; None if it has an unknown word, or means two things."""
    if meaning := _MEANING_BY_PHRASE.get(header) or _MEANING_BY_PHRASE.get(header.replace(" ", "")):
        return meaning
    without_owner = next((header.removeprefix(each) for each in _OWNER_PREFIXES if header.startswith(each)), "")
    if meaning := _MEANING_BY_PHRASE.get(without_owner):
        return meaning
    words = _E_MAIL.sub("e", header).split()
    if not words or len(words) > _MAX_WORDS:
        return None
    classes: set[str] = set()
    for word in words:
        found = {"digits"} if word.isdecimal() else _classes_of(word)
        if not found:
            return None
        classes |= found
    return _combine(classes)


@lru_cache(maxsize=1024)
def is_fax(label: str) -> bool:
    """Whether a label means a fax machine, modem or pager, which receive no text messages."""
    return any("fax" in _classes_of(word) for word in normalize_header(label).split())


def _combine(classes: set[str]) -> Meaning | None:
    if "fax" in classes:
        return "fax"
    if "email" in classes:
        return None if classes & {"phone"} else "email"
    if "phone" in classes:
        return None if "address" in classes else "phone_number"
    return "kind" if "kind" in classes and not classes & {"address", "number"} else None  # not `Customer number`


@lru_cache(maxsize=1024)
def _classes_of(word: str) -> frozenset[str]:
    """Return the classes of a word, or of the words that it is a compound of."""
    if found := _WORD_CLASSES.get(word):
        return frozenset({found})
    if _compounds().fullmatch(word) is None:
        return frozenset()
    return frozenset(_WORD_CLASSES[part] for part in _parts().findall(word) if part in _WORD_CLASSES)


@cache
def _compounds() -> re.Pattern[str]:
    return re.compile(rf"(?:(?>{_alternatives()})s?+)++")  # atomic: a word is never split in many ways


@cache
def _parts() -> re.Pattern[str]:
    return re.compile(_alternatives())


def _alternatives() -> str:
    words = (word for word in _WORD_CLASSES if (len(word) >= _MIN_PART_LENGTH or word == "nr") and "posta" not in word)
    return "|".join(sorted(words, key=len, reverse=True))
