"""One call of every tool, or several of different kinds, and a check that its answer is true after a fault."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

from mcp_types import CallToolResult

from contacts_mcp import contract
from contacts_mcp.client import ContactsClient
from contacts_mcp.tools import TOOLS, Tool
from contacts_mcp.tools._deleted_contacts import NOT_KNOWN
from contacts_mcp.tools._duplicate_check import NOT_CHECKED
from endpoint_cases import CASES
from support.hosts import Person, text_of, with_ids
from support.services import ReceivedRequest
from trust.faults import State

PRIVATE_DOMAIN = "@private.example"
"""Part of all e-mail addresses and notes, which may be only in answers."""
_ERASED = "Ola Nordmann"
_PEOPLE: tuple[dict[str, Any], ...] = (
    {"name": _ERASED, "phone_number": "+4799999901", "tags": ["vip"], "company_name": "Fjord AS"},
    {"name": "Kari Nordmann", "phone_number": "+4799999902", "tags": ["vip"], "company_name": "Fjell AS"},
    {"name": "Liv Berg", "phone_number": "90 00 00 03", "tags": ["vip", "oslo"]},
    {"name": "Nils Dahl", "phone_number": "+4799999904"},
    {"name": "Per Hansen", "phone_number": "+4799999905"},
    {"name": "Per Hanssen", "phone_number": "+4799999905", "tags": ["oslo"]},
    {"name": "P Hansen", "phone_number": "+4799999906"},
    {"name": "Sol AS", "type": "company"},
)
_DELETED = "Eli Strand"
_UPDATED, _RECEIPT = ("Nils Dahl", "Sol AS"), "receipt"
"""The contacts of an update that can be undone, and the name of its receipt."""
_GROUPS = {"Customers": (_ERASED, "Per Hanssen", "Liv Berg"), "Suppliers": ("Nils Dahl",)}
NAMES = (*(person["name"] for person in _PEOPLE), *_GROUPS, _DELETED, _RECEIPT)
"""The names whose ids a call may need."""
_FILE = f"""name,phone,email,notes
Eva Lund,+4799999911,eva{PRIVATE_DOMAIN},new
Odd Vik,+4799999912,odd{PRIVATE_DOMAIN},new
Kari Nordmann,+4799999902,another{PRIVATE_DOMAIN},changed
"""


@dataclass(frozen=True)
class TriedCall:
    """A call that is tried with every fault: of a tool, or a `variant` of its calls, which may need an extension."""

    tool: Tool
    variant: str = ""
    extension: str | None = None

    def __str__(self) -> str:
        return f"{self.tool.name}, {self.variant}" if self.variant else self.tool.name


CLUSTERS, UNDO = "merge_contacts, clusters", "update_matching_contacts, undo"
_TOOLS = {tool.name: tool for tool in TOOLS}
CALLS = (
    *(TriedCall(tool, extension=tool.extension) for tool in TOOLS),
    TriedCall(_TOOLS["merge_contacts"], "clusters"),
    TriedCall(_TOOLS["update_matching_contacts"], "undo", extension="undo"),
)


async def create_records(api: ContactsClient) -> Mapping[str, str]:
    ids: dict[str, str] = {}
    for person in _PEOPLE:
        word = person["name"].casefold().replace(" ", ".")
        call = contract.CreateContact(**person, email=f"{word}{PRIVATE_DOMAIN}", notes=f"about {word}{PRIVATE_DOMAIN}")
        ids[person["name"]] = (await api.send(call)).id
    for name, members in _GROUPS.items():
        ids[name] = (await api.send(contract.CreateContactGroup(name=name))).id
        await api.send(contract.AddGroupMembers(group_id=ids[name], contact_ids=[ids[member] for member in members]))
    ids[_DELETED] = (await api.send(contract.CreateContact(type="person", name=_DELETED))).id
    await api.send(contract.DeleteContact(contact_id=ids[_DELETED]))
    ids[_RECEIPT] = str(uuid4())
    updates = [contract.UpdateContact(contact_id=ids[name], company_name="Vest AS") for name in _UPDATED]
    assert (await api.send(contract.BatchContacts(updates=updates, undo=ids[_RECEIPT]))).undo_until
    return ids


def _cast(ids: Mapping[str, str]) -> dict[str, str]:
    """The ids of the records that the cases of the endpoints name."""
    names = {"ola": _ERASED, "kari": "Kari Nordmann", "customers": "Customers", "suppliers": "Suppliers"}
    return {record: ids[name] for record, name in names.items()}


def arguments_by_call(ids: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The arguments by call; those of a tool that plans first are applied with its plan."""
    ola = {"contact_id": ids[_ERASED]}
    customers, suppliers = {"group_id": ids["Customers"]}, {"group_id": ids["Suppliers"]}
    return {
        **{case.tool: with_ids(case.arguments, _cast(ids)) for case in CASES},
        "list_contacts": {"search": "nordmann"},
        "create_contact": {"name": "Eva Lund", "email": f"eva{PRIVATE_DOMAIN}", "tags": ["new"]},
        "update_contact": {**ola, "notes": "changed", "add_tags": ["new"]},
        "find_contacts": {"query": "kari normann"},
        "import_contacts": {"content": _FILE, "format": "csv", "on_match": "update", **suppliers},
        "export_contacts": {"tags": ["vip"]},
        "find_duplicate_contacts": {},
        "merge_contacts": {"keep_id": ids["Per Hansen"], "merge_ids": [ids["Per Hanssen"], ids["P Hansen"]]},
        CLUSTERS: {"clusters": [[ids["Per Hansen"], ids["Per Hanssen"]], [ids["Kari Nordmann"], ids["P Hansen"]]]},
        "update_matching_contacts": {"tags": ["vip"], "set_notes": "changed"},
        UNDO: {"undo": ids[_RECEIPT]},
        "add_matching_to_group": {"tags": ["vip"], **suppliers},
        "check_group_audience": customers,
        "list_deleted_contacts": {"search": "strand"},
        "restore_contact": {"contact_id": ids[_DELETED]},
    }


def person_who_agrees(tool: Tool) -> Person:
    """A person who confirms the tool's question, or types the name."""
    return Person(content={"decision": tool.wording.yes if tool.wording else "delete", "typed": _ERASED})


_UNSETTLED = {"outcome_unknown", "server_fault", "unreadable_answer"}
"""Codes that leave open whether something was changed."""
_KNOWN_OF_ERASURE = {*("records", "groups_left", "related", "more_related", "known", "unknown", "cleared", "remains")}
"""What an erasure reports beside its success: it depends on which requests were answered, and when."""
_VARIABLE_FIELDS = {"created_at", "updated_at", "renamed_at", "file", "uri", "url", "plan", "undo_until"}
_SENT = (*contract.CALLS, contract.BatchContacts, contract.UndoUpdate)
_NOT_REPEATABLE = {re.sub(r"{\w+}", "{}", call.route) for call in _SENT if not call.idempotent}
_SKIP_MISSING_RECORDS = ("export_contacts", "merge_contacts", CLUSTERS, "find_contacts", "gdpr_delete_contact")
"""The calls that skip a missing record."""
_PARTIAL_ANSWERS = {
    "add_group_members": ({},),
    "gdpr_delete_contact": (
        *(
            {
                "erased": False,
                "seen": f"the {who} accepted the erasure, but the contact could not be read back: {then}",
                "consent": "person",
            }
            for who, then in (("service", "read it again to be sure"), ("directory", "call again to be sure"))
        ),
    ),
}
"""Other allowed answers, if all was done but not all results are known."""
_VARIATIONS = {"create_contact": {"warnings": [NOT_CHECKED]}, "restore_contact": {"note": NOT_KNOWN}}
"""What an answer may say besides or instead, if all was done after a search failed or an answer was lost."""
_CHECKS_BEFORE_REPEAT = "import_contacts"
"""The tool that repeats a create after reading in the directory that it was not made."""


@dataclass(frozen=True)
class Counted:
    """The counters of a job, and the kind of fact that each unit of its work creates."""

    counters: tuple[str, ...]
    fact: str

    def done(self, normal: "ReferenceCall", now: State) -> int:
        """How many of them are facts."""
        return sum(count for fact, count in ((normal.after - normal.before) & now).items() if fact[0] == self.fact)


_COUNTED = {
    "import_contacts": Counted(("created", "updated"), "contact"),
    "update_matching_contacts": Counted(("updated",), "contact"),
    "add_matching_to_group": Counted(("added",), "member"),
    UNDO: Counted(("restored",), "contact"),
    "merge_contacts": Counted(("deleted",), "deleted"),
    CLUSTERS: Counted(("deleted",), "deleted"),
}


@dataclass(frozen=True)
class ReferenceCall:
    """A call without a fault: its answer, its requests to the service, and the facts before and after it."""

    call: str
    answer: Any
    seen: Sequence[ReceivedRequest] = field(compare=False)
    before: State
    after: State


@dataclass(frozen=True)
class FaultyCall:
    """The same call with a fault.

    `refused` are the numbers of requests that were certainly not done; `gone` is whether a record was said not to be
    there.
    """

    result: CallToolResult
    answer: Any
    seen: Sequence[ReceivedRequest]
    refused: Collection[int]
    gone: bool
    now: State


def find_violations(normal: ReferenceCall, case: FaultyCall) -> Iterator[str]:
    """Yield what is wrong with a call that met a fault."""
    if strange := _unexpected_facts(normal, case.now):
        yield f"the directory is neither as before nor as it should be: {strange}"
    yield from _unsafe_repeats(normal.call, case)
    if case.result.is_error:
        yield from _check_error(normal, text_of(case.result), case.now)
    else:
        yield from _check_answer(normal, case)


def comparable(answer: Any, known: Collection[str]) -> Any:
    """An answer without times and without the ids of new records."""
    if isinstance(answer, dict):
        variable = _VARIABLE_FIELDS | (_KNOWN_OF_ERASURE if "erased" in answer else set())
        return {name: comparable(value, known) for name, value in answer.items() if name not in variable}
    if isinstance(answer, list):
        return [comparable(value, known) for value in answer]
    return "an id" if isinstance(answer, str) and contract.UUID.fullmatch(answer) and answer not in known else answer


def _unexpected_facts(normal: ReferenceCall, now: State) -> State:
    """Facts that exist too often or too rarely for a call that was made in part, completely or not at all."""
    most, least = normal.before | normal.after, normal.before & normal.after
    return (now - most) + (least - now)


def _unsafe_repeats(call: str, case: FaultyCall) -> Iterator[str]:
    """A request that must not be made twice but was repeated after one that may have worked."""
    risked: list[tuple[str, str, bytes]] = []
    for number, seen in enumerate(case.seen):
        if not _is_repeatable(seen):
            request = (seen.method, seen.path, seen.body)
            if request in risked:
                yield f"{seen.method} {seen.path} was repeated, although it may have worked"
            if number not in case.refused:
                risked.append(request)
        elif call == _CHECKS_BEFORE_REPEAT and seen.method == "GET":
            risked.clear()


def _is_repeatable(seen: ReceivedRequest) -> bool:
    template = re.sub(contract.UUID.pattern, "{}", seen.path.partition("?")[0])
    return f"{seen.method} {template}" not in _NOT_REPEATABLE


def _check_error(normal: ReferenceCall, line: str, now: State) -> Iterator[str]:
    code, _, said = line.partition(": ")
    if code not in _codes() or not said or "\n" in line or "Traceback" in line:
        yield f"no line of a known kind: {line}"
    if PRIVATE_DOMAIN in line:
        yield f"shows a person's data: {line}"
    if "nothing was" in line and now != normal.before:
        yield f"says that nothing was changed, which is not so: {line}"
    settled = code not in _UNSETTLED
    if counted := _COUNTED.get(normal.call):
        yield from _check_counts(normal, counted, _counts_in_error(line), now, settled=settled)
    if settled and now != normal.before and "until then" not in line:
        yield f"does not say that something was changed: {line}"


def _check_answer(normal: ReferenceCall, case: FaultyCall) -> Iterator[str]:
    answer, now = case.answer, case.now
    if case.gone and normal.call in _SKIP_MISSING_RECORDS:
        return
    if counted := _COUNTED.get(normal.call) if answer != normal.answer else None:
        yield from _check_counts(normal, counted, _counts_in_answer(answer), now, settled=True)
    elif answer not in (
        normal.answer,
        {**normal.answer, **_VARIATIONS.get(normal.call, {})},
        *_PARTIAL_ANSWERS.get(normal.call, ()),
    ):
        yield f"another answer: {answer} and not {normal.answer}"
    elif now != normal.after:
        yield f"says that all was done, which is not so: {(normal.after - now) + (now - normal.after)}"


def _check_counts(
    normal: ReferenceCall, counted: Counted, said: Mapping[str, int], now: State, *, settled: bool
) -> Iterator[str]:
    """All changes reported as done were done; all changes done are reported, at least as unknown."""
    reported, unknown, done = (
        sum(said.get(word, 0) for word in counted.counters),
        said.get("unknown", 0),
        counted.done(normal, now),
    )
    if reported > done or (settled and done > reported + unknown):
        yield f"counts {dict(said)}, but {done} were done"


_NAMES_IN_ERRORS = {"new_contacts": "created", "updates": "updated", "new_members": "added", "restores": "restored"}


def _counts_in_error(line: str) -> Mapping[str, int]:
    """The counts in a line such as `server_fault: …; until then 3 of 9 done: 1 created, 2 unknown; …`."""
    _, _, counts = line.partition("; until then ")
    return {
        word: int(number)
        for number, word in re.findall(r"(\d+) (created|updated|restored|added|deleted|unknown)", counts)
    }


def _counts_in_answer(answer: Mapping[str, Any]) -> Mapping[str, int]:
    """The counts of an answer, as errors name them. A deletion that may have happened counts as unknown."""
    merges = answer.get("clusters", [answer])
    left = [each for merge in merges for each in merge.get("not_deleted", ())]
    lost = [each for each in left if each.partition(": ")[2] in _UNSETTLED]
    counts = {_NAMES_IN_ERRORS.get(name, name): value for name, value in answer.items() if isinstance(value, int)}
    counts["deleted"] = sum(len(merge.get("deleted", ())) for merge in merges)
    return {**counts, "unknown": counts.get("unknown", 0) + len(lost)}


@cache
def _codes() -> set[str]:
    """The codes of all errors that a caller may read, without internal errors."""

    def of(kind: type[contract.ContactsError]) -> Iterator[str]:
        yield kind.code
        for each in kind.__subclasses__():
            yield from of(each)

    return set(of(contract.ContactsError)) - {contract.ContactsError.code}
