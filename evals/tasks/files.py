"""Import and export files in the server's folder."""

from collections.abc import Mapping

from evals.task import Family, Number, Solution, Wanted, call
from evals.tasks.bulk import plan_and_apply
from evals.world import BASE

family = Family("files")


def lines(*rows: str) -> bytes:
    """Return a text file."""
    return "".join(f"{row}\r\n" for row in rows).encode()


_GOOGLE = lines(
    "First Name,Last Name,Notes,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value",
    "Amund,Krog,,* myContacts,Home,amund@example.com,Mobile,900 00 401",
    "Bodil,Ness,,* myContacts,Home,bodil@example.com,Mobile,+47 900 00 402",
    "Carl,Østby,,* myContacts,,,Mobile,90000403",
)
_CARDS = lines(
    *(
        "BEGIN:VCARD",
        "VERSION:3.0",
        "FN:Per Aas",
        "TEL;TYPE=CELL:+4790000008",
        "EMAIL:per.aas@example.com",
        "END:VCARD",
    ),
    *("BEGIN:VCARD", "VERSION:3.0", "FN:Dina Hove", "N:Hove;Dina;;;", "TEL;TYPE=CELL:900 00 404", "END:VCARD"),
    *("BEGIN:VCARD", "VERSION:3.0", "FN:Einar Rud", "N:Rud;Einar;;;", "EMAIL:einar@example.com", "END:VCARD"),
)
_NEW_NUMBERS = lines(
    "name;email;phone", "Trude Lie;trude@example.com;900 00 501", "Jonas Aune;jonas@example.com;900 00 007"
)
_SIGN_UP = lines(
    "Name,Mobile",
    "Hedda Moen,900 00 601",
    "Iselin Bakke,22 33 51 03",
    "Johan Vold,4.79E+09",
    "Klara Sunde,",
    "Linn Aker,+47 900 00 605",
)


@family.task(
    "Import google.csv from the folder, and tag everyone in it google.",
    files={"google.csv": _GOOGLE},
    wanted=Wanted(
        created=[
            {"name": "Amund Krog", "email": "amund@example.com", "phone_number": "+4790000401", "tags": ["google"]},
            {"name": "Bodil Ness", "email": "bodil@example.com", "phone_number": "+4790000402", "tags": ["google"]},
            {"name": "Carl Østby", "phone_number": "+4790000403", "tags": ["google"]},
        ]
    ),
)
def import_from_google() -> Solution:
    yield from plan_and_apply("import_contacts", path="google.csv", tags=["google"])
    return None


@family.task(
    "Import phone.vcf from the folder. Do not create anyone twice.",
    files={"phone.vcf": _CARDS},
    wanted=Wanted(
        created=[
            {"name": "Dina Hove", "phone_number": "+4790000404"},
            {"name": "Einar Rud", "email": "einar@example.com"},
        ]
    ),
)
def import_cards() -> Solution:
    yield from plan_and_apply("import_contacts", path="phone.vcf")
    return None


@family.task(
    "new numbers.csv in the folder has current numbers of people whom we have. Bring our contacts up to date with it.",
    files={"new numbers.csv": _NEW_NUMBERS},
    wanted=Wanted(updated={"trude": {"phone_number": "+4790000501"}}),
    may_agree=["Trude Lie"],
)
def update_from_a_file() -> Solution:
    yield from plan_and_apply("import_contacts", path="new numbers.csv", on_match="update")
    return None


@family.task(
    """How many of the people in signup.csv could we not reach by SMS: without a number, with a landline, or with a
    number that is not valid? Import nothing.""",
    files={"signup.csv": _SIGN_UP},
    answer=Number(number=3),
)
def count_unreachable_rows() -> Solution:
    plan = yield call("import_contacts", path="signup.csv")
    return Number(number=plan["unreachable"])


def _check_cards(files: Mapping[str, bytes]) -> str:
    text = files.get("vips.vcf", b"").decode("utf-8", "replace")
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("FN")]
    expected = sorted(BASE.contacts[key].name for key in BASE.tagged("vip"))
    return "" if sorted(names) == expected else f"vips.vcf has {names}"


@family.task("Export all contacts tagged vip to vips.vcf, as vCards.", check_files=_check_cards)
def export_cards() -> Solution:
    yield call("export_contacts", tags=["vip"], format="vcard", path="vips.vcf")
    return None


def _check_table(files: Mapping[str, bytes]) -> str:
    rows = files.get("choir.csv", b"").decode("utf-8-sig", "replace").splitlines()[1:]
    names = [BASE.contacts[key].name for key in BASE.groups["Choir"]]
    is_right = len(rows) == len(names) and all(any(name in row for row in rows) for name in names)
    return "" if is_right else f"choir.csv has {len(rows)} rows"


@family.task("Export the members of the group Choir to choir.csv.", check_files=_check_table)
def export_a_group() -> Solution:
    yield call("export_contacts", group="Choir", path="choir.csv")
    return None
