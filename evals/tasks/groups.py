"""Groups and whom an SMS to them reaches."""

from evals.task import Audience, Family, Solution, Wanted, call
from evals.tasks.bulk import plan_and_apply
from evals.world import BASE

family = Family("groups")

_CHOIR = BASE.groups["Choir"]
_WITH_PARTY = BASE.plus({}, {"Summer party 2024": ("kari", "per", "grete"), "Summer party 2025": ("kari",)})


@family.task(
    "Make a group called Fjord people with all contacts that have the tag fjord.",
    wanted=Wanted(members={"Fjord people": BASE.tagged("fjord")}),
)
def group_from_a_tag() -> Solution:
    yield call("create_contact_group", name="Fjord people")
    yield from plan_and_apply("add_matching_to_group", group="Fjord people", tags=["fjord"])
    return None


@family.task(
    "Add Grete Vik and Bjørn Håkonsen to the group Choir.",
    wanted=Wanted(members={"Choir": [*_CHOIR, "grete", "bjorn"]}),
)
def add_two_members() -> Solution:
    yield call("add_group_members", group="Choir", contacts=["Grete Vik", "Bjørn Håkonsen"])
    return None


@family.task(
    "Per Aas has left the Choir. Remove him from the group, but keep the contact.",
    wanted=Wanted(members={"Choir": [key for key in _CHOIR if key != "per"]}),
)
def remove_a_member() -> Solution:
    yield call("remove_group_member", group="Choir", contact="Per Aas")
    return None


@family.task(
    "How many different numbers would an SMS to the group Choir reach, and which members would it not reach?",
    answer=Audience(numbers=3, unreachable=["eva", "tor"]),
)
def sms_audience() -> Solution:
    checked = yield call("check_group_audience", group="Choir")
    unreachable = [member["id"] for member in checked["unreachable_sample"]]
    return Audience(numbers=checked["numbers"], unreachable=unreachable)


@family.task("Rename the group Board to Board 2027.", wanted=Wanted(renamed_groups={"Board": "Board 2027"}))
def rename_a_group() -> Solution:
    yield call("update_contact_group", group="Board", name="Board 2027")
    return None


@family.task(
    "Delete the group Summer party 2024. Its members stay in my contacts.",
    world=_WITH_PARTY,
    wanted=Wanted(deleted_groups=["Summer party 2024"]),
    agrees=["Summer party 2024"],
)
def delete_a_group() -> Solution:
    yield call("delete_contact_group", group="Summer party 2024")
    return None
