"""One of several callers of a server, with the model of what the directory should hold for it."""

import time
from collections import Counter, defaultdict
from typing import Any

from support.raw_hosts import Answer
from trust.endurance.model import FIELDS, Fields, Model, PersonFactory, group_key
from trust.endurance.servers import FaultyProxy, Host

_TRANSIENT = {"unreachable", "server_fault", "unreadable_answer", "outcome_unknown", "records_unknown"}
"""Error codes that a fault between the server and the service can cause."""
_UNCHANGED = {"unreachable", "records_unknown"}
"""The codes that report that nothing was changed."""
_ASKING_ATTEMPTS = 20
_CHANGED_MEANWHILE = "not_confirmed: the target was changed after the question was asked; nothing was changed"
_READ_ATTEMPTS = 10


class Caller:
    """A caller whose people have a tag of their own and whose groups have names of their own.

    `proxy` is where faults may come from; without one every call has to succeed.
    """

    def __init__(self, number: int, host: Host, proxy: FaultyProxy | None) -> None:
        self.host = host
        self.proxy = proxy
        self.factory = PersonFactory(number)
        self.tag, self.random = self.factory.tag, self.factory.random
        self.model = Model()
        self.ids: dict[str, str] = {}
        self.deleted: list[str] = []
        """Ids of deleted contacts to erase later: the service keeps deleted contacts."""
        self.calls_by_tool: Counter[str] = Counter()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        """How long each call took since this was cleared, by tool; calls during faults are left out."""

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer:
        """Call a tool, and again while other callers change what its question named, such as related records."""
        for _ in range(_ASKING_ATTEMPTS):
            answer = await self._call_once(tool, agrees=agrees, **arguments)
            if not (answer.failed and answer.line.startswith(_CHANGED_MEANWHILE)):
                break
        return answer

    async def _call_once(self, tool: str, *, agrees: bool, **arguments: Any) -> Answer:
        began = time.perf_counter()
        answer = await self.host.call(tool, agrees=agrees, **arguments)
        if self.proxy is None or not self.proxy.is_faulty:
            self.seconds[tool].append(time.perf_counter() - began)
        self.calls_by_tool[tool] += 1
        return answer

    async def read(self, tool: str, **arguments: Any) -> Fields:
        """Return the answer of a read, which is repeated after a fault."""
        for _ in range(_READ_ATTEMPTS):
            answer = await self.call(tool, **arguments)
            if not self.fault_code(answer):
                return answer.content
        raise AssertionError(answer.line)

    async def change(self, tool: str, after: Model, expected: Fields, **arguments: Any) -> Fields | None:
        """Make a change that leads to the model `after`. Return None if a fault leaves the result unknown."""
        answer = await self.call(tool, **arguments)
        if code := self.fault_code(answer):
            if code not in _UNCHANGED:
                await self.resync(after)
            return None
        content = answer.content
        if self.proxy and _is_partial(content):
            await self.resync(after)
            return None
        assert expected.items() <= content.items(), (tool, expected, content)
        self.model = after
        return content

    async def erase(self, contact_id: str) -> bool:
        """Erase a contact that is not in the model. Return whether it was certainly erased."""
        answer = await self.call("gdpr_delete_contact", contact_id=contact_id, reason="asked for by letter")
        return not self.fault_code(answer)

    def fault_code(self, answer: Answer) -> str:
        """The code of an error that the proxy explains; empty if the call succeeded."""
        if not answer.failed:
            return ""
        code = answer.line.partition(":")[0]
        assert self.proxy, answer.line
        assert code in _TRANSIENT, answer.line
        return code

    async def resync(self, after: Model) -> None:
        """Read all records back: each has to be as before the change or as after it."""
        before, found = self.model, await self._read_all()
        pairs = ((before.people, after.people, found.people), (before.groups, after.groups, found.groups))
        for old, new, now in pairs:
            for key in {*old, *new, *now}:
                assert now.get(key) in (old.get(key), new.get(key)), (key, old.get(key), new.get(key), now.get(key))
        self.deleted += [self.ids.pop(email) for email in before.people if email not in found.people]
        self.model = found

    async def learn_ids(self) -> None:
        """Read the ids of all people in the model, in the order of their creation."""
        rows = await self._rows()
        assert {row["email"] for row in rows} == self.model.people.keys()
        self.ids |= {row["email"]: row["id"] for row in rows}
        self.model.people = {row["email"]: self.model.people[row["email"]] for row in rows}

    async def own_groups(self) -> list[Fields]:
        groups = (await self.read("list_contact_groups", per_page=100))["groups"]
        return [group for group in groups if group_key(group["name"]).startswith(f"{self.tag}g")]

    async def _rows(self) -> list[Fields]:
        """This caller's people as they are listed, in the order of their creation."""
        return (await self.read("list_contacts", tags=[self.tag], per_page=100))["contacts"][::-1]

    async def _read_all(self) -> Model:
        found = Model()
        for row in await self._rows():
            contact = await self.read("get_contact", contact_id=row["id"])
            self.ids[row["email"]] = row["id"]
            found.people[row["email"]] = {name: contact.get(name) for name in FIELDS}
        emails = {self.ids[email]: email for email in found.people}
        for row in reversed(await self.own_groups()):
            group = await self.read("get_contact_group", group_id=row["id"])
            members = (await self.read("list_group_members", group_id=row["id"], per_page=100))["members"]
            self.ids[group_key(group["name"])] = row["id"]
            found.groups[group_key(group["name"])] = {
                "name": group["name"],
                "description": group.get("description"),
                "members": [emails[member["id"]] for member in members],
            }
        return found

    def any_person(self) -> str:
        return self.random.choice(list(self.model.people))

    def any_group(self) -> str:
        return self.random.choice(list(self.model.groups))


def _is_partial(content: Fields) -> bool:
    """Whether an answer says that some of the work failed or may have failed."""
    return any(content.get(name) for name in ("failed", "unknown", "not_deleted")) or content.get("erased") is False
