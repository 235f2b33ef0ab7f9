"""Whether what a caller was told of a call is true, and whether anything was risked for it; pure."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mcp_types import CallToolResult

from contacts_mcp.contract import CALLS, UUID, BatchContacts, ContactsError
from support.hosts import text_of
from support.services import ReceivedRequest
from trust.trials import PRIVATE
from trust.upstream import State

_UNSETTLED = {"outcome_unknown", "server_fault", "unreadable_answer"}
"""Codes that leave open whether something was changed."""
_FLEETING = {"created_at", "updated_at", "file", "uri", "plan"}
_NOT_REPEATABLE = {re.sub(r"{\w+}", "{}", call.route) for call in (*CALLS, BatchContacts) if not call.idempotent}
_GO_ON = ("export_contacts", "merge_contacts", "find_contacts", "gdpr_delete_contact")
"""The tools that go on without a record that is not there (any more)."""
_LESS = {
    "add_group_members": ({},),
    "gdpr_delete_contact": (
        {"erased": False, "seen": "accepted, but it could not be read back: read the contact again to be sure"},
    ),
}
"""What may be answered instead, where all was done but not all is known."""
_LOOKS_FIRST = "import_contacts"
"""The tool that repeats a create once it has seen in the directory that it was not made."""


@dataclass(frozen=True)
class Counted:
    """What a job counts: the words for what it did, and the facts that come of it."""

    words: tuple[str, ...]
    fact: str

    def done(self, normal: "Undisturbed", now: State) -> int:
        """How much of it is so."""
        return sum(count for fact, count in ((normal.after - normal.before) & now).items() if fact[0] == self.fact)


_COUNTED = {
    "import_contacts": Counted(("created", "updated"), "contact"),
    "update_matching_contacts": Counted(("updated",), "contact"),
    "add_matching_to_group": Counted(("added",), "member"),
    "merge_contacts": Counted(("deleted",), "deleted"),
}


@dataclass(frozen=True)
class Undisturbed:
    """A call to which nothing happened: its answer, what it asked of the service, what was so before it and after."""

    tool: str
    answer: Any
    seen: Sequence[ReceivedRequest] = field(compare=False)
    before: State
    after: State


@dataclass(frozen=True)
class Disturbed:
    """The same, where something happened.

    `refused` are the numbers of requests that were certainly not done; `gone` is whether a record was said not to be
    there.
    """

    result: CallToolResult
    answer: Any
    seen: Sequence[ReceivedRequest]
    refused: Collection[int]
    gone: bool
    now: State


def complaints(normal: Undisturbed, case: Disturbed) -> Iterator[str]:
    """What is wrong with a call to which something happened."""
    if strange := _strange(normal, case.now):
        yield f"the directory is neither as before nor as it should be: {strange}"
    yield from _repeats(normal.tool, case)
    if case.result.is_error:
        yield from _of_error(normal, text_of(case.result), case.now)
    else:
        yield from _of_answer(normal, case)


def comparable(answer: Any, known: Collection[str]) -> Any:
    """An answer without times, and without the ids of what it made."""
    if isinstance(answer, dict):
        return {name: comparable(value, known) for name, value in answer.items() if name not in _FLEETING}
    if isinstance(answer, list):
        return [comparable(value, known) for value in answer]
    return "an id" if isinstance(answer, str) and UUID.fullmatch(answer) and answer not in known else answer


def _strange(normal: Undisturbed, now: State) -> State:
    """Facts that are there too often, or too seldom, for a call that was made in part, whole or not at all."""
    most, least = normal.before | normal.after, normal.before & normal.after
    return (now - most) + (least - now)


def _repeats(tool: str, case: Disturbed) -> Iterator[str]:
    """A request that must not be made twice, made again after one that may have worked."""
    risked: list[tuple[str, str, bytes]] = []
    for number, seen in enumerate(case.seen):
        if not _is_repeatable(seen):
            request = (seen.method, seen.path, seen.body)
            if request in risked:
                yield f"{seen.method} {seen.path} was repeated, although it may have worked"
            if number not in case.refused:
                risked.append(request)
        elif tool == _LOOKS_FIRST and seen.method == "GET":
            risked.clear()


def _is_repeatable(seen: ReceivedRequest) -> bool:
    template = re.sub(UUID.pattern, "{}", seen.path.partition("?")[0])
    return f"{seen.method} {template}" not in _NOT_REPEATABLE


def _of_error(normal: Undisturbed, line: str, now: State) -> Iterator[str]:
    code, _, said = line.partition(": ")
    if code not in _codes() or not said or "\n" in line or "Traceback" in line:
        yield f"no line of a known kind: {line}"
    if PRIVATE in line:
        yield f"shows somebody's data: {line}"
    if "nothing was" in line and now != normal.before:
        yield f"says that nothing was changed, which is not so: {line}"
    settled = code not in _UNSETTLED
    if counted := _COUNTED.get(normal.tool):
        yield from _of_counts(normal, counted, _tallied(line), now, settled=settled)
    if settled and now != normal.before and "until then" not in line:
        yield f"does not say that something was changed: {line}"


def _of_answer(normal: Undisturbed, case: Disturbed) -> Iterator[str]:
    answer, now = case.answer, case.now
    if case.gone and normal.tool in _GO_ON:
        return
    if counted := _COUNTED.get(normal.tool) if answer != normal.answer else None:
        yield from _of_counts(normal, counted, _counts(answer), now, settled=True)
    elif answer not in (normal.answer, *_LESS.get(normal.tool, ())):
        yield f"another answer: {answer} and not {normal.answer}"
    elif now != normal.after:
        yield f"says that all was done, which is not so: {(normal.after - now) + (now - normal.after)}"


def _of_counts(
    normal: Undisturbed, counted: Counted, said: Mapping[str, int], now: State, *, settled: bool
) -> Iterator[str]:
    """What is said to be done is; what is done is said to be, or at least to be unknown."""
    told, unknown, done = (
        sum(said.get(word, 0) for word in counted.words),
        said.get("unknown", 0),
        counted.done(normal, now),
    )
    if told > done or (settled and done > told + unknown):
        yield f"counts {dict(said)}, but {done} were done"


def _tallied(line: str) -> Mapping[str, int]:
    """The counts in a line such as `server_fault: …; until then 3 of 9 done: 1 created, 2 unknown; …`."""
    _, _, counts = line.partition("; until then ")
    return {word: int(number) for number, word in re.findall(r"(\d+) (created|updated|added|deleted|unknown)", counts)}


def _counts(answer: Mapping[str, Any]) -> Mapping[str, int]:
    """The counts of an answer. Of what was not deleted some was, where it is not known."""
    lost = [each for each in answer.get("not_deleted", ()) if each.partition(": ")[2] in _UNSETTLED]
    counts = {name: value for name, value in answer.items() if isinstance(value, int)}
    return {
        **counts,
        "deleted": len(answer.get("deleted", ())),
        "unknown": counts.get("unknown", 0) + len(lost),
    }


@cache
def _codes() -> set[str]:
    """Every code that a caller may read: of all errors there are, and none for a fault of the server's own."""

    def of(kind: type[ContactsError]) -> Iterator[str]:
        yield kind.code
        for each in kind.__subclasses__():
            yield from of(each)

    return set(of(ContactsError)) - {ContactsError.code}
