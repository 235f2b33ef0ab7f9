"""The Contacts API with a real directory behind it, which does to requests what a fault says, and can be put back."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx

from contacts_mcp.client import ContactsClient
from contacts_mcp.directory import Directory
from contacts_mcp.directory.store import journal_path
from support.processes import wait_until
from support.services import ReceivedRequest, ScriptedServer, reply
from trust.faults import JSON, REFUSED, Answer, Fault

State = Counter[tuple[Any, ...]]
"""Facts: a word of `_FACTS` and what is so, without ids and times."""

_A_MOMENT = 0.05
"""Seconds for which nobody listens, where that does not last."""
_JSON = {"Content-Type": "application/json"}
OFFERED = "/v1/directory"
"""Where the service says what it offers beyond the API's page, and below it what that is."""
_CONTACT = "name, type, company_name, phone_number, email, tags, notes"
_FACTS = {
    "contact": f"SELECT {_CONTACT} FROM contacts WHERE deleted_at IS NULL",
    "deleted": f"SELECT {_CONTACT} FROM contacts WHERE deleted_at IS NOT NULL",
    "group": "SELECT name, description FROM contact_groups",
    "member": "SELECT g.name, c.name FROM memberships m JOIN contact_groups g ON g.seq = m.group_seq"
    " JOIN contacts c ON c.seq = m.contact_seq",
    "erasure": "SELECT contact_id FROM receipts",
}


class Lasts(Enum):
    """How long a fault lasts: for one request, for its repetitions as well, or to the end of the call."""

    ONCE = ""
    REPEATED = " and again"
    ON = " and on"


@dataclass(frozen=True)
class Location:
    """Where a fault happens: to the request of this number, of which the first is 0, and how long it lasts."""

    what: str
    number: int
    lasts: Lasts = Lasts.ONCE

    def __str__(self) -> str:
        return self.what + self.lasts.value

    def holds(self, seen: Sequence[ReceivedRequest]) -> bool:
        """Whether the last of these requests is in it."""
        since = seen[self.number :]
        match self.lasts:
            case Lasts.ONCE:
                return len(since) == 1
            case Lasts.REPEATED:
                return len({(each.method, each.path) for each in since}) == 1
            case Lasts.ON:
                return bool(since)


class Upstream(ScriptedServer):
    """The service on loopback. Without `extensions` it offers what the API's page documents, and no more.

    What no fault happens to is answered by a directory in this process. `elsewhere` is where redirects lead.
    """

    def __init__(self, folder: Path, port: int, elsewhere: str, *, extensions: bool) -> None:
        super().__init__(port)
        self._file, self._copy = folder / "contacts.db", folder / "copy.db"
        self._elsewhere = elsewhere
        self._additions = extensions
        self._directory = Directory(self._file)
        self._service = httpx.ASGITransport(self._directory.app)
        self._relaying = 0
        self._suffering: tuple[Fault, Location] | None = None
        self._opening: asyncio.Task[None] | None = None
        self.happened = False
        """Whether the fault did."""
        self.refused: set[int] = set()
        """The numbers of the requests that were certainly not done."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await self._directory.aclose()

    def client(self) -> ContactsClient:
        """A client to whom nothing happens."""
        return ContactsClient(base_url="http://directory", transport=self._service)

    def keep(self) -> None:
        """Remember the directory as it is now."""
        self._copied(self._file, self._copy)

    def put_back(self) -> None:
        """Make the directory what was kept."""
        self._copied(self._copy, self._file)
        journal_path(self._file).unlink(missing_ok=True)

    def state(self) -> State:
        """What is so in the directory."""
        with closing(sqlite3.connect(self._file)) as database:
            return Counter((what, *row) for what, query in _FACTS.items() for row in database.execute(query))

    @asynccontextmanager
    async def suffering(self, fault: Fault, place: Location) -> AsyncIterator[None]:
        """Have a fault happen to requests that come meanwhile; what is left of it is cleared away."""
        self._suffering = fault, place
        self.happened = False
        self.seen.clear()
        self.refused.clear()
        if self._is_refused_next():
            await self._refuse()
        try:
            yield
        finally:
            self._suffering = None
            await self.settle()
            await self._listen_again()

    async def settle(self) -> None:
        """Have everything end that nobody waits for any more; what was begun in the directory is done."""
        await wait_until(lambda: not self._relaying)
        await self.break_busy()

    def action(self, seen: ReceivedRequest) -> Any:
        if self._suffering is not None:
            fault, place = self._suffering
            if fault is not REFUSED and place.holds(self.seen):
                self.happened = True
                if fault.certain:
                    self.refused.add(len(self.seen) - 1)
                return partial(self._misbehave, seen, fault)
        return partial(self._relay, seen, self._is_refused_next())

    def _is_refused_next(self) -> bool:
        """Whether nobody listens to the next request."""
        fault, place = self._suffering or (None, None)
        return fault is REFUSED and place is not None and place.number == len(self.seen)

    async def _misbehave(self, seen: ReceivedRequest, fault: Fault, writer: asyncio.StreamWriter) -> None:
        status, body = await self._ask(seen) if fault.done else (0, b"")
        await fault.action(Answer(status, body, self._elsewhere))(writer)

    async def _relay(self, seen: ReceivedRequest, refusing: bool, writer: asyncio.StreamWriter) -> None:
        status, body = await self._ask(seen)
        if refusing:
            await self._refuse()
        await reply(status, raw=body, headers=[*JSON, *(["Connection: close"] if refusing else [])])(writer)

    async def _ask(self, seen: ReceivedRequest) -> tuple[int, bytes]:
        if not self._additions and seen.path.startswith(OFFERED):
            return 404, b'{"detail": "Not Found"}'
        self._relaying += 1
        try:
            request = httpx.Request(seen.method, f"http://directory{seen.path}", headers=_JSON, content=seen.body)
            response = await self._service.handle_async_request(request)
            return response.status_code, await response.aread()
        finally:
            self._relaying -= 1

    async def _refuse(self) -> None:
        self.happened = True
        self.refuse()
        await self.break_idle()
        if self._suffering and self._suffering[1].lasts is not Lasts.ON:
            self._opening = asyncio.create_task(self._listen_soon())

    async def _listen_soon(self) -> None:
        await asyncio.sleep(_A_MOMENT)
        await self.listen()

    async def _listen_again(self) -> None:
        if self._opening is not None:
            await self._opening
            self._opening = None
        elif not self._server.is_serving():
            await self.listen()

    @staticmethod
    def _copied(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
            read.backup(written)
