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
    "complete name, legal name, contact person, att, attn, name vorname, vorname name, naam voornaam, "
    "person, person name, member name, name surname, client, client name, recipient, "
    "navn, fullt navn, fulle navn, navn pa kontakt, kontakt, kontaktnavn, kontaktperson, kunde, kundenavn, "
    "visningsnavn, fulde navn, vist navn, "
    "namn, fullstandigt namn, kontaktnamn, kund, kundnamn, visningsnamn, "
    "vollstandiger name, ganzer name, kundenname, kontaktname, anzeigename, ansprechpartner, "
    "nom, nom complet, nom affiche, nom a afficher, contact nom, nombre completo, nombre para mostrar, cliente, "
    "contacto, personne de contact, interlocuteur, persona de contacto, persona di contatto, referente, pessoa de "
    "contato, "
    "pessoa de contacto, osoba kontaktowa, naam, volledige naam, weergavenaam, klant, klantnaam, contactpersoon, "
    "nome, nome completo, nome visualizzato, nominativo, contatto, contato, "
    "nome de exibicao, nome para exibicao, "
    "nimi, koko nimi, nayttonimi, asiakas, yhteyshenkilo, nazwa wyswietlana, klient",
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
    "bijnaam, soprannome, alcunha, lempinimi, pseudonim, file as",
    "company_name": "company, company name, companyname, organization, organization name, organization 1 name, "
    "organisation, organisation name, org, employer, business, business name, account, account name, associated "
    "company, primary associated company, related company, current company, company or organization, companies, "
    "billing company, default address company, zugehoriges unternehmen, entreprise associee, empresa asociada, "
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
    "schlagworte, schlagworter, stichworter, kundengruppe, kategorie, kategorien, categoria, categorias, categorie, "
    "categories, categorieen, "
    "groupe, groupes, grupo, grupos, groep, groepen, labels, gruppi, gruppo, etichetta, etichette, luokat, luokka, "
    "ryhma, ryhmat, tunnisteet, kategorie, grupy, grupa, etykiety, tagi, category id, contact tags, email lists",
    "notes": "notes, note, comment, comments, remark, remarks, memo, notat, notater, noter, merknad, merknader, "
    "kommentar, kommentarer, kommentare, bemerkung, bemerkungen, bemaerkning, bemaerkninger, notiz, notizen, "
    "anmerkung, anmerkungen, anteckning, anteckningar, anmarkning, nota, notas, comentario, comentarios, "
    "observacion, observaciones, observation, observations, remarque, remarques, commentaire, commentaires, "
    "opmerking, opmerkingen, notitie, notities, annotazioni, osservazioni, commenti, anotacoes, observacoes, "
    "muistiinpanot, huomautukset, lisatiedot, notatki, uwagi, komentarz, internal notes, "
    "description, beskrivelse, beskrivning, beschreibung, omschrijving, descripcion, descrizione, descricao, kuvaus, "
    "opis",
    "type": "type, contact type, contacttype, kontakttype, kontakttyp, record type",
    "kind": "contact number, contact no, contact nr, kontaktnummer, kontaktnr, contactnummer, numero de contacto, "
    "numero de contato, numero di contatto, numer kontaktowy",
}  # fmt: skip
"""Whole headers, folded."""

_WORDS: dict[str, str] = {
    "phone": "phone phones telephone telephones tel telefon telefono telefone telefoon telefonu telefoni puhelin tlf "
    "fon mobile mobiles mobil mobilfunk mobiltlf mobiltel cell cellphone cellular handy portable movil celular gsm "
    "mobiel mobiele cellulare telemovel matkapuhelin kannykka komorka komorkowy komorkowa rufnummer rufnr "
    "msisdn sms whatsapp landline fastnett hustelefon festnetz fijo fisso lankapuhelin stacjonarny mobiltelefon "
    "biltelefon autotelefon haupttelefon hauptrufnummer radiotelefon radiotelefono centralita komorkowego komorki kom "
    "matkapuhelimen matkapuh puh tfn mob ph fone tlm telno telnr telefoonnr telefonico whats",
    "email": "elektroniskpost email emails mail mails epost epostadresse sahkoposti sahkopostin courriel correo "
    "messagerie posta "
    "mel eposta correio emailadressen",
    "fax": "fax faks telefax telefaks telecopie telecopieur pager beeper personsoker personsokare personsoger semafoon "
    "cercapersone hakulaite telex faxe modem bbs busca buscapersonas bip bipe biper",
    "number": "ndeg number numbers no num nr nummer numero numeros numer numeru nro n",
    "address": "address addresses adresse adresses adress adres adresa direccion indirizzo endereco osoite osoitteet "
    "adrese adresser adressen direcciones indirizzi enderecos adresy",
    "electronic": "electronico electronica electronique elettronica elettronico eletronico eletronica elektroniczny "
    "elektronisk elektronische",
    "and": "y et og und och en e i ja",
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
    "tyo koti muu toinen ensisijainen sluzbowy domowy inny prywatny praca dom glowny glowna dodatkowy "
    "sekundaer sekundaert sekundar sekundara primair primaire secundair secundaire secundario secundaria primario "
    "primaria secondaria secondario secondaire premiere premier deuxieme podstawowy toissijainen billing arbeit arbets "
    "organizacion organisation societa priv societe entreprise unternehmen firmy yrityksen yritys samochodzie "
    "samochodowy kontaktowy faktura rechnung invoice "
    "facture factura persona personne pessoa yahoo",
    "link": "de del di da do du des der la le el los l d da fur for til av af pa w the of a om app",
}
"""The class of each word in headers of phone numbers and e-mail addresses. Words of the class `link` mean nothing."""

_WORD_CLASSES = {word: word_class for word_class, words in _WORDS.items() for word in words.split()}
_MEANING_BY_PHRASE: dict[str, Meaning] = {
    phrase.strip(): meaning for meaning, phrases in _PHRASES.items() for phrase in phrases.split(",")
}
_MIN_PART_LENGTH = 3
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DIGITS = re.compile(r"\d+")
_OWNER_PREFIXES = ("person ", "personne ", "persona ", "contact ", "kontakt ")  # Pipedrive: `Person - Email - Work`
_ASKED = re.compile(
    r"^(?:what is |hva er |vad ar |hvad er |wie lautet |quel est |cual es )?"
    r"(?:your|ditt|din|dine|dit|ihr|ihre|deine?|votre|tu|su|uw|je|jouw|twoj|twoje|twoja|seu|sua|il tuo|la tua) "
)
"""How a form begins its questions, such as `What is your mobile number?`."""
_GIVEN_NAME = frozenset(
    "first given fornavn for fornamn vorname vor prenom prenoms nombre nombres voornaam voor nome imie etunimi "
    "etu".split()
)
_FAMILY_NAME = frozenset(
    "last family surname etternavn efternavn efternamn nachname familienname nom apellido apellidos achternaam cognome "
    "sobrenome nazwisko sukunimi".split()
)
_NAME_LINKS = frozenset("name names navn namn s o and og und och et y en e i ja".split())
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
    header = _ASKED.sub("", header)
    if meaning := _MEANING_BY_PHRASE.get(header) or _MEANING_BY_PHRASE.get(header.replace(" ", "")):
        return meaning
    if _is_full_name({*header.split()}):
        return "name"
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


def _is_full_name(words: set[str]) -> bool:
    """Whether a header names both parts of a name, such as `For- og etternavn`."""
    given, family = words & _GIVEN_NAME, words & _FAMILY_NAME
    return bool(given and family) and words <= given | family | _NAME_LINKS


def _combine(classes: set[str]) -> Meaning | None:
    if "fax" in classes:
        return "phone_number" if classes >= {"phone", "and"} else "fax"  # `Telefon og fax` is one number for both
    if "email" in classes or classes >= {"address", "electronic"}:
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
