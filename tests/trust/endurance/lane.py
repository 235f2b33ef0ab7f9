"""One caller among several on a directory, and the book that they keep of what should be in it."""

import random
import time
from collections import Counter, defaultdict
from typing import Any

from network.callers import Answer
from trust.endurance.book import FIELDS, Book, LogFields, key_of
from trust.endurance.cast import Cast
from trust.endurance.hosts import Host
from trust.endurance.weather import Weather

_PASSING = {"unreachable", "server_fault", "unreadable_answer", "outcome_unknown"}
"""What bad weather may be told of as."""
_UNTOUCHED = {"unreachable"}
"""Those of them that say that nothing was changed."""
_LOOKS = 10
"""Times that is asked for what bad weather keeps away."""


class Lane:
    """A caller whose people bear a tag of their own, and whose groups have names of their own.

    `weather` is what may keep answers away; without any, every call has to succeed.
    """

    def __init__(self, number: int, host: Host, weather: Weather | None) -> None:
        self.host = host
        self.cast = Cast(number)
        self.book = Book()
        self.ids: dict[str, str] = {}
        self.deleted: list[str] = []
        """Ids of who was deleted and is still to be erased: what is deleted stays with the service."""
        self.done: Counter[str] = Counter()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        """How long calls took since this was emptied, by tool; none in bad weather."""
        self.weather = weather

    @property
    def tag(self) -> str:
        return self.cast.tag

    @property
    def random(self) -> random.Random:
        return self.cast.random

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer:
        began = time.perf_counter()
        answer = await self.host.call(tool, agrees=agrees, **arguments)
        if self.weather is None or not self.weather.bad:
            self.seconds[tool].append(time.perf_counter() - began)
        self.done[tool] += 1
        return answer

    async def look(self, tool: str, **arguments: Any) -> LogFields:
        """The answer of a read, which bad weather may put off."""
        for _ in range(_LOOKS):
            answer = await self.call(tool, **arguments)
            if not self.kept_away(answer):
                return answer.content
        raise AssertionError(answer.line)

    async def change(self, tool: str, after: Book, expected: LogFields, **arguments: Any) -> LogFields | None:
        """Make a change; None where it had to be read back what became of it."""
        answer = await self.call(tool, **arguments)
        if code := self.kept_away(answer):
            if code not in _UNTOUCHED:
                await self.read_back(after)
            return None
        content = answer.content
        if self.weather and _is_partial(content):
            await self.read_back(after)
            return None
        assert expected.items() <= content.items(), (tool, expected, content)
        self.book = after
        return content

    async def erase(self, contact_id: str) -> bool:
        """Erase somebody who is not in the book; whether that is certain."""
        answer = await self.call("gdpr_delete_contact", contact_id=contact_id, reason="asked for by letter")
        return not self.kept_away(answer)

    def kept_away(self, answer: Answer) -> str:
        """The code of a fault that the weather accounts for; empty where there is none."""
        if not answer.failed:
            return ""
        code = answer.line.partition(":")[0]
        assert self.weather, answer.line
        assert code in _PASSING, answer.line
        return code

    async def read_back(self, after: Book) -> None:
        """Learn what became of a change: each record is as it was before, or as it is after."""
        before, there = self.book, await self._read_all()
        pairs = ((before.people, after.people, there.people), (before.groups, after.groups, there.groups))
        for old, new, now in pairs:
            for key in {*old, *new, *now}:
                assert now.get(key) in (old.get(key), new.get(key)), (key, old.get(key), new.get(key), now.get(key))
        self.deleted += [self.ids.pop(email) for email in before.people if email not in there.people]
        self.book = there

    async def learn_ids(self) -> None:
        """Learn by which ids everybody in the book goes, and in which order they were created."""
        rows = await self._rows()
        assert {row["email"] for row in rows} == self.book.people.keys()
        self.ids |= {row["email"]: row["id"] for row in rows}
        self.book.people = {row["email"]: self.book.people[row["email"]] for row in rows}

    async def own_groups(self) -> list[LogFields]:
        """The groups of this lane, as they are listed."""
        groups = (await self.look("list_contact_groups", per_page=100))["groups"]
        return [group for group in groups if key_of(group["name"]).startswith(f"{self.tag}g")]

    async def _rows(self) -> list[LogFields]:
        """The people of this lane, as they are listed, in the order of their creation."""
        return (await self.look("list_contacts", tags=[self.tag], per_page=100))["contacts"][::-1]

    async def _read_all(self) -> Book:
        there = Book()
        for row in await self._rows():
            contact = await self.look("get_contact", contact_id=row["id"])
            self.ids[row["email"]] = row["id"]
            there.people[row["email"]] = {name: contact.get(name) for name in FIELDS}
        known = {self.ids[email]: email for email in there.people}
        for row in reversed(await self.own_groups()):
            group = await self.look("get_contact_group", group_id=row["id"])
            members = (await self.look("list_group_members", group_id=row["id"], per_page=100))["members"]
            self.ids[key_of(group["name"])] = row["id"]
            there.groups[key_of(group["name"])] = {
                "name": group["name"],
                "description": group.get("description"),
                "members": [known[member["id"]] for member in members],
            }
        return there

    def one(self) -> str:
        """Anybody."""
        return self.random.choice(list(self.book.people))

    def one_group(self) -> str:
        """Any group."""
        return self.random.choice(list(self.book.groups))


def _is_partial(content: LogFields) -> bool:
    """Whether an answer says itself that not all is known to be done."""
    return any(content.get(name) for name in ("failed", "unknown", "not_deleted")) or content.get("erased") is False
