"""Faults of a service, a gateway or a network, and a Contacts API that produces them."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from contacts_mcp.client import ContactsClient
from contacts_mcp.directory import Directory
from contacts_mcp.directory.store import journal_path
from support.processes import wait_until
from support.services import ReceivedRequest, ResponseAction, ScriptedServer, drip, flood, reply, reset, silence

MARKER = "MARKER-of-the-fault"
"""Part of the body of every fault; it must not reach a reader."""

JSON = ["Content-Type: application/json"]


@dataclass(frozen=True)
class Answer:
    """The service's answer to a forwarded request, and the target of redirects."""

    status: int = 0
    body: bytes = b""
    headers: Sequence[str] = ()
    redirect_target: str = ""

    @property
    def content(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Fault:
    """What is done to a request: `action` makes it of the service's answer.

    `done`: the service performed the request first. `certain`: the caller can tell that it did not. `gone`: the service
    says that the record does not exist.
    """

    name: str
    action: Callable[[Answer], ResponseAction]
    done: bool = False
    certain: bool = False
    gone: bool = False


def _constant(action: ResponseAction) -> Callable[[Answer], ResponseAction]:
    return lambda _: action


def _refusal(status: int, *headers: str) -> Callable[[Answer], ResponseAction]:
    """A documented error of the API. `provided` is personal data, and `trace` is internal."""
    details = {"field": "name", "provided": MARKER, "expected": "something else"}
    error = {"code": "SOME_CODE", "message": "Said by the service", "details": details}
    return _constant(reply(status, {"error": error, "trace": MARKER}, headers=[*JSON, *headers]))


def _html_page(status: int) -> Callable[[Answer], ResponseAction]:
    """The page of a gateway or a portal for a person with a browser."""
    return _constant(reply(status, raw=f"<html>{MARKER}</html>".encode(), headers=["Content-Type: text/html"]))


def _rewrite_answer(rewrite: Callable[[Any], Any]) -> Callable[[Answer], ResponseAction]:
    return lambda answer: reply(200, rewrite(answer.content), headers=JSON)


def _with_wrong_types(content: Any) -> Any:
    return {name: {MARKER: [value]} for name, value in content.items()}


def _with_nulls(content: Any) -> Any:
    """Replace every value by null, also in rows."""
    if isinstance(content, dict):
        return {name: _with_nulls(value) for name, value in content.items()}
    is_rows = isinstance(content, list) and any(isinstance(each, dict) for each in content)
    return [_with_nulls(each) for each in content] if is_rows else None


def _with_unknown_fields(content: Any) -> Any:
    """Add unknown fields, also in rows."""
    if isinstance(content, list):
        return [_with_unknown_fields(each) for each in content]
    if not isinstance(content, dict):
        return content
    grown = {name: _with_unknown_fields(value) for name, value in content.items()}
    return {**grown, "score": MARKER, "nested": {"deep": [MARKER]}}


async def _answer_without_http(writer: asyncio.StreamWriter) -> None:
    writer.write(f"{MARKER}\r\n\r\n".encode())
    await writer.drain()
    writer.close()


REFUSED = Fault("connection refused", _constant(reset), certain=True)
"""The port is closed, so there is no request that a fault could change."""

FAULTS: tuple[Fault, ...] = (
    REFUSED,
    Fault("reset before", _constant(reset)),
    Fault("reset after", _constant(reset), done=True),
    Fault("time-out", _constant(silence), done=True),
    *(Fault(str(status), _refusal(status), certain=True) for status in (400, 401, 403, 409, 422)),
    Fault("404", _refusal(404), certain=True, gone=True),
    Fault("429 and nothing more", _refusal(429), certain=True),
    Fault("429 for now", _refusal(429, "Retry-After: 0"), certain=True),
    Fault("429 for long", _refusal(429, "Retry-After: 60"), certain=True),
    Fault("500", _refusal(500)),
    Fault("503", _html_page(503)),
    Fault("504, done", _html_page(504), done=True),
    Fault("no HTTP", _constant(_answer_without_http), done=True),
    Fault("200 with HTML", _html_page(200), done=True),
    Fault(
        "truncated JSON",
        lambda answer: reply(200, raw=answer.body[: len(answer.body) // 2] or b"{", headers=JSON),
        done=True,
    ),
    Fault(
        "cut off",
        lambda answer: reply(answer.status, raw=answer.body, length=len(answer.body) + 100, headers=JSON),
        done=True,
    ),
    Fault("wrong types", _rewrite_answer(_with_wrong_types), done=True),
    Fault("nulls", _rewrite_answer(_with_nulls), done=True),
    Fault("unknown fields", _rewrite_answer(_with_unknown_fields), done=True),
    Fault("200 with nothing", _constant(reply(200)), done=True),
    Fault("204", _constant(reply(204)), done=True),
    Fault("redirect elsewhere", lambda answer: reply(307, headers=[f"Location: {answer.redirect_target}/?{MARKER}"])),
    Fault("50 MB", _constant(flood), done=True),
    Fault("slow drip", _constant(drip), done=True),
)


State = Counter[tuple[Any, ...]]
"""Facts: a word of `_FACTS` and a row without ids and times."""

_REFUSAL_SECONDS = 0.05
"""How long the port is closed if the fault does not last."""
_HOP_BY_HOP = ("host", "content-length", "connection")
EXTENSIONS_PATH = "/v1/directory"
"""The path of the service's extensions and of their description."""
_CONTACT = "name, type, company_name, phone_number, email, tags, notes"
_FACTS = {
    "contact": f"SELECT {_CONTACT} FROM contacts WHERE deleted_at IS NULL",
    "deleted": f"SELECT {_CONTACT} FROM contacts WHERE deleted_at IS NOT NULL",
    "group": "SELECT name, description FROM contact_groups",
    "member": "SELECT g.name, c.name FROM memberships m JOIN contact_groups g ON g.seq = m.group_seq"
    " JOIN contacts c ON c.seq = m.contact_seq",
    "erasure": "SELECT contact_id FROM receipts",
}


class Duration(Enum):
    """How long a fault lasts: for one request, for its repetitions as well, or to the end of the call."""

    ONCE = ""
    REPEATED = " and again"
    ON = " and on"


@dataclass(frozen=True)
class FaultPosition:
    """When a fault happens: at the request with this number (the first is 0), and how long it lasts."""

    what: str
    number: int
    lasts: Duration = Duration.ONCE

    def __str__(self) -> str:
        return self.what + self.lasts.value

    def holds(self, seen: Sequence[ReceivedRequest]) -> bool:
        """Whether the fault affects the last of these requests."""
        since = seen[self.number :]
        match self.lasts:
            case Duration.ONCE:
                return len(since) == 1
            case Duration.REPEATED:
                return len({(each.method, each.path) for each in since}) == 1
            case Duration.ON:
                return bool(since)


class Relay(ScriptedServer):
    """Passes requests on to the service at `origin`, and turns some of its answers into faults."""

    def __init__(self, service: httpx.AsyncBaseTransport, origin: str, port: int = 0) -> None:
        super().__init__(port)
        self._service = service
        self._origin = origin
        self._redirect_target = ""
        self._relaying = 0

    async def _respond(self, seen: ReceivedRequest, fault: Fault | None, writer: asyncio.StreamWriter) -> None:
        answer = Answer(redirect_target=self._redirect_target)
        if fault is None or fault.done:
            answer = await self._ask(seen)
        action = fault.action(answer) if fault else reply(answer.status, raw=answer.body, headers=answer.headers)
        await action(writer)

    async def _ask(self, seen: ReceivedRequest) -> Answer:
        headers = [(name, value) for name, value in seen.headers.items() if name not in _HOP_BY_HOP]
        request = httpx.Request(seen.method, f"{self._origin}{seen.path}", headers=headers, content=seen.body)
        self._relaying += 1
        try:
            response = await self._service.handle_async_request(request)
            body = await response.aread()
        finally:
            self._relaying -= 1
        kept = [f"{name}: {value}" for name, value in response.headers.items() if name not in _HOP_BY_HOP]
        return Answer(response.status_code, body, kept, self._redirect_target)


class FaultyService(Relay):
    """The service on loopback. Without `extensions` it offers only the documented API.

    A directory in this process answers requests without a fault. Redirects lead to `redirect_target`.
    """

    def __init__(self, folder: Path, port: int, redirect_target: str, *, extensions: bool) -> None:
        self._file, self._copy = folder / "contacts.db", folder / "copy.db"
        self._directory = Directory(self._file)
        super().__init__(httpx.ASGITransport(self._directory.app), "http://directory", port)
        self._redirect_target = redirect_target
        self._extensions = extensions
        self._injected: tuple[Fault, FaultPosition] | None = None
        self._opening: asyncio.Task[None] | None = None
        self.has_happened = False
        """Whether the fault happened."""
        self.refused: set[int] = set()
        """The numbers of the requests that were certainly not performed."""

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await self._directory.aclose()

    def client(self) -> ContactsClient:
        return ContactsClient(base_url="http://directory", transport=self._service)

    def save(self) -> None:
        copy_database(self._file, self._copy)

    def restore(self) -> None:
        copy_database(self._copy, self._file)
        journal_path(self._file).unlink(missing_ok=True)

    def state(self) -> State:
        with closing(sqlite3.connect(self._file)) as database:
            return Counter((what, *row) for what, query in _FACTS.items() for row in database.execute(query))

    @asynccontextmanager
    async def inject(self, fault: Fault, position: FaultPosition) -> AsyncIterator[None]:
        """Apply a fault to the requests in the block, and clean up after it."""
        self._injected = fault, position
        self.has_happened = False
        self.seen.clear()
        self.refused.clear()
        if self._refuses_next():
            await self._refuse()
        try:
            yield
        finally:
            self._injected = None
            await self.settle()
            await self._listen_again()

    async def settle(self) -> None:
        """Finish running work of the directory and close the open connections."""
        await wait_until(lambda: not self._relaying)
        await self.break_busy()

    def action(self, seen: ReceivedRequest) -> Any:
        if self._injected is not None:
            fault, position = self._injected
            if fault is not REFUSED and position.holds(self.seen):
                self.has_happened = True
                if fault.certain:
                    self.refused.add(len(self.seen) - 1)
                return partial(self._respond, seen, fault)
        return partial(self._relay, seen, self._refuses_next())

    def _refuses_next(self) -> bool:
        fault, position = self._injected or (None, None)
        return fault is REFUSED and position is not None and position.number == len(self.seen)

    async def _relay(self, seen: ReceivedRequest, refusing: bool, writer: asyncio.StreamWriter) -> None:
        answer = await self._ask(seen)
        if refusing:
            await self._refuse()
        headers = [*answer.headers, *(["Connection: close"] if refusing else [])]
        await reply(answer.status, raw=answer.body, headers=headers)(writer)

    async def _ask(self, seen: ReceivedRequest) -> Answer:
        if not self._extensions and seen.path.startswith(EXTENSIONS_PATH):
            return Answer(404, b'{"detail": "Not Found"}', JSON, self._redirect_target)
        return await super()._ask(seen)

    async def _refuse(self) -> None:
        self.has_happened = True
        self.refuse()
        await self.break_idle()
        if self._injected and self._injected[1].lasts is not Duration.ON:
            self._opening = asyncio.create_task(self._listen_soon())

    async def _listen_soon(self) -> None:
        await asyncio.sleep(_REFUSAL_SECONDS)
        await self.listen()

    async def _listen_again(self) -> None:
        if self._opening is not None:
            await self._opening
            self._opening = None
        elif not self._server.is_serving():
            await self.listen()


def copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)
