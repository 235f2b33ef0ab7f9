"""Callers with their own keys, which search every answer for data of other tenants."""

import json
import re
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from network.servers import key_of, mark_of
from support.hosts import deleted
from support.raw_hosts import Answer, ModernConnection, key

_MARK = re.compile(r"tenant\d\dzz")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CALLS_PER_CONNECTION = 10
"""Calls on one connection; the next connection may reach another worker."""


class Team:
    """All tenants of a server, and the owner of each id."""

    def __init__(self, size: int, port: int) -> None:
        self.owners: dict[str, str] = {}
        self.tenants = [Tenant(number, port, self) for number in range(size)]


class Tenant:
    """Makes random calls one after another and asserts that each answer is right."""

    def __init__(self, number: int, port: int, team: Team) -> None:
        self.mark = mark_of(number)
        self.calls = 0
        self.contacts: dict[str, str] = {}
        """The expected names by id."""
        self.group = ""
        self.undeleted: dict[str, str] = {}
        """A contact whose deletion only its owner can confirm; other tenants try to."""
        self.question: Answer | None = None
        self._client = ModernConnection(port, key(key_of(self.mark)))
        self._team = team
        self._random = Random(number)

    async def begin(self) -> None:
        """Create the records that the other tenants try to reach."""
        self.group = (await self._call_tool("create_contact_group", name=f"Group of {self.mark}"))["id"]
        self._team.owners[self.group] = self.mark
        self.undeleted = {"contact_id": await self._create()}
        self.question = await self._call("delete_contact", **self.undeleted)

    async def work(self, calls: int) -> None:
        """Make permitted calls, and a few that must be refused."""
        weights: dict[Callable[[], Awaitable[object]], int] = {
            self._create: 16,
            self._get: 20,
            self._list: 10,
            self._search: 12,
            self._update: 14,
            self._delete: 8,
            self._read: 4,
            self._call_with_foreign_ids: 3,
        }
        while self.calls < calls:
            (action,) = self._random.choices(list(weights), list(weights.values()))
            await action()

    async def end(self) -> None:
        """Confirm the open deletion, and check how many contacts are left."""
        await self._confirm(self.question, **self.undeleted)
        await self._list()
        await self._client.wire.aclose()

    async def _create(self) -> str:
        name = f"Person {self.calls} of {self.mark}"
        contact = await self._call_tool(
            "create_contact", name=name, tags=[f"tag-{self.mark}"], notes=f"About {self.mark}"
        )
        self.contacts[contact["id"]] = name
        self._team.owners[contact["id"]] = self.mark
        return contact["id"]

    async def _get(self) -> None:
        contact_id = self._any_contact()
        contact = await self._call_tool("get_contact", contact_id=contact_id)
        assert (contact["name"], contact["notes"]) == (self.contacts[contact_id], f"About {self.mark}")

    async def _list(self) -> None:
        assert (await self._call_tool("list_contacts", per_page=5))["total"] == len(self.contacts)

    async def _search(self) -> None:
        """Search by a text that only this tenant has, or that all tenants have."""
        asked = self._random.choice([{"search": self.mark}, {"tags": [f"tag-{self.mark}"]}, {"search": "person"}])
        assert (await self._call_tool("list_contacts", per_page=5, **asked))["total"] == len(self.contacts)

    async def _update(self) -> None:
        contact_id, name = self._any_contact(), f"Person {self.calls}, renamed, of {self.mark}"
        if contact_id in self.undeleted.values():
            return  # the question describes the current contact
        assert (await self._call_tool("update_contact", contact_id=contact_id, name=name))["name"] == name
        self.contacts[contact_id] = name

    async def _delete(self) -> None:
        contact_id = self._any_contact()
        if contact_id in self.undeleted.values():
            return
        question = await self._call("delete_contact", contact_id=contact_id)
        assert self.contacts[contact_id] in question.result["inputRequests"]["confirm"]["params"]["message"]
        await self._confirm(question, contact_id=contact_id)

    async def _confirm(self, question: Answer | None, *, contact_id: str) -> None:
        await self._client.wire.aclose()
        answer = await self._yes(question, contact_id=contact_id)
        assert answer.content == deleted(contact_id, self.contacts[contact_id])
        del self.contacts[contact_id]

    async def _read(self) -> None:
        listed = await self._ask("resources/list")
        listed_uris = {resource["uri"] for resource in listed.result["resources"]}
        assert listed_uris <= {f"contacts://groups/{self.group}"}  # none, if the service is too busy to answer in time
        contact_id = self._any_contact()
        read = await self._ask("resources/read", uri=f"contacts://contacts/{contact_id}")
        assert self.contacts[contact_id] in read.result["contents"][0]["text"]
        reference = {"type": "ref/resource", "uri": "contacts://groups/{id}"}
        meant = await self._ask("completion/complete", ref=reference, argument={"name": "id", "value": "Group"})
        assert meant.result["completion"]["values"] == [self.group]

    async def _call_with_foreign_ids(self) -> None:
        """Another caller's ids are not found, and their question is not this caller's to answer."""
        other = self._random.choice([tenant for tenant in self._team.tenants if tenant is not self])
        theirs = {"contact_id": self._random.choice(list(other.contacts))}
        for tool, arguments in (("get_contact", {}), ("update_contact", {"name": self.mark}), ("delete_contact", {})):
            assert (await self._call(tool, **theirs, **arguments)).line.startswith("not_found: ")
        group = await self._ask("resources/read", uri=f"contacts://groups/{other.group}")
        assert group.line.startswith("not_found: "), group.body
        yes = await self._yes(other.question, **other.undeleted)
        assert yes.line.startswith("not_confirmed: the answer belongs to another question"), yes.body

    def _any_contact(self) -> str:
        return self._random.choice(list(self.contacts))

    async def _call_tool(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return (await self._call(tool, **arguments)).content

    async def _call(self, tool: str, **arguments: Any) -> Answer:
        return await self._ask("tools/call", name=tool, arguments=arguments)

    async def _yes(self, question: Answer | None, **arguments: str) -> Answer:
        assert question is not None
        return await self._checked(self._client.answer(question, "delete_contact", "delete", **arguments), arguments)

    async def _ask(self, method: str, **params: Any) -> Answer:
        return await self._checked(self._client.request(method, **params), params)

    async def _checked(self, asking: Awaitable[Answer], params: Any) -> Answer:
        """The answer to this tenant, which must contain no data of another."""
        self.calls += 1
        if self.calls % _CALLS_PER_CONNECTION == 0:
            await self._client.wire.aclose()
        answer = await asking
        said, asked = answer.head + answer.body, json.dumps(params)
        assert set(_MARK.findall(said)) <= {self.mark}, (params, said)
        owners = {self._team.owners.get(found, self.mark) for found in _ID.findall(said) if found not in asked}
        assert owners <= {self.mark}, (params, said)
        return answer
