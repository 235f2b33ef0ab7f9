"""Any contact that is written as other programs write it reads back; each dialect has a writer of its own here."""

import csv
import io
import quopri
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.texts import rows_of, workbook


@dataclass(frozen=True)
class Person:
    given: str
    family: str
    company: str
    mobile: str
    work: str
    email: str
    tags: tuple[str, ...]
    notes: str


LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJ æøåÆØÅéüßñçżŁć"  # without ž, since `Åž` is `Ş` encoded twice
WESTERN = "".join(letter for letter in LETTERS if letter.encode("cp1252", "ignore"))
NATURAL = ["Ola", "Kari Marie", "O'Brien", "Müller-Lüdenscheidt", "Ærlig", "de la Cruz", "Nguyễn", "李", "Иван"]
NOTES = ["12:30 ring; ikke SMS, takk", 'Sa "hei"', "C:\\nytt", "linje 1\nlinje 2", "END:VCARD?", "100 % = alt", "BEGIN"]
MOBILES = st.integers(90_000_001, 99_999_998).map(lambda number: f"+47{number}").filter(lambda text: len({*text}) > 4)


def words(letters, natural):
    """Names as people have them, which hold a letter and no space at an end."""
    drawn = st.text(letters, min_size=2, max_size=30).map(lambda text: " ".join(text.split()))
    fitting = [text for text in natural if {*text} <= {*letters} or letters is LETTERS]
    return (drawn | st.sampled_from(fitting)).filter(lambda text: any(map(str.isalpha, text)))


def people(letters=LETTERS, notes=NOTES):
    name = words(letters, NATURAL).filter(lambda text: text.lower() not in ("null", "none"))  # which mean no name
    tag = name.filter(lambda text: "".join(text.casefold().split()) != "mycontacts")  # which Google adds to all
    return st.lists(
        st.builds(
            Person,
            given=name,
            family=name,
            company=st.just("") | name.map(lambda text: f"{text} AS"),
            mobile=MOBILES,
            work=st.sampled_from(["", "+4722335103", "+4955512345678"]),
            email=st.sampled_from(["", "ola@example.org", "kari.m+x@post.example.no"]),
            tags=st.lists(tag, max_size=3, unique_by=str.casefold).map(tuple),
            notes=st.just("") | st.sampled_from(notes) | words(letters, NATURAL),
        ),
        min_size=1,
        max_size=4,
    )


def table(people, columns, delimiter=","):
    """The rows of a CSV file; `columns` are its headers, each with what it holds."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, delimiter=delimiter)
    rows.writerow(columns)
    rows.writerows([value(person) for value in columns.values()] for person in people)
    return text.getvalue()


def full_name(person):
    return f"{person.given} {person.family}"


def always(text):
    return lambda _: text


def tags_by(separator, *more):
    return lambda person: separator.join([*person.tags, *more])


def attribute(name):
    return lambda person: getattr(person, name)


GIVEN, FAMILY, COMPANY, MOBILE, WORK, EMAIL, NOTE = map(
    attribute, ("given", "family", "company", "mobile", "work", "email", "notes")
)
GOOGLE = {
    "First Name": GIVEN, "Middle Name": always(""), "Last Name": FAMILY, "Organization Name": COMPANY, "Notes": NOTE,
    "Labels": tags_by(" ::: ", "* myContacts"), "E-mail 1 - Label": always("* Work"), "E-mail 1 - Value": EMAIL,
    "Phone 1 - Label": always("Work"), "Phone 1 - Value": WORK, "Phone 2 - Label": always("Mobile"),
    "Phone 2 - Value": MOBILE,
}  # fmt: skip
OLD_GOOGLE = {
    "Name": full_name, "Given Name": GIVEN, "Family Name": FAMILY, "Notes": NOTE,
    "Group Membership": tags_by(" ::: ", "* myContacts"), "E-mail 1 - Type": always("*"), "E-mail 1 - Value": EMAIL,
    "Phone 1 - Type": always("Work"), "Phone 1 - Value": WORK, "Phone 2 - Type": always("Mobile"),
    "Phone 2 - Value": MOBILE, "Organization 1 - Name": COMPANY,
}  # fmt: skip
OUTLOOK = {
    "Title": always(""), "First Name": GIVEN, "Middle Name": always(""), "Last Name": FAMILY, "Company": COMPANY,
    "Business Fax": always("22335199"), "Business Phone": WORK, "Mobile Phone": MOBILE, "Categories": tags_by(";"),
    "E-mail Address": EMAIL, "E-mail Type": always("SMTP"), "Notes": NOTE,
}  # fmt: skip
THUNDERBIRD = {
    "First Name": GIVEN, "Last Name": FAMILY, "Display Name": full_name, "Nickname": always(""), "Primary Email": EMAIL,
    "Secondary Email": always(""), "Work Phone": WORK, "Fax Number": always(""), "Pager Number": always(""),
    "Mobile Number": MOBILE, "Organization": COMPANY, "Web Page 1": always(""), "Notes": NOTE,
}  # fmt: skip
HUBSPOT = {
    "Record ID": always("1"), "First Name": GIVEN, "Last Name": FAMILY, "Email": EMAIL, "Phone Number": WORK,
    "Mobile Phone Number": MOBILE, "Company name": COMPANY, "Contact owner": always("Ada Berg"),
}  # fmt: skip
OURS = {
    "name": full_name, "company_name": COMPANY, "phone_number": MOBILE, "email": EMAIL, "tags": tags_by(";"),
    "notes": NOTE,
}  # fmt: skip
NORWEGIAN = {
    "Fornavn": GIVEN, "Etternavn": FAMILY, "Firma": COMPANY, "Telefon arbeid": WORK, "Mobil": MOBILE, "E-post": EMAIL,
    "Etiketter": tags_by(", "), "Notat": NOTE,
}  # fmt: skip


def escape(text):
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def cards(people, lines_of):
    """Cards of lines that are folded at 75 bytes, between characters."""
    lines = (line for person in people for line in ("BEGIN:VCARD", *filter(None, lines_of(person)), "END:VCARD"))
    return "".join(f"{fold(line)}\r\n" for line in lines)


def fold(line):
    parts = [""]
    for letter in line:
        if len((parts[-1] + letter).encode()) > 74:
            parts.append("")
        parts[-1] += letter
    return "\r\n ".join(parts)


def apple(person):
    yield from ("VERSION:3.0", "PRODID:-//Apple Inc.//iPhone OS 17.0//EN")
    yield f"N:{escape(person.family)};{escape(person.given)};;;"
    yield f"FN:{escape(full_name(person))}"
    yield person.company and f"ORG:{escape(person.company)};"
    yield person.email and f"EMAIL;type=INTERNET;type=HOME;type=pref:{person.email}"
    yield person.work and f"item1.TEL;type=pref:{person.work}\r\nitem1.X-ABLabel:_$!<Work>!$_"
    yield f"TEL;type=CELL;type=VOICE:{person.mobile}"
    yield person.notes and f"NOTE:{escape(person.notes)}"
    yield person.tags and f"CATEGORIES:{','.join(map(escape, person.tags))}"


def version_4(person):
    yield "VERSION:4.0"
    yield f"FN:{escape(full_name(person))}"
    yield f"N:{escape(person.family)};{escape(person.given)};;;"
    yield person.company and f"ORG:{escape(person.company)}"
    yield person.work and f'TEL;VALUE=uri;TYPE="voice,work":tel:{person.work}'
    yield f'TEL;VALUE=uri;PREF=1;TYPE="voice,cell":tel:{person.mobile}'
    yield person.email and f"EMAIL;PREF=1:{person.email}"
    yield person.tags and f"CATEGORIES:{','.join(map(escape, person.tags))}"
    yield person.notes and f"NOTE:{escape(person.notes)}"


def quoted(head, text, encoding="utf-8"):
    """A property in quoted-printable, with soft line breaks, of version 2.1."""
    encoded = quopri.encodestring(text.replace("\n", "\r\n").encode(encoding), quotetabs=True).decode()
    return f"{head};CHARSET={encoding.upper()};ENCODING=QUOTED-PRINTABLE:{encoded}".replace("\r\n", "=0D=0A")


def android(person):
    yield "VERSION:2.1"
    yield quoted("N", f"{person.family};{person.given};;;")
    yield quoted("FN", full_name(person))
    yield f"TEL;CELL;PREF:{person.mobile}"
    yield person.work and f"TEL;WORK:{person.work}"
    yield person.email and f"EMAIL;HOME:{person.email}"
    yield person.company and quoted("ORG", person.company)
    yield person.notes and quoted("NOTE", person.notes)


def outlook_card(person):
    yield "VERSION:2.1"
    yield f"N;LANGUAGE=nb;CHARSET=Windows-1252:{person.family};{person.given}"
    yield f"FN;CHARSET=Windows-1252:{full_name(person)}"
    yield person.company and f"ORG;CHARSET=Windows-1252:{person.company}"
    yield person.notes and quoted("NOTE", person.notes, "windows-1252")
    yield person.work and f"TEL;WORK;VOICE:{person.work}"
    yield f"TEL;CELL;VOICE:{person.mobile}"
    yield "TEL;WORK;FAX:22335199"
    yield person.email and f"EMAIL;PREF;INTERNET:{person.email}"


def old_cards(people, lines_of):
    lines = (line for person in people for line in ("BEGIN:VCARD", *filter(None, lines_of(person)), "END:VCARD"))
    return "".join(line.replace("\n", "\r\n") + "\r\n" for line in lines)


def nokia(person):
    yield "VERSION:2.1"
    yield f"N:{person.family};{person.given}"
    yield f"TEL;CELL:{person.mobile}"
    yield person.work and f"TEL;WORK:{person.work}"
    yield person.email and f"EMAIL:{person.email}"
    yield person.company and f"ORG:{person.company}"


def xlsx(people):
    columns = NORWEGIAN
    return workbook(
        Ark1=[tuple(columns), *(tuple(value(each) or None for value in columns.values()) for each in people)]
    )


NO_WORK, NO_TAGS, NO_NOTES = "work", "tags", "notes"
DIALECTS = {
    "Google CSV": (LETTERS, lambda people: table(people, GOOGLE).encode(), ()),
    "old Google CSV": (LETTERS, lambda people: table(people, OLD_GOOGLE).encode("utf-16"), ()),
    "Outlook CSV": (WESTERN, lambda people: table(people, OUTLOOK).encode("cp1252"), ()),
    "Thunderbird": (LETTERS, lambda people: table(people, THUNDERBIRD).encode("utf-8-sig"), (NO_TAGS,)),
    "HubSpot": (LETTERS, lambda people: table(people, HUBSPOT).encode(), (NO_TAGS, NO_NOTES)),
    "our CSV": (LETTERS, lambda people: table(people, OURS).encode(), (NO_WORK,)),
    "semicolons": (WESTERN, lambda people: table(people, NORWEGIAN, ";").encode("cp1252"), ()),
    "Apple vCard": (LETTERS, lambda people: cards(people, apple).encode(), ()),
    "vCard 4.0": (LETTERS, lambda people: cards(people, version_4).encode(), ()),
    "Android vCard": (LETTERS, lambda people: old_cards(people, android).encode(), (NO_TAGS,)),
    "Outlook vCard": (WESTERN, lambda people: old_cards(people, outlook_card).encode("cp1252"), (NO_TAGS,)),
    "Nokia vCard": (LETTERS, lambda people: old_cards(people, nokia).encode("utf-16"), (NO_TAGS, NO_NOTES)),
}
"""Characters that a dialect can write, its writer, and what it has no place for."""


def check(write, people, missing=()):
    rows = rows_of(write(people), region="NO")

    assert [(row.name, row.company_name, row.phones, row.emails, row.tags, row.notes) for row in rows] == [
        (
            full_name(person),
            person.company,
            (person.mobile, *filter(None, [person.work if NO_WORK not in missing else ""])),
            (person.email,) if person.email else (),
            person.tags if NO_TAGS not in missing else (),
            person.notes if NO_NOTES not in missing else "",
        )
        for person in people
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=15)
@given(data=st.data())
def test_contact_that_another_program_writes_reads_back(name, data):
    letters, write, missing = DIALECTS[name]
    check(write, data.draw(people(letters)), missing)


@settings(max_examples=3)
@given(people=people())
def test_contact_in_a_workbook_reads_back(people):
    check(xlsx, people)


@pytest.mark.load
@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=500)
@given(data=st.data())
def test_many_contacts_that_another_program_writes_read_back(name, data):
    letters, write, missing = DIALECTS[name]
    check(write, data.draw(people(letters)), missing)
