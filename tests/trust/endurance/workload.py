"""What a caller does: reads, changes, wrong calls and abandoned calls, each checked against the model."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from typing import Any

from contacts_mcp.contract import Risk
from endpoint_cases import CASES, RECORDS
from support.hosts import MISSING_ID, with_ids
from trust.endurance.caller import Caller
from trust.endurance.model import FIELDS, MEMBER_FIELDS, ROW_FIELDS, TAGS, Fields, Model, retag, without_empty

_INVALID_CALLS: tuple[tuple[str, str, Fields], ...] = (
    ("unknown_tool", "drop_table", {}),
    *(
        ("not_found", case.tool, with_ids(case.arguments, dict.fromkeys(RECORDS, MISSING_ID)))
        for case in CASES
        if case.names_records and case.risk is not Risk.ERASE
    ),
    ("not_found", "check_group_audience", {"group_id": MISSING_ID}),
    ("invalid", "get_contact", {}),
    ("not_found", "get_contact", {"contact_id": "nobody is called that"}),
    ("invalid", "create_contact", {}),
    ("invalid", "create_contact", {"name": "A", "nickname": "B"}),
    ("invalid", "list_contacts", {"type": "robot"}),
    ("invalid", "update_contact", {"contact_id": MISSING_ID}),
    ("invalid", "gdpr_delete_contact", {"contact_id": MISSING_ID}),
    ("invalid", "add_matching_to_group", {"group_id": MISSING_ID, "apply": True}),
    ("invalid", "merge_contacts", {"keep_id": MISSING_ID, "merge_ids": [MISSING_ID]}),
    ("invalid", "import_contacts", {"content": "name\nOla", "encoding": "unknown"}),
)
_REMOVALS = ("delete_contact", "delete_contact_group", "remove_group_member")
_LONG_READS = ("export_contacts", "find_duplicate_contacts", "list_contacts")
_ABANDON_WITHIN_SECONDS = 0.012
"""Seconds that an impatient host waits: about as long as calls take."""
_MAX_ABANDONED_CONTACTS = 3
_PEOPLE, _GROUPS = (8, 16), (2, 4)
"""The minimum and maximum that a caller keeps."""


class Workload:
    """One caller's mix of calls, chosen at random so that the numbers of people and groups stay within bounds."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self._abandoned = AbandonedCalls(caller)

    async def run(self, calls: int) -> None:
        """Run actions until this many more calls were sent."""
        limit = self.caller.host.calls + calls
        while self.caller.host.calls < limit:
            weights = self._weights()
            (action,) = self.caller.random.choices(list(weights), list(weights.values()))
            await action(self.caller)

    async def settle(self) -> int:
        """Check the directory against the model, resolve the abandoned calls, and return the number of contacts."""
        await self._abandoned.settle()
        await self.caller.resync(self.caller.model)
        return len(self.caller.model.people) + len(self._abandoned)

    def _weights(self) -> dict[Callable[[Caller], Awaitable[None]], int]:
        people, groups = len(self.caller.model.people), len(self.caller.model.groups)
        more, fewer = people < _PEOPLE[1], people > _PEOPLE[0]
        more_groups, fewer_groups = groups < _GROUPS[1], groups > _GROUPS[0]
        return {
            get_contact: 10 * bool(people),
            list_contacts: 8,
            list_groups: 3,
            get_group: 3 * bool(groups),
            list_members: 4 * bool(groups),
            find_contacts: 3 * bool(people),
            check_audience: 3 * bool(groups),
            find_duplicates: 2,
            export_contacts: 2,
            create_contact: 10 * more,
            update_contact: 14 * fewer,
            delete_contact: 3 * fewer,
            delete_and_restore_contact: 2 * bool(people),
            erase_contact: 5 * fewer,
            erase_deleted_contact: 4 * bool(self.caller.deleted),
            import_contacts: 2 * more,
            update_matching: 3,
            merge_contacts: 2 * fewer,
            create_group: 3 * more_groups,
            update_group: 3 * fewer_groups,
            delete_group: 2 * fewer_groups,
            add_members: 5 * (fewer_groups and people > 0),
            remove_member: 4,
            add_matching: 3 * fewer_groups,
            call_invalidly: 6,
            decline: 2 * fewer,
            self._abandoned.abandon: 5,
        }


async def get_contact(caller: Caller) -> None:
    email = caller.any_person()
    contact = await caller.read("get_contact", contact_id=caller.ids[email])
    assert {name: contact[name] for name in FIELDS if name in contact} == without_empty(caller.model.people[email])


async def list_contacts(caller: Caller) -> None:
    page, per_page = caller.random.choice([(1, 100), (1, 5), (2, 5)])
    wanted: Fields = {"tags": [caller.tag, *caller.random.sample(TAGS, caller.random.choice((0, 0, 1)))]}
    if caller.random.random() < 0.3:
        wanted["type"] = caller.random.choice(["person", "company"])
    matching = caller.model.matching(**wanted)[::-1]
    listing = await caller.read("list_contacts", page=page, per_page=per_page, **wanted)
    people = caller.model.people
    rows = [{"id": caller.ids[email], **without_empty(people[email], ROW_FIELDS)} for email in matching]
    assert (listing["total"], listing["contacts"]) == (len(matching), rows[(page - 1) * per_page : page * per_page])


async def list_groups(caller: Caller) -> None:
    listed = [(each["name"], each["member_count"]) for each in await caller.own_groups()]
    assert listed == [(each["name"], len(each["members"])) for each in caller.model.groups.values()][::-1]


async def get_group(caller: Caller) -> None:
    key = caller.any_group()
    group, known = await caller.read("get_contact_group", group_id=caller.ids[key]), caller.model.groups[key]
    assert (group["name"], group.get("description")) == (known["name"], known["description"])
    assert group["member_count"] == len(known["members"])


async def list_members(caller: Caller) -> None:
    key, people = caller.any_group(), caller.model.people
    listing = await caller.read("list_group_members", group_id=caller.ids[key], per_page=100)
    members = caller.model.groups[key]["members"]
    rows = [{"id": caller.ids[email], **without_empty(people[email], MEMBER_FIELDS)} for email in members]
    assert listing["members"] == rows


async def find_contacts(caller: Caller) -> None:
    email = caller.any_person()
    found = await caller.read("find_contacts", query=email)
    assert found["candidates"][0]["id"] == caller.ids[email]


async def check_audience(caller: Caller) -> None:
    key = caller.any_group()
    audience = await caller.read("check_group_audience", group_id=caller.ids[key])
    numbers = [caller.model.people[email]["phone_number"] for email in caller.model.groups[key]["members"]]
    reachable = [number for number in numbers if number]
    counts = {"members": len(numbers), "reachable": len(reachable), "numbers": len(set(reachable))}
    assert counts.items() <= audience.items()


async def find_duplicates(caller: Caller) -> None:
    found = await caller.read("find_duplicate_contacts", tags=[caller.tag])
    assert found["compared"] == len(caller.model.people)


async def export_contacts(caller: Caller) -> None:
    exported = await caller.read("export_contacts", tags=[caller.tag])
    content = (await caller.host.read(exported["uri"])).result["contents"][0]["text"]
    rows = list(csv.DictReader(io.StringIO(content)))
    assert exported["contacts"] == len(rows)
    assert [row["email"] for row in rows] == list(caller.model.people)


async def create_contact(caller: Caller) -> None:
    await _create(caller, caller.factory.person())


async def _create(caller: Caller, fields: Fields) -> str | None:
    """Create a contact. Return its e-mail address if it was certainly created."""
    email, given = fields["email"], without_empty(fields)
    if content := await caller.change("create_contact", caller.model.with_person(**fields), given, **given):
        caller.ids[email] = content["id"]
        return str(email)
    return None


async def update_contact(caller: Caller) -> None:
    email, other = caller.any_person(), caller.factory.person()
    fields = caller.model.people[email]
    wanted = caller.random.sample(("name", "type", "company_name", "phone_number", "notes"), 2)
    sets = {name: other[name] for name in wanted if other[name] is not None}
    clears = [name for name in wanted if other[name] is None]
    add, remove = caller.random.sample(TAGS, 2)
    arguments: Fields = {**sets, "add_tags": [add], "remove_tags": [remove]}
    if clears:
        arguments["clear_fields"] = clears
    values = {**sets, **dict.fromkeys(clears), "tags": retag(fields["tags"], add, remove)}
    after = caller.model.with_person(email, **values)
    expected = {name: value for name, value in without_empty(after.people[email]).items() if name != "notes"}
    if content := await caller.change("update_contact", after, expected, contact_id=caller.ids[email], **arguments):
        changed = {each["field"] for each in content["changed"]}
        assert changed == {name for name in values if values[name] != fields[name]}


async def delete_contact(caller: Caller) -> None:
    email = caller.any_person()
    after = caller.model.without_person(email)
    if await caller.change("delete_contact", after, {"done": True}, contact_id=caller.ids[email]):
        caller.deleted.append(caller.ids.pop(email))


async def delete_and_restore_contact(caller: Caller) -> None:
    """The contact is found among the deleted ones, and afterwards where it was, but in no group."""
    email = caller.any_person()
    contact_id, without = caller.ids[email], caller.model.without_person(email)
    restored = Model(caller.model.people, without.groups)
    if not await caller.change("delete_contact", without, {"done": True}, contact_id=contact_id):
        return
    listed = await caller.read("list_deleted_contacts", search=email)
    assert [each["id"] for each in listed["contacts"]] == [contact_id]
    await caller.change("restore_contact", restored, {"id": contact_id}, contact_id=contact_id)
    if email not in caller.model.people:
        caller.deleted.append(caller.ids.pop(email))


async def erase_contact(caller: Caller) -> None:
    email = caller.any_person()
    arguments = {"contact_id": caller.ids[email], "reason": "asked for by letter"}
    if await caller.change("gdpr_delete_contact", caller.model.without_person(email), {"erased": True}, **arguments):
        del caller.ids[email]


async def erase_deleted_contact(caller: Caller) -> None:
    if await caller.erase(caller.deleted[0]):
        del caller.deleted[0]


async def import_contacts(caller: Caller) -> None:
    rows = [caller.factory.person(type="person", notes=None, tags=[caller.tag]) for _ in range(2)]
    columns = ("name", "email", "phone_number", "company_name")
    lines = [",".join(columns), *(",".join(row[name] or "" for name in columns) for row in rows)]
    arguments = {"content": "\n".join(lines), "tags": [caller.tag]}
    plan = await caller.read("import_contacts", **arguments)
    assert (plan["new_contacts"], plan["updates"]) == (2, 0)
    after = caller.model
    for row in rows:
        after = after.with_person(**row)
    if await _apply(caller, "import_contacts", plan, after, {"new_contacts": 2}, **arguments):
        await caller.learn_ids()


async def update_matching(caller: Caller) -> None:
    add, remove = caller.random.sample(TAGS, 2)
    arguments: Fields = {"tags": [caller.tag], "add_tags": [add], "remove_tags": [remove]}
    if caller.random.random() < 0.2:
        arguments["set_company_name"] = caller.factory.company()
    after, changing = caller.model, 0
    for email, fields in caller.model.people.items():
        values = {"tags": retag(fields["tags"], add, remove)}
        if company := arguments.get("set_company_name"):
            values["company_name"] = company
        changing += any(fields[name] != value for name, value in values.items())
        after = after.with_person(email, **values)
    plan = await caller.read("update_matching_contacts", **arguments)
    assert (plan["matched"], plan["updates"]) == (len(caller.model.people), changing)
    await _apply(caller, "update_matching_contacts", plan, after, {"updates": changing}, **arguments)


async def add_matching(caller: Caller) -> None:
    key, tags = caller.any_group(), [caller.tag, caller.random.choice(TAGS)]
    members = caller.model.groups[key]["members"]
    joining = [email for email in caller.model.matching(tags=tags) if email not in members]
    arguments = {"group_id": caller.ids[key], "tags": tags}
    plan = await caller.read("add_matching_to_group", **arguments)
    assert plan["new_members"] == len(joining)
    after = caller.model.with_group(key, members=[*members, *joining])
    expected = {"members": len(members) + len(joining)}
    await _apply(caller, "add_matching_to_group", plan, after, expected, **arguments)


async def _apply(
    caller: Caller, tool: str, plan: Fields, after: Model, expected: Fields, **arguments: Any
) -> Fields | None:
    """Apply a plan; a plan without changes has no fingerprint and there is nothing to apply."""
    if "plan" not in plan:
        return None
    return await caller.change(tool, after, {"applied": True, **expected}, **arguments, plan=plan["plan"], apply=True)


async def merge_contacts(caller: Caller) -> None:
    """Merge two records of a person, with one number and two e-mail addresses."""
    email = caller.any_person()
    fields = caller.model.people[email]
    if fields["phone_number"] is None:
        return
    same = {name: fields[name] for name in ("type", "name", "phone_number")}
    twin = await _create(caller, caller.factory.person(**same, company_name=None, notes=None, tags=[caller.tag]))
    if twin is None:
        return
    ids = {caller.ids[email], caller.ids[twin]}
    found = await caller.read("find_duplicate_contacts", tags=[caller.tag], limit=50)
    assert any(ids <= {each["id"] for each in cluster["contacts"]} for cluster in found["clusters"])
    notes = "\n".join(filter(None, [fields["notes"], f"Also: {twin}"]))
    after = caller.model.without_person(twin).with_person(email, notes=notes)
    keep, merged = caller.ids[email], caller.ids[twin]
    if await caller.change("merge_contacts", after, {"deleted": [merged]}, keep_id=keep, merge_ids=[merged]):
        caller.deleted.append(caller.ids.pop(twin))


async def create_group(caller: Caller) -> None:
    key = f"{caller.tag}g{caller.factory.serial()}"
    arguments = {"name": f"{caller.factory.word()} {key}"}
    if caller.random.random() < 0.5:
        arguments["description"] = "For news"
    after = caller.model.with_group(key, **arguments)
    if content := await caller.change("create_contact_group", after, arguments, **arguments):
        caller.ids[key] = content["id"]


async def update_group(caller: Caller) -> None:
    key = caller.any_group()
    name = {"name": f"{caller.factory.word()} {key}"}
    clears = caller.random.random() < 0.5
    more: Fields = {"clear_fields": ["description"]} if clears else {"description": caller.factory.word()}
    after = caller.model.with_group(key, **name, description=more.get("description"))
    await caller.change("update_contact_group", after, name, group_id=caller.ids[key], **name, **more)


async def delete_group(caller: Caller) -> None:
    key = caller.any_group()
    after = caller.model.without_group(key)
    await caller.change("delete_contact_group", after, {"done": True}, group_id=caller.ids[key])


async def add_members(caller: Caller) -> None:
    key, emails = caller.any_group(), list(dict.fromkeys(caller.any_person() for _ in range(4)))
    members = caller.model.groups[key]["members"]
    new = [email for email in emails if email not in members]
    after = caller.model.with_group(key, members=[*members, *new])
    ids = [caller.ids[email] for email in emails]
    if content := await caller.change("add_group_members", after, {}, group_id=caller.ids[key], contact_ids=ids):
        # If a first answer was lost, the second reports that no member is new.
        assert content["added"] == len(new) or (caller.proxy and content["added"] == 0)


async def remove_member(caller: Caller) -> None:
    filled = [key for key, group in caller.model.groups.items() if group["members"]]
    if filled:
        key = caller.random.choice(filled)
        members = caller.model.groups[key]["members"]
        leaving = caller.random.choice(members)
        after = caller.model.with_group(key, members=[member for member in members if member != leaving])
        ids = {"group_id": caller.ids[key], "contact_id": caller.ids[leaving]}
        await caller.change("remove_group_member", after, {"done": True}, **ids)


async def call_invalidly(caller: Caller) -> None:
    code, tool, arguments = caller.random.choice(_INVALID_CALLS)
    answer = await caller.call(tool, **arguments)
    if caller.proxy and tool in _REMOVALS and not answer.failed:
        return  # the answer was lost, and the second attempt found nothing: the client takes the removal for its own
    assert answer.line.startswith(f"{code}:") or caller.fault_code(answer), (tool, arguments, answer.line)


async def decline(caller: Caller) -> None:
    answer = await caller.call("delete_contact", agrees=False, contact_id=caller.ids[caller.any_person()])
    assert (answer.content or {}).get("done") is False or caller.fault_code(answer), answer.line


class AbandonedCalls:
    """Calls that a host abandons, about contacts outside the model. The server carries out some of them."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._contacts: dict[str, tuple[str, Fields]] = {}
        self._possible: dict[str, list[Fields | None]] = {}
        """The possible states of each contact of an abandoned call; None if it may not exist."""

    def __len__(self) -> int:
        return len(self._contacts)

    async def abandon(self, caller: Caller) -> None:
        """Send a read or a change, and stop waiting for its answer too early."""
        kind = caller.random.choice(["read", "create", "update", "delete"])
        if kind == "read":
            await self._call(caller.random.choice(_LONG_READS), tags=[caller.tag])
        elif kind == "create" or not self._contacts:
            fields = caller.factory.person(tags=[f"abandoned {caller.tag}"])
            self._possible[fields["email"]] = [None, fields]
            await self._call("create_contact", **without_empty(fields))
        else:
            email, (contact_id, fields) = caller.random.choice(list(self._contacts.items()))
            possible = self._possible.setdefault(email, [fields])
            if kind == "update":
                notes = f"note {caller.factory.serial()}"
                possible += [{**each, "notes": notes} for each in possible if each]
                await self._call("update_contact", contact_id=contact_id, notes=notes)
            else:
                possible.append(None)
                await self._call("delete_contact", contact_id=contact_id)

    async def settle(self) -> None:
        """Read the contacts back, without faults: each change was made once or not at all."""
        for email, possible in self._possible.items():
            await self._settle(email, possible)
        self._possible.clear()
        while len(self._contacts) > _MAX_ABANDONED_CONTACTS:
            _, (contact_id, _) = self._contacts.popitem()
            assert await self._caller.erase(contact_id)

    async def _call(self, tool: str, **arguments: Any) -> None:
        seconds = self._caller.random.uniform(0.0, _ABANDON_WITHIN_SECONDS)
        try:
            await asyncio.wait_for(self._caller.host.call(tool, **arguments), seconds)
        except TimeoutError:
            self._caller.calls_by_tool["abandoned"] += 1

    async def _settle(self, email: str, possible: list[Fields | None]) -> None:
        contact_id, _ = self._contacts.pop(email, ("", None))
        listed = (await self._caller.read("list_contacts", search=email))["contacts"]
        rows = [row for row in listed if row.get("email") == email]
        if not rows:
            assert None in possible, email
            self._caller.deleted += [contact_id] if contact_id else []
            return
        (row,) = rows
        contact = await self._caller.read("get_contact", contact_id=row["id"])
        fields = {name: contact.get(name) for name in FIELDS}
        assert fields in possible, (fields, possible)
        self._contacts[email] = (row["id"], fields)
