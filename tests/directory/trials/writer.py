"""Writes to a directory for a while, with several tasks: `python writer.py LOG PLAN`, where PLAN is JSON.

Each task logs what it is about to do and, once it is acknowledged, the result. After this process is killed, the log
says what must be in the directory and what may be. A task ends with its first answer that is not a success.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from contacts_mcp.directory import Directory, parse_location

FIELDS = ("name", "company_name", "phone_number", "email", "notes", "tags")
"""Each field of a shared contact has one owner."""

WEIGHTS = {"field": 8, "batch": 3, "rename": 3, "join": 3, "leave": 2, "delete": 2, "read": 4, "crowd": 2, "erase": 1}


def value_of(field: str, number: int) -> Any:
    """Return the value that the owner of a field writes in its `number`th write."""
    values = {"phone_number": f"+479{number:07}", "email": f"n{number}@example.com", "tags": [f"n{number}"]}
    return values.get(field, f"Value {number}")


class Task:
    """A task that owns one field of a shared contact and all contacts that it creates."""

    def __init__(self, name: str, http: httpx.AsyncClient, note: Callable[..., None], plan: dict[str, Any]) -> None:
        self.name, self.http, self.note, self.plan = name, http, note, plan
        self.chance = random.Random(name)
        self.contact, self.field = plan["owns"][name]
        self.own: list[str] = []
        self.joined: set[tuple[str, str]] = set()
        self.number = 0

    async def run(self) -> None:
        """Write until the time is over or a write fails."""
        until = time.monotonic() + self.plan["seconds"]
        while time.monotonic() < until:
            self.number += 1
            (kind,) = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
            if (kind in {"rename", "join", "delete", "erase"} and len(self.own) < 3) or (
                kind == "leave" and not self.joined
            ):
                kind = "batch"
            if not await getattr(self, f"_{kind}")():
                return

    async def _do(
        self,
        kind: str,
        method: str,
        path: str,
        body: Any = None,
        learn: Callable[[Any], dict[str, Any]] = lambda _: {},
        **facts: Any,
    ) -> bool:
        """Send a request, and log it with its facts and those that `learn` finds in the answer."""
        self.note(self.name, "begin", kind, facts)
        answer = await self.http.request(method, path, json=body)
        if answer.is_success:
            self.note(self.name, "done", learn(answer.json() if answer.content else None))
        else:
            self.note(self.name, "failed", answer.status_code, answer.text)
        return answer.is_success

    async def _field(self) -> bool:
        value = value_of(self.field, self.number)
        facts = {"contact": self.contact, "field": self.field, "value": value}
        return await self._do("field", "PATCH", f"/v1/contacts/{self.contact}", {self.field: value}, **facts)

    async def _read(self) -> bool:
        """Read a value that was acknowledged."""

        def learn(contact: Any) -> dict[str, Any]:
            return {"contact": self.contact, "field": self.field, "value": contact[self.field]}

        return await self._do("read", "GET", f"/v1/contacts/{self.contact}", learn=learn)

    async def _batch(self) -> bool:
        tag, size = f"{self.name}-{self.number}", self.chance.choice([1, 5, 25])
        creates = [
            {"name": f"Crowd {self.name} {index}", "tags": [tag], "phone_number": f"+47{self.number:04}{index:04}"}
            for index in range(size)
        ]

        def learn(answer: Any) -> dict[str, Any]:
            made = [each["id"] for each in answer["results"]]
            self.own += made
            return {"ids": made}

        return await self._do(
            "batch", "POST", "/v1/directory/contacts", {"creates": creates}, learn, tag=tag, size=size
        )

    async def _rename(self) -> bool:
        """Update several contacts, some of which also change their type."""
        some = self.chance.sample(self.own, 3)
        name = f"Renamed {self.chance.choice(['Hansen', 'Olsen'])} {self.name} {self.number}"
        kind = self.chance.choice(["person", "company"])
        body = {"updates": [{"id": each, "name": name, "type": kind} for each in some]}
        return await self._do("rename", "POST", "/v1/directory/contacts", body, ids=some, name=name)

    async def _join(self) -> bool:
        group, some = self.chance.choice(self.plan["groups"]), self.chance.sample(self.own, 3)
        ids = [*some, *self.chance.sample(self.plan["contacts"], 3)]
        self.joined |= {(group, each) for each in some}
        path = f"/v1/contacts/groups/{group}/members"
        return await self._do("join", "POST", path, {"contact_ids": ids}, group=group, ids=some)

    async def _leave(self) -> bool:
        group, contact = self.chance.choice(sorted(self.joined))
        self.joined.remove((group, contact))
        path = f"/v1/contacts/groups/{group}/members/{contact}"
        return await self._do("leave", "DELETE", path, group=group, contact=contact)

    async def _crowd(self) -> bool:
        """Remove a shared contact from a group that another task may have added it to, and search meanwhile."""
        group, contact = self.chance.choice(self.plan["groups"]), self.chance.choice(self.plan["contacts"])
        self.note(self.name, "begin", "crowd", {})
        answers = await asyncio.gather(
            self.http.delete(f"/v1/contacts/groups/{group}/members/{contact}"),
            self.http.get("/v1/contacts", params={"search": "renamd hansen"}),
        )
        for answer in answers:
            if answer.status_code not in {200, 204, 404}:
                self.note(self.name, "failed", answer.status_code, answer.text)
                return False
        self.note(self.name, "done", {})
        return True

    async def _delete(self) -> bool:
        contact = self._give_up()
        return await self._do("delete", "DELETE", f"/v1/contacts/{contact}", contact=contact)

    async def _erase(self) -> bool:
        contact = self._give_up()
        path = f"/v1/contacts/{contact}/gdpr-delete"
        return await self._do("erase", "POST", path, {"reason": "asked"}, contact=contact)

    def _give_up(self) -> str:
        contact = self.own.pop(self.chance.randrange(len(self.own)))
        self.joined = {(group, each) for group, each in self.joined if each != contact}
        return contact


async def main(log: Path, plan: dict[str, Any]) -> None:
    """Wait for the signal to begin, then run all tasks."""
    with log.open("a", buffering=1) as file:

        def note(*what: Any) -> None:
            file.write(json.dumps(what) + "\n")

        async with (
            Directory(parse_location(plan["location"])) as directory,
            httpx.AsyncClient(transport=httpx.ASGITransport(directory.app), base_url="http://d", timeout=None) as http,
        ):
            tasks = [Task(name, http, note, plan) for name in plan["owns"]]
            note("", "ready")
            while not Path(plan["sign"]).exists():  # noqa: ASYNC110 - from another process
                await asyncio.sleep(0.01)
            await asyncio.gather(*(task.run() for task in tasks))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
