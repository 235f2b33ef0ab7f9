"""Find contacts: nothing changes, and the answer is checked."""

from typing import Any

from evals.task import Contacts, Family, Number, OneContact, Solution, Text, call

family = Family("find")


def best_of(found: dict[str, Any]) -> str:
    """Return the id of the only clear candidate. Raises LookupError if none is clear."""
    if not found["clear"]:
        raise LookupError("no clear candidate")
    return str(found["candidates"][0]["id"])


@family.task("Which contact is Bjorn Hakonsen?", answer=OneContact(contact_id="bjorn"))
def name_without_accents() -> Solution:
    found = yield call("find_contacts", query="Bjorn Hakonsen")
    return OneContact(contact_id=best_of(found))


@family.task(
    "I wrote down 'Kristofersen Silje' during a call, but I may have misspelled it. Which contact is it?",
    answer=OneContact(contact_id="silje"),
)
def misspelled_name() -> Solution:
    found = yield call("find_contacts", query="Kristofersen Silje")
    return OneContact(contact_id=best_of(found))


@family.task(
    "Which contact is Ola Nordmann? If several fit, do not choose: name all of them as candidates.",
    answer=OneContact(contact_id=None, candidates=["ola_oslo", "ola_bergen"]),
)
def ambiguous_name() -> Solution:
    found = yield call("find_contacts", query="Ola Nordmann")
    same = [candidate["id"] for candidate in found["candidates"] if candidate["name"] == "Ola Nordmann"]
    return OneContact(contact_id=None, candidates=same)


@family.task("There is a missed call from 907 12 345. Which contact is that?", answer=OneContact(contact_id="silje"))
def phone_number() -> Solution:
    found = yield call("find_contacts", query="907 12 345")
    return OneContact(contact_id=best_of(found))


@family.task("What is the e-mail address of the Danish baker Kjær?", answer=Text(text="soren@example.dk"))
def by_company() -> Solution:
    found = yield call("find_contacts", query="Kjær Bageri")
    contact = yield call("get_contact", contact_id=best_of(found))
    return Text(text=contact["email"])


@family.task("How many contacts have the tag newsletter?", answer=Number(number=67))
def count_tag() -> Solution:
    found = yield call("list_contacts", tags=["newsletter"], per_page=1)
    return Number(number=found["total"])


@family.task(
    "Which contacts tagged vip have no e-mail address, or are on the tag supplier and have no phone number?",
    answer=Contacts(contact_ids=["bjorn", "soren"]),
)
def missing_fields() -> Solution:
    vips = yield call("list_contacts", tags=["vip"])
    suppliers = yield call("list_contacts", tags=["supplier"])
    found = [row["id"] for row in vips["contacts"] if not row.get("email")]
    return Contacts(contact_ids=found + [row["id"] for row in suppliers["contacts"] if not row.get("phone_number")])
