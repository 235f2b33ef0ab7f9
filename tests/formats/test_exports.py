"""The headers of many programs' exports, in their languages: each column fills its field, or none."""

import csv
import io

import pytest

from contacts_mcp.formats import read_contacts

FIELDS = {
    "n": "name", "f": "first_name", "m": "middle_name", "l": "last_name", "k": "nickname", "c": "company_name",
    "p": "phone_number", "e": "email", "t": "tags", "o": "notes",
}  # fmt: skip
"""The letter after each header that is used."""

EXPORTS = {
    "Outlook en": (
        "First Name=f|Middle Name=m|Last Name=l|Title|Suffix|Initials|Web Page|Gender|Birthday|Anniversary|Location|"
        "Language|Internet Free Busy|Notes=o|E-mail Address=e|E-mail 2 Address=e|E-mail 3 Address=e|Primary Phone=p|"
        "Home Phone=p|Home Phone 2=p|Mobile Phone=p|Pager|Home Fax|Home Address|Home Street|Home City|Home State|"
        "Home Postal Code|Home Country|Spouse|Children|Manager's Name|Assistant's Name|Referred By|"
        "Company Main Phone=p|Business Phone=p|Business Phone 2=p|Business Fax|Assistant's Phone|Company=c|Job Title|"
        "Department|Office Location|Organizational ID Number|Profession|Account=c|Business Address|Business Street|"
        "Other Phone=p|Other Fax|Other Address|Callback|Car Phone=p|ISDN|Radio Phone=p|TTY/TDD Phone|Telex|User 1|"
        "Keywords|Mileage|Hobby|Billing Information|Directory Server|Sensitivity|Priority|Private|Categories=t"
    ),
    "Outlook de": (
        "Anrede|Vorname=f|Weitere Vornamen=m|Nachname=l|Suffix|Firma=c|Abteilung|Position|Straße geschäftlich|"
        "Ort geschäftlich|Postleitzahl geschäftlich|Land/Region geschäftlich|Straße privat|Ort privat|Weitere Straße|"
        "Telefon Assistent|Fax geschäftlich|Telefon geschäftlich=p|Telefon geschäftlich 2=p|Rückmeldung|"
        "Autotelefon=p|Telefon Firma=p|Fax privat|Telefon (privat)=p|Telefon (privat 2)=p|ISDN|Mobiltelefon=p|"
        "Weiteres Fax|Weiteres Telefon=p|Pager|Haupttelefon=p|Mobiltelefon 2=p|Telefon für Hörbehinderte|Telex|"
        "Abrechnungsinformation|Assistent(in)|Benutzer 1|Beruf|Büro|E-Mail-Adresse=e|E-Mail-Typ|"
        "E-Mail: Angezeigter Name|E-Mail 2: Adresse=e|E-Mail 2: Typ|E-Mail 2: Angezeigter Name|Empfohlen von|"
        "Geburtstag|Hobby|Initialen|Internet Frei/Gebucht|Jahrestag|Kategorien=t|Kinder|Konto|"
        "Name des/der Vorgesetzten|Notizen=o|Organisations-Nr.|Ort|Partner|Priorität|Privat|Stichwörter=t|Webseite"
    ),
    "Outlook no": (
        "Tittel|Fornavn=f|Mellomnavn=m|Etternavn=l|Suffiks|Firma=c|Avdeling|Stilling|Gateadresse, arbeid|"
        "Sted, arbeid|Postnummer, arbeid|Land/region, arbeid|Faks, arbeid|Telefon, arbeid=p|Telefon 2, arbeid=p|"
        "Tilbakeringing|Biltelefon=p|Firmatelefon=p|Hovedtelefon, firma=p|Telefaks, privat|Telefon, privat=p|ISDN|"
        "Mobiltelefon=p|Annen telefaks|Annen telefon=p|Personsøker|Primær telefon=p|Radiotelefon=p|"
        "Assistents telefon|Assistentens telefon|Lederens navn|Brukerfelt 1|E-postadresse=e|E-posttype|"
        "Visningsnavn for e-post|E-postadresse 2=e|E-post 2: adresse=e|Kategorier=t|Notater=o|Språk|Webside|Privat"
    ),
    "Outlook fr": (
        "Titre|Prénom=f|Deuxième prénom=m|Nom=l|Suffixe|Société=c|Service|Rue (bureau)|Ville (bureau)|"
        "Code postal (bureau)|Pays/Région (bureau)|Télécopie (bureau)|Téléphone (bureau)=p|Téléphone 2 (bureau)=p|"
        "Rappel|Téléphone (voiture)=p|Téléphone société=p|Télécopie (domicile)|Téléphone (domicile)=p|RNIS|"
        "Tél. mobile=p|Télécopie (autre)|Téléphone (autre)=p|Récepteur de radiomessagerie|Téléphone principal=p|"
        "Radio téléphone=p|Télex|Adresse de messagerie=e|Type de messagerie|Nom complet de l'adresse de messagerie|"
        "Adresse de messagerie 2=e|Anniversaire|Catégories=t|Notes=o|Responsable|Nom de l'assistant(e)|"
        "Téléphone de l'assistant(e)|Privé|Langue|Page Web|Titre1"
    ),
    "Outlook es": (
        "Título|Nombre=f|Segundo nombre=m|Apellidos=l|Sufijo|Organización=c|Departamento|Puesto|Calle del trabajo|"
        "Ciudad de trabajo|Código postal del trabajo|Fax del trabajo|Teléfono del trabajo=p|Teléfono del trabajo 2=p|"
        "Devolución de llamada|Teléfono del automóvil=p|Número de centralita de la organización=p|Fax particular|"
        "Teléfono particular=p|Número de teléfono particular 2=p|RDSI|Teléfono móvil=p|Móvil=p|Otro fax|"
        "Otro teléfono=p|Localizador|Teléfono principal=p|Radioteléfono=p|Dirección de correo electrónico=e|"
        "Tipo de correo electrónico|Nombre de pantalla del correo electrónico|Dirección del correo electrónico 2=e|"
        "Notas=o|Categorías=t|Teléfono del ayudante|Nombre del ayudante|Nombre del director|Página Web"
    ),
    "Outlook sv": (
        "Titel|Förnamn=f|Mellannamn=m|Efternamn=l|Suffix|Företag=c|Avdelning|Befattning|Arbete, gatuadress|"
        "Arbete, postnummer|Fax, arbete|Arbete, fax|Telefon, arbete=p|Telefon, arbete 2=p|Återuppringning|"
        "Biltelefon=p|Huvudtelefon, företag=p|Fax, hem|Telefon, hem=p|Telefon, hem 2=p|Mobiltelefon=p|Annan fax|"
        "Annan telefon=p|Personsökare|Primär telefon=p|Radiotelefon=p|E-postadress=e|E-posttyp|E-postvisningsnamn|"
        "E-postadress 2=e|E-post 2, adress=e|Kategorier=t|Anteckningar=o|Assistentens telefon|Assistentens namn|"
        "Chefens namn"
    ),
    "Outlook da": (
        "Titel|Fornavn=f|Mellemnavn=m|Efternavn=l|Suffiks|Firma=c|Afdeling|Stilling|Gade (arbejde)|"
        "Postnummer (arbejde)|Fax (arbejde)|Telefon (arbejde)=p|Telefon 2 (arbejde)=p|Biltelefon=p|Firmatelefon=p|"
        "Fax (privat)|Telefon (privat)=p|Mobiltelefon=p|Andet faxnummer|Anden telefon=p|Personsøger|Primær telefon=p|"
        "E-mail-adresse=e|E-mail-type|Vist navn for e-mail|E-mail-adresse 2=e|Kategorier=t|Noter=o|"
        "Assistents telefon|Hovedtelefonnummer=p|Arbejdstelefon=p|Hjemmetelefon=p|Bemærkninger=o"
    ),
    "Outlook nl": (
        "Titel|Voornaam=f|Tweede voornaam=m|Achternaam=l|Achtervoegsel|Bedrijf=c|Afdeling|Functie|Werkadres, straat|"
        "Werkadres, postcode|Fax op werk|Telefoon op werk=p|Telefoon op werk 2=p|Terugbellen|Autotelefoon=p|"
        "Hoofdtelefoon bedrijf=p|Fax thuis|Telefoon thuis=p|Telefoon thuis 2=p|Mobiele telefoon=p|Andere fax|"
        "Andere telefoon=p|Semafoon|Hoofdtelefoon=p|Radiotelefoon=p|E-mailadres=e|E-mailtype|E-mail, weergegeven als|"
        "Weergavenaam voor e-mail|E-mailadres 2=e|E-mail 2: adres=e|Categorieën=t|Notities=o|Telefoon assistent|"
        "Naam assistent|Naam manager"
    ),
    "Outlook it": (
        "Titolo|Nome=n|Secondo nome=m|Cognome=l|Titolo straniero|Società=c|Reparto|Posizione|Via (uff.)|Città (uff.)|"
        "CAP (uff.)|Fax (uff.)|Tel. (uff.)=p|Ufficio 2|Richiamata|Telefono principale società=p|Fax (ab.)|"
        "Tel. (ab.)=p|Cellulare=p|Altro fax|Altro telefono=p|Cercapersone|Telefono principale=p|Radiotelefono=p|"
        "Telefono auto=p|Indirizzo posta elettronica=e|Tipo posta elettronica|Nome visualizzato posta elettronica|"
        "Indirizzo posta elettronica 2=e|Categorie=t|Note=o|Telefono assistente|Nome assistente"
    ),
    "Outlook pt": (
        "Título|Nome=n|Segundo nome=m|Sobrenome=l|Sufixo|Empresa=c|Departamento|Cargo|Rua do endereço comercial|"
        "Fax comercial|Telefone comercial=p|Telefone comercial 2=p|Retorno de chamada|Telefone do carro=p|"
        "Telefone principal da empresa=p|Fax residencial|Telefone residencial=p|Telefone celular=p|Outro fax|"
        "Outro telefone=p|Pager|Telefone principal=p|Rádio telefone=p|Endereço de email=e|Tipo de email|"
        "Nome para exibição do email|Endereço de email 2=e|Endereço de correio eletrónico=e|Telemóvel=p|Categorias=t|"
        "Anotações=o|Observações=o|Telefone do assistente"
    ),
    "Outlook fi": (
        "Titteli|Etunimi=f|Toinen nimi=m|Sukunimi=l|Jälkiliite|Yritys=c|Osasto|Tehtävänimike|Katuosoite (työ)|"
        "Postinumero (työ)|Faksi (työ)|Puhelin (työ)=p|Puhelin 2 (työ)=p|Autopuhelin=p|Yrityksen puhelin=p|"
        "Faksi (koti)|Puhelin (koti)=p|Kotipuhelin=p|Työpuhelin=p|Matkapuhelin=p|Muu faksi|Muu puhelin=p|Hakulaite|"
        "Ensisijainen puhelin=p|Radiopuhelin=p|Sähköpostiosoite=e|Sähköpostin laji|Sähköpostin näyttönimi|"
        "Sähköpostiosoite 2=e|2. sähköpostiosoite=e|Luokat=t|Muistiinpanot=o|Avustajan puhelin"
    ),
    "Outlook pl": (
        "Tytuł|Imię=f|Drugie imię=m|Nazwisko=l|Sufiks|Firma=c|Dział|Stanowisko|Adres służbowy - ulica|Faks służbowy|"
        "Telefon służbowy=p|Telefon służbowy 2=p|Telefon w samochodzie=p|Telefon samochodowy=p|"
        "Główny telefon do firmy=p|Główny numer telefonu firmy=p|Faks domowy|Telefon domowy=p|Telefon domowy 2=p|"
        "Telefon komórkowy=p|Inny faks|Inny telefon=p|Pager|Telefon podstawowy=p|Radiotelefon=p|Adres e-mail=e|"
        "Typ adresu e-mail|Nazwa wyświetlana adresu e-mail|Adres e-mail 2=e|Kategorie=t|Notatki=o|Telefon asystenta|"
        "Numer komórki=p|Nr tel.=p|Tel. kom.=p"
    ),
    "Thunderbird en": (
        "First Name=f|Last Name=l|Display Name=n|Nickname=k|Primary Email=e|Secondary Email=e|Screen Name|"
        "Work Phone=p|Home Phone=p|Fax Number|Pager Number|Mobile Number=p|Home Address|Home City|Home ZipCode|"
        "Work Address|Job Title|Department|Organization=c|Web Page 1|Birth Year|Custom 1|Notes=o"
    ),
    "Thunderbird de": (
        "Vorname=f|Nachname=l|Anzeigename=n|Spitzname=k|Primäre E-Mail-Adresse=e|Sekundäre E-Mail-Adresse=e|"
        "Messenger-Name|Tel. dienstlich=p|Tel. privat=p|Fax-Nummer|Pager-Nummer|Mobil-Tel.-Nr.=p|Privat: Adresse|"
        "Privat: Ort|Privat: PLZ|Dienstlich: Adresse|Arbeitstitel|Abteilung|Organisation=c|Webseite 1|Benutzerdef. 1|"
        "Notizen=o"
    ),
    "Thunderbird fr": (
        "Prénom=f|Nom de famille=l|Nom à afficher=n|Surnom=k|Première adresse électronique=e|"
        "Adresse électronique secondaire=e|Pseudonyme|Tél. professionnel=p|Tél. personnel=p|Fax|Pager|Portable=p|"
        "Adresse privée|Profession|Service|Société=c|Notes=o"
    ),
    "Thunderbird no": (
        "Fornavn=f|Etternavn=l|Visningsnavn=n|Kallenavn=k|Primær e-postadresse=e|Sekundær e-postadresse=e|Skjermnavn|"
        "Arbeidstelefon=p|Hjemmetelefon=p|Faksnummer|Personsøkernummer|Mobilnummer=p|Hjemmeadresse|Stilling|Avdeling|"
        "Organisasjon=c|Merknader=o"
    ),
    "Thunderbird sv": (
        "Förnamn=f|Efternamn=l|Visningsnamn=n|Smeknamn=k|Primär e-post=e|Sekundär e-post=e|Skärmnamn|Arbetstelefon=p|"
        "Hemtelefon=p|Faxnummer|Personsökarnummer|Mobilnummer=p|Hemadress|Organisation=c|Anteckningar=o"
    ),
    "Thunderbird nl": (
        "Voornaam=f|Achternaam=l|Weergavenaam=n|Bijnaam=k|Primair e-mailadres=e|Secundair e-mailadres=e|Schermnaam|"
        "Telefoon werk=p|Telefoon thuis=p|Faxnummer|Pagernummer|Mobiel nummer=p|Mobiel telefoonnummer=p|Thuisadres|"
        "Organisatie=c|Opmerkingen=o"
    ),
    "Thunderbird es": (
        "Nombre=f|Apellidos=l|Nombre para mostrar=n|Apodo=k|Correo electrónico principal=e|"
        "Correo electrónico secundario=e|Dirección de correo primaria=e|Nombre en pantalla|Teléfono del trabajo=p|"
        "Teléfono de casa=p|Número de fax|Buscapersonas|Número de móvil=p|Organización=c|Notas=o"
    ),
    "Thunderbird it": (
        "Nome=n|Cognome=l|Nome visualizzato=n|Soprannome=k|Email primaria=e|Email secondaria=e|Nome schermo|"
        "Telefono (lavoro)=p|Telefono (casa)=p|Numero fax|Numero cercapersone|Numero cellulare=p|Organizzazione=c|"
        "Note=o"
    ),
    "Thunderbird pl": (
        "Imię=f|Nazwisko=l|Nazwa wyświetlana=n|Pseudonim=k|Podstawowy adres e-mail=e|Dodatkowy adres e-mail=e|"
        "Telefon (praca)=p|Telefon (dom)=p|Numer faksu|Numer pagera|Numer telefonu komórkowego=p|Organizacja=c|"
        "Notatki=o"
    ),
    "Thunderbird fi": (
        "Etunimi=f|Sukunimi=l|Näyttönimi=n|Lempinimi=k|Ensisijainen sähköposti=e|Toissijainen sähköposti=e|"
        "Työpuhelin=p|Kotipuhelin=p|Faksinumero|Hakulaitteen numero|Matkapuhelinnumero=p|Matkapuhelimen numero=p|"
        "Organisaatio=c|Huomautukset=o"
    ),
    "Thunderbird pt": (
        "Nome=n|Sobrenome=l|Nome de exibição=n|Apelido=l|E-mail principal=e|E-mail secundário=e|Telefone comercial=p|"
        "Telefone residencial=p|Número de fax|Número de pager|Número de celular=p|Número de telemóvel=p|"
        "Organização=c|Notas=o"
    ),
    "Thunderbird da": (
        "Fornavn=f|Efternavn=l|Vist navn=n|Kaldenavn=k|Primær e-mail=e|Sekundær e-mail=e|Arbejdstelefon=p|"
        "Hjemmetelefon=p|Faxnummer|Personsøgernummer|Mobilnummer=p|Organisation=c|Noter=o"
    ),
    "Google new": (
        "First Name=f|Middle Name=m|Last Name=l|Phonetic First Name|Phonetic Middle Name|Phonetic Last Name|"
        "Name Prefix|Name Suffix|Nickname=k|File As=k|Organization Name=c|Organization Title|Organization Department|"
        "Birthday|Notes=o|Photo|Labels=t|E-mail 1 - Label|E-mail 1 - Value=e|E-mail 2 - Label|E-mail 2 - Value=e|"
        "Phone 1 - Label|Phone 1 - Value=p|Phone 2 - Label|Phone 2 - Value=p|Address 1 - Label|Address 1 - Formatted|"
        "Address 1 - Street|Relation 1 - Label|Relation 1 - Value|Website 1 - Label|Website 1 - Value|"
        "Event 1 - Label|Custom Field 1 - Label|Custom Field 1 - Value"
    ),
    "Google old": (
        "Name=n|Given Name=f|Additional Name=m|Family Name=l|Yomi Name|Given Name Yomi|Name Prefix|Name Suffix|"
        "Initials|Nickname=k|Short Name|Maiden Name|Birthday|Gender|Location|Billing Information|Directory Server|"
        "Mileage|Occupation|Hobby|Sensitivity|Priority|Subject|Notes=o|Language|Photo|Group Membership=t|"
        "E-mail 1 - Type|E-mail 1 - Value=e|IM 1 - Type|IM 1 - Service|IM 1 - Value|Phone 1 - Type|Phone 1 - Value=p|"
        "Address 1 - Type|Address 1 - Formatted|Organization 1 - Type|Organization 1 - Name=c|"
        "Organization 1 - Yomi Name|Organization 1 - Title|Website 1 - Type|Website 1 - Value|Custom Field 1 - Type|"
        "Custom Field 1 - Value"
    ),
    "HubSpot en": (
        "Record ID|First Name=f|Last Name=l|Email=e|Phone Number=p|Mobile Phone Number=p|Contact owner|Lead Status|"
        "Marketing contact status|Create Date|Last Activity Date|Associated Company=c|Associated Company IDs|"
        "Primary Associated Company ID|Company Name=c|WhatsApp Phone Number=p|Email Domain|Work email=e|"
        "Additional email addresses=e"
    ),
    "HubSpot de": (
        "Datensatz-ID|Vorname=f|Nachname=l|E-Mail=e|Telefonnummer=p|Mobiltelefonnummer=p|Zuständiger Mitarbeiter|"
        "Lead-Status|Erstelldatum|Zugehöriges Unternehmen=c|Unternehmensname=c"
    ),
    "HubSpot es": (
        "ID de registro|Nombre=f|Apellidos=l|Correo=e|Correo electrónico=e|Número de teléfono=p|"
        "Número de teléfono móvil=p|Propietario del contacto|Estado del lead|Fecha de creación|Empresa asociada=c|"
        "Nombre de la empresa=c"
    ),
    "HubSpot fr": (
        "ID de fiche d'informations|Prénom=f|Nom=l|E-mail=e|Numéro de téléphone=p|Numéro de téléphone mobile=p|"
        "Propriétaire du contact|Statut du lead|Date de création|Entreprise associée=c|Nom de l'entreprise=c"
    ),
    "Salesforce data": (
        "Id|IsDeleted|MasterRecordId|AccountId|LastName=l|FirstName=f|Salutation|Name=n|OtherStreet|MailingStreet|"
        "MailingCity|Phone=p|Fax|MobilePhone=p|HomePhone=p|OtherPhone=p|AssistantPhone|ReportsToId|Email=e|Title|"
        "Department|AssistantName|LeadSource|Birthdate|Description=o|OwnerId|HasOptedOutOfEmail|DoNotCall|"
        "EmailBouncedReason|EmailBouncedDate|IsEmailBounced|PhotoUrl|Account.Name=c"
    ),
    "Mailchimp en": (
        "Email Address=e|First Name=f|Last Name=l|Address|Phone Number=p|Birthday|MEMBER_RATING|OPTIN_TIME|OPTIN_IP|"
        "CONFIRM_TIME|CONFIRM_IP|LATITUDE|LONGITUDE|GMTOFF|DSTOFF|TIMEZONE|CC|REGION|LAST_CHANGED|LEID|EUID|NOTES=o|"
        "TAGS=t|SMS Phone Number=p"
    ),
    "Mailchimp fr": ("Adresse e-mail=e|Prénom=f|Nom=l|Adresse|Numéro de téléphone=p|Anniversaire|MEMBER_RATING|TAGS=t"),
    "Mailchimp pt": (
        "Endereço de e-mail=e|Primeiro nome=f|Sobrenome=l|Endereço|Número de telefone=p|Aniversário|TAGS=t"
    ),
    "Brevo": (
        "CONTACT ID|EMAIL=e|FIRSTNAME=f|LASTNAME=l|SMS=p|WHATSAPP=p|EXT_ID|DOUBLE_OPT-IN|OPT_IN|ADDED_TIME|"
        "MODIFIED_TIME|LANDLINE_NUMBER=p|JOB_TITLE|LINKEDIN|CONTACT_TIMEZONE|BLOCKLISTED"
    ),
    "Pipedrive en": (
        "Person - Name=n|Person - First name=f|Person - Last name=l|Person - Organization=c|Person - Email - Work=e|"
        "Person - Email - Home=e|Person - Email - Other=e|Person - Phone - Work=p|Person - Phone - Home=p|"
        "Person - Phone - Mobile=p|Person - Phone - Other=p|Person - Label=t|Person - Labels=t|Person - Owner|"
        "Person - Open deals|Person - ID|Person - Instant messenger - Home|Person - Visible to|Person - Notes=o"
    ),
    "Pipedrive fr": (
        "Personne - Nom=n|Personne - Organisation=c|Personne - E-mail - Travail=e|Personne - Téléphone - Portable=p|"
        "Personne - Propriétaire|Personne - Étiquette=t"
    ),
    "Odoo en": (
        "Display Name=n|Complete Name=n|Email=e|Phone=p|Mobile=p|Tags=t|City|Country|Salesperson|Company Name=c|"
        "Related Company=c|Is a Company|Notes=o"
    ),
    "LinkedIn contacts": (
        "Source|FirstName=f|LastName=l|Companies=c|Title|Emails=e|PhoneNumbers=p|CreatedAt|Addresses|Sites|"
        "InstantMessageHandles|FullName=n|Birthday|Location|BookmarkedAt|Profiles"
    ),
    "Zoho": (
        "Record Id|Salutation|First Name=f|Last Name=l|Full Name=n|Account Name=c|Account Name.id|Vendor Name|"
        "Email=e|Title|Department|Phone=p|Home Phone=p|Other Phone=p|Fax|Mobile=p|Date of Birth|Assistant|Asst Phone|"
        "Reporting To|Email Opt Out|Skype ID|Mailing Street|Description=o|Tag=t|Contact Owner|Contact Owner.id|"
        "Secondary Email=e|Created By"
    ),
    "Constant contact": (
        "Email address=e|Email permission status|Email update source|Confirmed Opt-In Date|First name=f|Last name=l|"
        "Job title|Company=c|Phone - home=p|Phone - mobile=p|Phone - work=p|Phone - other=p|"
        "Street address line 1 - Home|City - Home|Email Lists=t|Tags=t|Source Name|Created At|Updated At|Notes=o"
    ),
    "SuperOffice": (
        "Firmanavn=c|Fornavn=f|Etternavn=l|Direktetelefon=p|Direkte telefon=p|Mobiltelefon=p|Privattelefon=p|"
        "E-post=e|E-postadresser=e|Stilling|Kategori=t|Bransje|Vår kontakt|Kode|Nummer|Notat=o"
    ),
    "Visma": (
        "Kundenr|Navn=c|Adresse 1|Postnr|Poststed|Telefon=p|Mobil=p|E-post=e|Kontaktperson=n|Organisasjonsnr.|"
        "Kundegruppe|Fakturaepost=e|Selger"
    ),
    "24SevenOffice": (
        "Kundenr|Kundenavn=c|Fornavn=f|Etternavn=l|Telefon arbeid=p|Mobil=p|E-post arbeid=e|E-post faktura=e|"
        "Organisasjonsnummer"
    ),
    "Fortnox": (
        "Kundnr|Namn=n|Organisationsnummer|E-post=e|Telefon 1=p|Telefon 2=p|Mobil=p|Er referens|Fax|"
        "E-postadress faktura=e"
    ),
    "Yahoo": (
        "First=f|Middle=m|Last=l|Nickname=k|Email=e|Category=t|Distribution Lists|Messenger ID|Home|Work|Pager|Fax|"
        "Mobile=p|Other|Yahoo Phone=p|Primary|Alternate Email 1=e|Alternate Email 2=e|Personal Website|Title|"
        "Company=c|Comments=o|Birthday"
    ),
    "WooCommerce": (
        "Customer ID|Username|First Name=f|Last Name=l|Email=e|Billing First Name|Billing Last Name|"
        "Billing Company=c|Billing Phone=p|Billing Email=e|Billing Address 1|Shipping First Name"
    ),
    "Form no": ("Tidsmerke|Ditt navn=n|Din e-postadresse=e|Ditt mobilnummer=p|Kommentar=o"),
    "Form ms": ("ID|Start time|Completion time|Email=e|Name=n|What is your mobile number?=p"),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_every_column_of_an_export_fills_its_field_or_none(export):
    """Those of assistants, faxes, owners and addresses of streets fill none."""
    columns = [column.partition("=") for column in EXPORTS[export].split("|")]
    table = io.StringIO()
    csv.writer(table).writerows([[header for header, _, _ in columns], ["x"] * len(columns)])

    reading = read_contacts(table.getvalue().encode())

    assert reading.mapping == [(header, FIELDS[letter]) for header, _, letter in columns if letter]
