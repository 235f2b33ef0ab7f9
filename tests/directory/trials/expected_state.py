"""Compares the logs of writers with the contents of a directory."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from contacts_mcp.directory import Location
from contacts_mcp.directory.database import Database
from contacts_mcp.directory.maintenance import check
from contacts_mcp.directory.store import read_receipts


@dataclass
class ExpectedState:
    """The acknowledged writes, and the request of each task that had no answer when the task ended."""

    fields: dict[tuple[str, str], Any] = field(default_factory=dict)
    live: dict[str, str | None] = field(default_factory=dict)
    """Contacts with the names they were given since their creation."""
    deleted: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    members: set[tuple[str, str]] = field(default_factory=set)
    pending: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    failures: list[tuple[int, str]] = field(default_factory=list)
    completed: Counter[str] = field(default_factory=Counter)
    stale_reads: int = 0
    """Number of reads that returned another value than was acknowledged to the reader."""

    def apply(self, log: Path) -> None:
        """Add the events of a log, whose last line may be incomplete."""
        lines = log.read_text().split("\n")[:-1] if log.exists() else []
        for task, what, *facts in map(json.loads, lines):
            if what == "begin":
                self.pending[task] = (facts[0], facts[1])
            elif what == "failed":
                self.failures.append((facts[0], facts[1]))
            elif what == "done":
                kind, before = self.pending.pop(task)
                self.completed[kind] += 1
                self._acknowledge(kind, **before, **facts[0])

    def _acknowledge(self, kind: str, **facts: Any) -> None:
        match kind:
            case "field":
                self.fields[facts["contact"], facts["field"]] = facts["value"]
            case "read":
                key = facts["contact"], facts["field"]
                self.stale_reads += key in self.fields and self.fields[key] != facts["value"]
            case "batch":
                assert len(facts["ids"]) == facts["size"]
                self.live |= dict.fromkeys(facts["ids"])
            case "rename":
                self.live |= dict.fromkeys(facts["ids"], facts["name"])
            case "join":
                self.members |= {(facts["group"], each) for each in facts["ids"]}
            case "leave":
                self.members.discard((facts["group"], facts["contact"]))
            case "delete" | "erase":
                del self.live[facts["contact"]]
                (self.deleted if kind == "delete" else self.erased).add(facts["contact"])
                self.members = {(group, each) for group, each in self.members if each != facts["contact"]}


@dataclass
class ActualState:
    """The contents of a directory."""

    contacts: dict[str, dict[str, Any]]
    members: dict[str, list[str]]
    counts: dict[str, int]
    total: int
    erased: set[str]
    faults: list[str]


async def read_state(location: Location, http: httpx.AsyncClient) -> ActualState:
    """Read all contents of a directory, and check it."""
    contacts, after, fields = {}, 0, ["id", "name", "company_name", "phone_number", "email", "notes", "tags"]
    while after is not None:
        page = (await http.get("/v1/directory/contacts", params={"fields": fields, "after": after})).json()
        contacts |= {row[0]: dict(zip(fields, row, strict=True)) for row in page["rows"]}
        after = page["next"]
    groups = (await http.get("/v1/contacts/groups")).json()["groups"]
    members = {}
    for group in groups:
        rows = (await http.get(f"/v1/contacts/groups/{group['id']}/members")).json()["members"]
        members[group["id"]] = [each["id"] for each in rows]
    async with aclosing(Database(location)) as database:
        erased = await database.read(lambda connection: {row["contact_id"] for row in read_receipts(connection)})
        faults = await database.read(check)
    counts = {group["id"]: group["member_count"] for group in groups}
    return ActualState(contacts, members, counts, (await http.get("/v1/contacts")).json()["total"], erased, faults)


def differences(expected: ExpectedState, actual: ActualState) -> list[str]:
    """Return what differs from the expected state; an empty list if nothing does."""
    return [*_lost_writes(expected, actual), *_partial_writes(expected, actual), *actual.faults]


def _lost_writes(expected: ExpectedState, actual: ActualState) -> Iterator[str]:
    """Acknowledged writes that are lost, unless a task had begun to change the same value when it ended."""
    uncertain_ids, uncertain_fields, uncertain_members = _uncertain(expected)
    if expected.stale_reads:
        yield f"{expected.stale_reads} reads returned an older value than was acknowledged"
    for (contact, name), value in expected.fields.items():
        if actual.contacts[contact][name] not in (value, uncertain_fields.get((contact, name), value)):
            yield f"field {name} of {contact} is lost"
    for contact, name in expected.live.items():
        stored = actual.contacts.get(contact)
        if stored is None and contact not in uncertain_ids:
            yield f"contact {contact} is lost"
        elif stored and name and stored["name"] != name and contact not in uncertain_ids:
            yield f"the name of {contact} is lost"
    yield from (f"contact {each} is back" for each in (expected.deleted | expected.erased) & actual.contacts.keys())
    yield from (f"the receipt of {each} is lost" for each in expected.erased - actual.erased)
    memberships = {(group, each) for group, ids in actual.members.items() for each in ids if each in expected.live}
    yield from (f"membership {each} differs" for each in (expected.members ^ memberships) - uncertain_members)
    if actual.total != len(actual.contacts):
        yield f"{actual.total} contacts are counted, {len(actual.contacts)} are stored"
    for group, ids in actual.members.items():
        if not actual.counts[group] == len(ids) == len(set(ids)):
            yield f"group {group} counts {actual.counts[group]} and has {len(ids)}, {len(set(ids))} of them different"


def _partial_writes(expected: ExpectedState, actual: ActualState) -> Iterator[str]:
    """Transactions that have only part of their effects."""
    tags = Counter(tag for row in actual.contacts.values() for tag in row["tags"])
    members = {(group, each) for group, ids in actual.members.items() for each in ids}
    for task, (kind, facts) in expected.pending.items():
        if kind == "batch" and tags[facts["tag"]] not in (0, facts["size"]):
            yield f"{task}: {tags[facts['tag']]} of a batch of {facts['size']}"
        if kind == "rename" and len({actual.contacts[each]["name"] == facts["name"] for each in facts["ids"]}) > 1:
            yield f"{task}: only some updates of a batch"
        if kind == "join":
            new = [(facts["group"], each) for each in facts["ids"] if (facts["group"], each) not in expected.members]
            if len({each in members for each in new}) > 1:
                yield f"{task}: only some members joined"


def _uncertain(expected: ExpectedState) -> tuple[set[str], dict[tuple[str, str], Any], set[tuple[str, str]]]:
    """Contacts, fields and memberships with an unknown outcome."""
    ids: set[str] = set()
    fields: dict[tuple[str, str], Any] = {}
    for kind, facts in expected.pending.values():
        if kind == "field":
            fields[facts["contact"], facts["field"]] = facts["value"]
        elif kind in {"rename", "delete", "erase"}:
            ids |= set(facts.get("ids") or [facts["contact"]])
    members = {(group, each) for group, each in expected.members if each in ids}
    for kind, facts in expected.pending.values():
        if kind in {"join", "leave"}:
            members |= {(facts["group"], each) for each in facts.get("ids") or [facts["contact"]]}
    return ids, fields, members
