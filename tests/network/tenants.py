"""A caller with a key of their own, who knows what is theirs and looks for anything that is not in every answer."""

import json
import re
from collections.abc import Awaitable
from random import Random
from typing import Any

from network.contacts_api import key_of
from support.raw_hosts import Answer, ModernConnection, key

_MARK = re.compile(r"tenant\d\dzz")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TURN = 10
"""Calls over one connection; the next may lead to another worker."""


def mark_of(number: int) -> str:
    """What a tenant's key and the name of each of their records have in them."""
    return f"tenant{number:02}zz"


class Team:
    """All tenants of a server, and whose every id is."""

    def __init__(self, size: int, port: int) -> None:
        self.owners: dict[str, str] = {}
        self.tenants = [Tenant(number, port, self) for number in range(size)]


class Tenant:
    """Calls this and that, one after another; what is wrong with an answer is an AssertionError."""

    def __init__(self, number: int, port: int, team: Team) -> None:
        self.mark = mark_of(number)
        self.calls = 0
        self.contacts: dict[str, str] = {}
        """Their names by id, as they have to be."""
        self.group = ""
        self.hostage: dict[str, str] = {}
        """A contact that stays, because nobody but its owner can say yes to the question about it."""
        self.question: Answer | None = None
        self._client = ModernConnection(port, key(key_of(self.mark)))
        self._team = team
        self._random = Random(number)

    async def begin(self) -> None:
        """Create what the others will be after."""
        self.group = (await self._done("create_contact_group", name=f"Group of {self.mark}"))["id"]
        self._team.owners[self.group] = self.mark
        self.hostage = {"contact_id": await self._create()}
        self.question = await self._call("delete_contact", **self.hostage)

    async def work(self, calls: int) -> None:
        """Do what callers do, and now and then what they must not."""
        actions = [
            self._create,
            self._get,
            self._list,
            self._search,
            self._update,
            self._delete,
            self._read,
            self._trespass,
        ]
        while self.calls < calls:
            (action,) = self._random.choices(actions, [16, 20, 10, 12, 14, 8, 4, 3])
            await action()

    async def end(self) -> None:
        """Delete the hostage after all; what is left is what has to be."""
        await self._confirm(self.question, **self.hostage)
        await self._list()
        await self._client.wire.aclose()

    async def _create(self) -> str:
        name = f"Person {self.calls} of {self.mark}"
        contact = await self._done("create_contact", name=name, tags=[f"tag-{self.mark}"], notes=f"About {self.mark}")
        self.contacts[contact["id"]] = name
        self._team.owners[contact["id"]] = self.mark
        return contact["id"]

    async def _get(self) -> None:
        contact_id = self._one()
        contact = await self._done("get_contact", contact_id=contact_id)
        assert (contact["name"], contact["notes"]) == (self.contacts[contact_id], f"About {self.mark}")

    async def _list(self) -> None:
        assert (await self._done("list_contacts", per_page=5))["total"] == len(self.contacts)

    async def _search(self) -> None:
        """By what each of this tenant's contacts has in common with those of all the others, or not."""
        asked = self._random.choice([{"search": self.mark}, {"tags": [f"tag-{self.mark}"]}, {"search": "person"}])
        assert (await self._done("list_contacts", per_page=5, **asked))["total"] == len(self.contacts)

    async def _update(self) -> None:
        contact_id, name = self._one(), f"Person {self.calls}, renamed, of {self.mark}"
        if contact_id in self.hostage.values():
            return  # the question was about the contact as it is
        assert (await self._done("update_contact", contact_id=contact_id, name=name))["name"] == name
        self.contacts[contact_id] = name

    async def _delete(self) -> None:
        contact_id = self._one()
        if contact_id in self.hostage.values():
            return
        question = await self._call("delete_contact", contact_id=contact_id)
        assert self.contacts[contact_id] in question.result["inputRequests"]["confirm"]["params"]["message"]
        await self._confirm(question, contact_id=contact_id)

    async def _confirm(self, question: Answer | None, *, contact_id: str) -> None:
        """Say yes, over another connection."""
        await self._client.wire.aclose()
        answer = await self._yes(question, contact_id=contact_id)
        assert answer.content == {"done": True}
        del self.contacts[contact_id]

    async def _read(self) -> None:
        """By address, and by what may have been meant."""
        listed = await self._ask("resources/list")
        assert [resource["uri"] for resource in listed.result["resources"]] == [f"contacts://groups/{self.group}"]
        contact_id = self._one()
        read = await self._ask("resources/read", uri=f"contacts://contacts/{contact_id}")
        assert self.contacts[contact_id] in read.result["contents"][0]["text"]
        reference = {"type": "ref/resource", "uri": "contacts://groups/{id}"}
        meant = await self._ask("completion/complete", ref=reference, argument={"name": "id", "value": "Group"})
        assert meant.result["completion"]["values"] == [self.group]

    async def _trespass(self) -> None:
        """Another caller's ids are not found, and their question is not this caller's to answer."""
        other = self._random.choice([tenant for tenant in self._team.tenants if tenant is not self])
        theirs = {"contact_id": self._random.choice(list(other.contacts))}
        for tool, arguments in (("get_contact", {}), ("update_contact", {"name": self.mark}), ("delete_contact", {})):
            assert (await self._call(tool, **theirs, **arguments)).line.startswith("not_found: ")
        group = await self._ask("resources/read", uri=f"contacts://groups/{other.group}")
        assert group.line.startswith("not_found: "), group.body
        yes = await self._yes(other.question, **other.hostage)
        assert yes.line.startswith("not_confirmed: the answer belongs to another question"), yes.body

    def _one(self) -> str:
        return self._random.choice(list(self.contacts))

    async def _done(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return (await self._call(tool, **arguments)).content

    async def _call(self, tool: str, **arguments: Any) -> Answer:
        return await self._ask("tools/call", name=tool, arguments=arguments)

    async def _yes(self, question: Answer | None, **arguments: str) -> Answer:
        assert question is not None
        return await self._look(self._client.answer(question, "delete_contact", "delete", **arguments), arguments)

    async def _ask(self, method: str, **params: Any) -> Answer:
        return await self._look(self._client.request(method, **params), params)

    async def _look(self, asking: Awaitable[Answer], params: Any) -> Answer:
        """Every answer to this tenant, searched for whatever belongs to somebody else."""
        self.calls += 1
        if self.calls % _TURN == 0:
            await self._client.wire.aclose()
        answer = await asking
        said, asked = answer.head + answer.body, json.dumps(params)
        assert set(_MARK.findall(said)) <= {self.mark}, (params, said)
        owners = {self._team.owners.get(found, self.mark) for found in _ID.findall(said) if found not in asked}
        assert owners <= {self.mark}, (params, said)
        return answer
