"""Change many contacts at once."""

from evals.task import Contacts, Family, Solution, Steps, Wanted, call
from evals.world import BASE, World, person

family = Family("bulk")

_FAIR = BASE.plus(
    {
        "fair_spaces": person("Nils Fair", "900 00 301", None, "fair"),
        "fair_plain": person("Olga Fair", "90000302", None, "fair"),
        "fair_zeros": person("Pål Fair", "0047 900 00 303", None, "fair"),
        "fair_short": person("Rolf Fair", "12345", None, "fair"),
        "fair_good": person("Siri Fair", "+4790000305", None, "fair"),
    }
)
_TWINS = BASE.plus({"per_old": person("Aas, Per", "900 00 008"), "leif_namesake": person("Leif Hansen", "+4790000444")})


def plan_and_apply(tool: str, **arguments: object) -> Steps:
    """Make a plan, apply it, and return the result."""
    plan = yield call(tool, **arguments)
    return (yield call(tool, **arguments, apply=True, plan=plan["plan"]))


def _tags(world: World, keys: list[str], *, add: str = "", remove: str = "") -> Wanted:
    """Return the change of tags of these contacts."""
    tags = {key: {*(world.contacts[key].tags or ()), add} - {remove, ""} for key in keys}
    return Wanted(updated={key: {"tags": sorted(changed)} for key, changed in tags.items()})


_LEADS_IN_BERGEN = [key for key in BASE.tagged("lead") if key in BASE.tagged("bergen")]


@family.task(
    "Give all contacts that have both tags, lead and bergen, the tag visit as well.",
    wanted=_tags(BASE, _LEADS_IN_BERGEN, add="visit"),
)
def tag_a_selection() -> Solution:
    yield from plan_and_apply("update_matching_contacts", tags=["lead", "bergen"], add_tags=["visit"])
    return None


@family.task(
    "For all contacts tagged trondheim, replace this tag by midt.",
    wanted=_tags(BASE, BASE.tagged("trondheim"), add="midt", remove="trondheim"),
    may_agree=["30 contacts"],
)
def replace_a_tag_of_many() -> Solution:
    yield from plan_and_apply(
        "update_matching_contacts", tags=["trondheim"], add_tags=["midt"], remove_tags=["trondheim"]
    )
    return None


@family.task(
    """Write the phone numbers of all contacts tagged fair in international format. Leave a number as it is if it is
    not valid.""",
    world=_FAIR,
    wanted=Wanted(
        updated={
            "fair_spaces": {"phone_number": "+4790000301"},
            "fair_plain": {"phone_number": "+4790000302"},
            "fair_zeros": {"phone_number": "+4790000303"},
        }
    ),
)
def normalize_numbers() -> Solution:
    yield from plan_and_apply("update_matching_contacts", tags=["fair"], normalize_phones=True)
    return None


@family.task(
    "All people tagged fjord work for Fjord Partners AS now. The contact of the company itself stays as it is.",
    wanted=Wanted(updated={key: {"company_name": "Fjord Partners AS"} for key in BASE.tagged("fjord")}),
    may_agree=["Trude Lie"],
)
def overwrite_the_company() -> Solution:
    yield from plan_and_apply("update_matching_contacts", tags=["fjord"], set_company_name="Fjord Partners AS")
    return None


@family.task(
    "Remove the tag choir from all members of the group Choir. They stay in the group.",
    wanted=_tags(BASE, list(BASE.groups["Choir"]), remove="choir"),
)
def remove_a_tag_from_a_group() -> Solution:
    yield from plan_and_apply("update_matching_contacts", group="Choir", remove_tags=["choir"])
    return None


@family.task(
    """Which contacts are surely the same person twice: the same phone number and the same name, whatever the order of
    its words and the form of the number? Name every record of such people, and change nothing.""",
    world=_TWINS,
    answer=Contacts(contact_ids=["per", "per_old"]),
)
def report_duplicates() -> Solution:
    found = yield call("find_duplicate_contacts")
    certain = [cluster for cluster in found["clusters"] if cluster["confidence"] == "certain"]
    return Contacts(contact_ids=[contact["id"] for cluster in certain for contact in cluster["contacts"]])
