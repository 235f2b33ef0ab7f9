"""Change, create, merge and delete single contacts."""

import re

from evals.task import ANY, Family, OneContact, Solution, Wanted, call
from evals.tasks.find import best_of
from evals.world import BASE, person

family = Family("change")

_TWO_PERS = BASE.plus(
    {"per_old": person("Per Aas", "+47 900 00 008", None, "customer")}, {"Autumn letter": ("per_old", "trude")}
)


@family.task(
    "Add Ingrid Solheim, mobile 900 00 103, and tag her vip.",
    wanted=Wanted(created=[{"name": "Ingrid Solheim", "phone_number": "+4790000103", "tags": ["vip"]}]),
)
def add_person() -> Solution:
    yield call("create_contact", name="Ingrid Solheim", phone_number="+4790000103", tags=["vip"])
    return None


@family.task(
    "Make sure that Søren Kjær, soren@example.dk, is in my contacts, without creating him twice. Which contact is he?",
    answer=OneContact(contact_id="soren"),
)
def add_existing_person() -> Solution:
    found = yield call("find_contacts", query="soren@example.dk")
    return OneContact(contact_id=best_of(found))


@family.task(
    "Kari Nordmann in Oslo has a new number: 900 00 201.",
    wanted=Wanted(updated={"kari": {"phone_number": "+4790000201"}}),
)
def change_number() -> Solution:
    yield call("update_contact", contact="Kari Nordmann", phone_number="+4790000201")
    return None


@family.task(
    "Tag Grete Vik as board, and keep her other tags.",
    wanted=Wanted(updated={"grete": {"tags": ["volunteer", "board"]}}),
)
def add_tag() -> Solution:
    yield call("update_contact", contact="Grete Vik", add_tags=["board"])
    return None


_NEW_NOTES = re.compile("(?s)(?=.*Prefers calls in the morning)(?=.*Spain)(?=.*March)")


@family.task(
    "Write into Bjørn Håkonsen's notes that he is in Spain until March. Keep what is there.",
    wanted=Wanted(updated={"bjorn": {"notes": _NEW_NOTES}}),
)
def append_to_notes() -> Solution:
    contact = yield call("get_contact", contact="Bjørn Håkonsen")
    notes = f"{contact['notes']} In Spain until March."
    yield call("update_contact", contact_id=contact["id"], notes=notes)
    return None


@family.task("Delete Kari Nordmo. Kari Nordmann stays.", agrees=["Kari Nordmo"], wanted=Wanted(deleted=["kari_nordmo"]))
def delete_person() -> Solution:
    yield call("delete_contact", contact="Kari Nordmo")
    return None


_MERGED = {"tags": ["choir", "customer"], "notes": ANY}


@family.task(
    "Per Aas is in my contacts twice. Merge both, and keep the one with the e-mail address.",
    world=_TWO_PERS,
    agrees=["Per Aas"],
    wanted=Wanted(updated={"per": _MERGED}, deleted=["per_old"], members={"Autumn letter": ["per", "trude"]}),
)
def merge_twins() -> Solution:
    found = yield call("find_duplicate_contacts", search="Per Aas")
    contacts = found["clusters"][0]["contacts"]
    contacts.sort(key=lambda contact: "email" not in contact)
    keep, other = contacts
    yield call("merge_contacts", keep_id=keep["id"], merge_ids=[other["id"]])
    return None
