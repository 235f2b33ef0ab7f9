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

WEIGHTS = {
    "field": 8, "batch": 3, "rename": 3, "join": 3, "leave": 2,
    "delete": 2, "read": 4, "crowd": 2, "search": 2, "erase": 1,
}  # fmt: skip

Request = tuple[str, str, Any, dict[str, Any]]
"""Method, path and body of a request, and the facts to log about it."""


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
            kind = self._choose()
            method, path, body, facts = getattr(self, f"_{kind}")()
            self.note(self.name, "begin", kind, facts)
            answer = await self.http.request(method, path, json=body)
            if not answer.is_success and (kind, answer.status_code) != ("crowd", 404):
                self.note(self.name, "failed", answer.status_code, answer.text)
                return
            self.note(self.name, "done", self._learn(kind, answer))

    def _choose(self) -> str:
        (kind,) = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        needs_contacts = kind in {"rename", "join", "delete", "erase"}
        is_possible = len(self.own) > 2 if needs_contacts else self.joined or kind != "leave"
        return kind if is_possible else "batch"

    def _learn(self, kind: str, answer: httpx.Response) -> dict[str, Any]:
        """Return the facts that only the answer has."""
        if kind == "batch":
            made = [each["id"] for each in answer.json()["results"]]
            self.own += made
            return {"ids": made}
        if kind == "read":
            return {"contact": self.contact, "field": self.field, "value": answer.json()[self.field]}
        return {}

    def _field(self) -> Request:
        number = self.number
        special = {"phone_number": f"+479{number:07}", "email": f"n{number}@example.com", "tags": [f"n{number}"]}
        value = special.get(self.field, f"Value {number}")
        facts = {"contact": self.contact, "field": self.field, "value": value}
        return "PATCH", f"/v1/contacts/{self.contact}", {self.field: value}, facts

    def _read(self) -> Request:
        """Read a value that was acknowledged."""
        return "GET", f"/v1/contacts/{self.contact}", None, {}

    def _batch(self) -> Request:
        tag, size = f"{self.name}-{self.number}", self.chance.choice([1, 5, 25])
        creates = [
            {"name": f"Crowd {self.name} {index}", "tags": [tag], "phone_number": f"+47{self.number:04}{index:04}"}
            for index in range(size)
        ]
        return "POST", "/v1/directory/contacts", {"creates": creates}, {"tag": tag, "size": size}

    def _rename(self) -> Request:
        """Update several contacts, some of which also change their type."""
        some = self.chance.sample(self.own, 3)
        name = f"Renamed {self.chance.choice(['Hansen', 'Olsen'])} {self.name} {self.number}"
        kind = self.chance.choice(["person", "company"])
        body = {"updates": [{"id": each, "name": name, "type": kind} for each in some]}
        return "POST", "/v1/directory/contacts", body, {"ids": some, "name": name}

    def _join(self) -> Request:
        group, some = self.chance.choice(self.plan["groups"]), self.chance.sample(self.own, 3)
        ids = [*some, *self.chance.sample(self.plan["contacts"], 3)]
        self.joined |= {(group, each) for each in some}
        return "POST", f"/v1/contacts/groups/{group}/members", {"contact_ids": ids}, {"group": group, "ids": some}

    def _leave(self) -> Request:
        group, contact = self.chance.choice(sorted(self.joined))
        self.joined.remove((group, contact))
        facts = {"group": group, "contact": contact}
        return "DELETE", f"/v1/contacts/groups/{group}/members/{contact}", None, facts

    def _crowd(self) -> Request:
        """Remove a shared contact from a group that another task may have added it to."""
        group, contact = self.chance.choice(self.plan["groups"]), self.chance.choice(self.plan["contacts"])
        return "DELETE", f"/v1/contacts/groups/{group}/members/{contact}", None, {}

    def _search(self) -> Request:
        return "GET", "/v1/contacts?search=renamd+hansen", None, {}

    def _delete(self) -> Request:
        contact = self._give_up()
        return "DELETE", f"/v1/contacts/{contact}", None, {"contact": contact}

    def _erase(self) -> Request:
        contact = self._give_up()
        return "POST", f"/v1/contacts/{contact}/gdpr-delete", {"reason": "asked"}, {"contact": contact}

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
