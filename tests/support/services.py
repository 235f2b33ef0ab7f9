"""Services for clients: a Contacts API written from its documentation, one that needs keys, and a scripted server."""

import asyncio
import json
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import uvicorn
from anyio.from_thread import start_blocking_portal
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contacts_mcp.directory import Directory
from support.processes import API_KEY, wait_until

App = Callable[[Any, Any, Any], Awaitable[None]]
T = TypeVar("T")


class ApiKeyRouter:
    """Passes a request to the app that `app_of` returns for its API key; answers 401 if that is None."""

    def __init__(self, app_of: Callable[[str], Awaitable[App | None]]) -> None:
        self._app_of = app_of

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        keys = [value.decode() for name, value in scope["headers"] if name == b"x-api-key"]
        app = await self._app_of(keys[0]) if len(keys) == 1 else None
        await (app or _REFUSAL)(scope, receive, send)

    @classmethod
    def for_key(cls, key: str, app: App) -> Self:
        async def app_of(given: str) -> App | None:
            return app if given == key else None

        return cls(app_of)


_REFUSAL = JSONResponse({"error": {"code": "AUTH_FAILED", "message": "Invalid API key"}}, 401)

Answer = tuple[int, Any]
Query = Mapping[str, str]
_TIME = "2025-01-15T09:30:00+00:00"
_CLEARED = dict.fromkeys(("company_name", "phone_number", "email", "notes"))


class PageService:
    """Contacts and groups in dictionaries."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.members: dict[str, list[str]] = {}
        self._numbers = count(1)

    def answer(self, method: str, path: str, query: Query, body: dict[str, Any]) -> Answer:
        """Status and JSON of one request; 404 if the request is undocumented or the record does not exist."""
        for wanted, pattern, respond in _ROUTES:
            found = re.fullmatch(pattern.replace("ID", "([0-9a-f-]{36})"), path)
            if wanted == method and found:
                with suppress(KeyError):
                    return respond(self, query, body, *found.groups())
        return 404, {"error": {"code": "NOT_FOUND", "message": f"{method} {path}"}}

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = json.loads(await request.body() or b"{}")
        status, answer = self.answer(request.method, request.url.path, request.query_params, body)
        response = Response(status_code=status) if answer is None else JSONResponse(answer, status)
        await response(scope, receive, send)

    def list_contacts(self, query: Query, _body: dict[str, Any]) -> Answer:
        page, per_page = int(query["page"]), int(query["per_page"])
        rows = [
            {**self._row(contact, "email", "phone_number", "tags"), "contact_type": contact["type"]}
            for contact in reversed(self.contacts.values())
        ]
        shown = rows[(page - 1) * per_page : page * per_page]
        return 200, {"contacts": shown, "total": len(rows), "page": page, "per_page": per_page}

    def create_contact(self, _query: Query, body: dict[str, Any]) -> Answer:
        if "type" not in body:
            return 422, {"detail": [{"loc": ["body", "type"], "msg": "Field required", "type": "missing"}]}
        contact = {"id": self._id(), **_CLEARED, "tags": [], **body, "created_at": _TIME, "updated_at": _TIME}
        self.contacts[contact["id"]] = contact
        return 201, contact

    def get_contact(self, _query: Query, _body: dict[str, Any], contact_id: str) -> Answer:
        return 200, self.contacts[contact_id]

    def update_contact(self, _query: Query, body: dict[str, Any], contact_id: str) -> Answer:
        return self._patch(self.contacts[contact_id], body)

    def delete_contact(self, _query: Query, _body: dict[str, Any], contact_id: str) -> Answer:
        del self.contacts[contact_id]
        for members in self.members.values():
            members[:] = [member for member in members if member != contact_id]
        return 200, {"ok": True}

    def erase_contact(self, _query: Query, body: dict[str, Any], contact_id: str) -> Answer:
        assert body.get("reason")
        self.contacts[contact_id] |= {**_CLEARED, "name": "Anonymized", "tags": []}
        return 200, None

    def list_groups(self, _query: Query, _body: dict[str, Any]) -> Answer:
        shown = ("id", "name", "member_count", "created_at")
        return 200, {"groups": [{name: self._group(each)[name] for name in shown} for each in self.groups]}

    def create_group(self, _query: Query, body: dict[str, Any]) -> Answer:
        group_id = self._id()
        self.groups[group_id] = {"id": group_id, "description": None, **body, "created_at": _TIME}
        self.members[group_id] = []
        return 201, self._group(group_id)

    def get_group(self, _query: Query, _body: dict[str, Any], group_id: str) -> Answer:
        return 200, self._group(group_id)

    def update_group(self, _query: Query, body: dict[str, Any], group_id: str) -> Answer:
        status, answer = self._patch(self.groups[group_id], body)
        return status, self._group(group_id) if status == 200 else answer

    def delete_group(self, _query: Query, _body: dict[str, Any], group_id: str) -> Answer:
        del self.groups[group_id], self.members[group_id]
        return 204, None

    def list_members(self, _query: Query, _body: dict[str, Any], group_id: str) -> Answer:
        rows = [self._row(self.contacts[contact_id], "phone_number") for contact_id in self.members[group_id]]
        return 200, {"members": rows}

    def add_members(self, _query: Query, body: dict[str, Any], group_id: str) -> Answer:
        self.members[group_id] += [contact for contact in body["contact_ids"] if contact in self.contacts]
        return 200, {"added": len(body["contact_ids"]) + 1}

    def remove_member(self, _query: Query, _body: dict[str, Any], group_id: str, contact_id: str) -> Answer:
        self.members[group_id].remove(contact_id)
        return 204, None

    def _id(self) -> str:
        return f"a1b2c3d4-5678-9abc-def0-{next(self._numbers):012x}"

    def _patch(self, record: dict[str, Any], body: dict[str, Any]) -> Answer:
        if "name" not in body:
            details = {"field": "name", "expected": "string"}
            return 422, {"error": {"code": "INVALID_PARAMETER", "message": "name is required", "details": details}}
        record |= body
        return 200, record

    def _row(self, contact: dict[str, Any], *fields: str) -> dict[str, Any]:
        first, _, last = contact["name"].rpartition(" ")
        return {"id": contact["id"], "first_name": first, "last_name": last} | {name: contact[name] for name in fields}

    def _group(self, group_id: str) -> dict[str, Any]:
        return {**self.groups[group_id], "member_count": len(self.members[group_id])}


_GROUPS = "/v1/contacts/groups"
_ROUTES = [
    ("GET", "/v1/contacts", PageService.list_contacts),
    ("POST", "/v1/contacts", PageService.create_contact),
    ("GET", "/v1/contacts/ID", PageService.get_contact),
    ("PATCH", "/v1/contacts/ID", PageService.update_contact),
    ("DELETE", "/v1/contacts/ID", PageService.delete_contact),
    ("POST", "/v1/contacts/ID/gdpr-delete", PageService.erase_contact),
    ("GET", _GROUPS, PageService.list_groups),
    ("POST", _GROUPS, PageService.create_group),
    ("GET", f"{_GROUPS}/ID", PageService.get_group),
    ("PATCH", f"{_GROUPS}/ID", PageService.update_group),
    ("DELETE", f"{_GROUPS}/ID", PageService.delete_group),
    ("GET", f"{_GROUPS}/ID/members", PageService.list_members),
    ("POST", f"{_GROUPS}/ID/members", PageService.add_members),
    ("DELETE", f"{_GROUPS}/ID/members/ID", PageService.remove_member),
]


@contextmanager
def serve_in_thread(served: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter a context, such as a running server, in an event loop of its own in another thread."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served) as entered:
        yield entered


@asynccontextmanager
async def _serve_with_key(opened_app: AbstractAsyncContextManager[App], key: str) -> AsyncIterator[str]:
    async with opened_app as app, serve_app(ApiKeyRouter.for_key(key, app)) as running:
        yield running.url


def page_service(key: str) -> AbstractContextManager[str]:
    """A PageService on loopback that needs a key; yields its address."""
    return serve_in_thread(_serve_with_key(nullcontext(PageService().serve), key))


def directory_service(folder: Path, key: str = API_KEY) -> AbstractContextManager[str]:
    """The Contacts API of a directory in `folder` on loopback that needs a key; yields its address."""

    @asynccontextmanager
    async def open_app() -> AsyncIterator[App]:
        async with Directory(folder / "service.db") as directory:
            yield directory.app

    return serve_in_thread(_serve_with_key(open_app(), key))


HttpAnswer = tuple[int, bytes, Mapping[str, str]]


@contextmanager
def serve_in_threads(
    respond: Callable[[BaseHTTPRequestHandler, bytes], HttpAnswer | None], port: int = 0, protocol: str = "HTTP/1.0"
) -> Iterator[str]:
    """Serve on loopback with a thread for each connection; yields the address.

    `respond` gets a request and its body. It returns status, body and headers, or None to close the connection.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return self._respond
            raise AttributeError(name)

        def _respond(self) -> None:
            answer = respond(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            if answer is None:
                self.close_connection = True
                return
            status, body, headers = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            with suppress(OSError):  # the client may have disconnected
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


class UnreliableService:
    """An `httpx` transport over a PageService; `chance` is the share of requests that fail."""

    def __init__(self, seed: int = 0, chance: float = 0.0) -> None:
        self.service = PageService()
        self.chance = chance
        self.seen: Counter[str] = Counter()
        self.under_way = self.most_at_once = 0
        self._random = random.Random(seed)

    async def respond(self, request: httpx.Request) -> httpx.Response:
        self.seen[request.method] += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            return self._answer(request)
        finally:
            self.under_way -= 1

    def _answer(self, request: httpx.Request) -> httpx.Response:
        trouble = self._random.choice(_TROUBLES) if self._random.random() < self.chance else None
        if trouble == "limited":
            return httpx.Response(429, headers={"Retry-After": "0"})
        if trouble == "reset":
            raise httpx.ReadError("reset")
        if trouble == "broken":
            return httpx.Response(500)
        body = json.loads(request.content or b"{}")
        status, answer = self.service.answer(request.method, request.url.path, request.url.params, body)
        if trouble == "lost":
            raise httpx.ReadError("lost")
        if trouble == "broken after":
            return httpx.Response(500)
        return httpx.Response(status) if answer is None else httpx.Response(status, json=answer)


_TROUBLES = ("limited", "reset", "broken", "lost", "broken after")


KEY = "wayscloud_pat_abc12_Sup3rS3cretTail"
CONTACT_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
OTHER_ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
CONTACT = {"id": CONTACT_ID, "type": "person", "name": "Ola Nordmann", "tags": ["vip"]}


@dataclass
class ReceivedRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    source: tuple[str, int] = ("", 0)
    """Address and port of the connection, if known."""


ResponseAction = Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(
    status=200, content=None, *, raw: bytes | None = None, headers=(), length: int | None = None
) -> ResponseAction:
    """Answer with JSON `content` or `raw` bytes; `length` may be wrong."""
    body = raw if raw is not None else b"" if content is None else json.dumps(content).encode()

    async def action(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        if length is not None:
            writer.close()

    return action


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection once the request was read, without an answer."""
    writer.transport.abort()


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Send one byte at a time without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.005)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Answer with 50 MB without a declared length."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(50):
        writer.write(b" " * 1_000_000)
        await writer.drain()
    writer.close()


class ScriptedServer:
    """Performs the actions of `script` in turn and repeats the last one."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.script: list[ResponseAction] = []
        self.seen: list[ReceivedRequest] = []
        self.received = asyncio.Event()
        self.url = ""
        self._busy: set[asyncio.Task] = set()
        self._idle: set[asyncio.Task] = set()

    async def __aenter__(self):
        await self.listen()
        return self

    async def __aexit__(self, *exc):
        self.refuse()
        await self._break(self._busy)
        await self._server.wait_closed()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def refuse(self) -> None:
        self._server.close()

    async def break_idle(self) -> None:
        await self._break(self._idle)

    async def break_busy(self) -> None:
        """Break the connections on which an answer is being sent."""
        await self._break(self._busy - self._idle)

    def answers(self, *script: ResponseAction) -> None:
        self.script = list(script)

    def action(self, seen: ReceivedRequest) -> ResponseAction:
        return self.script[min(len(self.seen), len(self.script)) - 1]

    @property
    def methods(self) -> list[str]:
        return [seen.method for seen in self.seen]

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._busy.add(task)
        try:
            while not writer.is_closing():
                self._idle.add(task)
                seen = await _request(reader)
                self._idle.discard(task)
                self.seen.append(seen)
                self.received.set()
                await self.action(seen)(writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            self._busy.discard(task)
            self._idle.discard(task)
            writer.transport.abort()

    @staticmethod
    async def _break(tasks: set[asyncio.Task]) -> None:
        broken = tuple(tasks)
        for task in broken:
            task.cancel()
        await asyncio.gather(*broken, return_exceptions=True)


async def _request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return ReceivedRequest(method, path, headers, body)


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class RunningApp:
    server: uvicorn.Server
    address: Any
    family: socket.AddressFamily

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    @property
    def idle(self) -> bool:
        """Whether no connection is open and no request is running."""
        return not self.server.server_state.connections and not self.server.server_state.tasks

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(sock=await self.dial())

    async def dial(self, receive_buffer: int | None = None) -> socket.socket:
        wire = socket.socket(self.family)
        if receive_buffer:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        wire.setblocking(False)
        await asyncio.get_running_loop().sock_connect(wire, self.address)
        return wire


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_app(app: Any, path: Path | None = None, **config: Any) -> AsyncIterator[RunningApp]:
    """`app` in uvicorn, on loopback or on the Unix socket `path`."""
    family = socket.AF_UNIX if path else socket.AF_INET
    with socket.socket(family) as listening:
        listening.bind(str(path) if path else ("127.0.0.1", 0))
        listening.listen(512)
        settings = {"ws": "none", "lifespan": "off", "log_config": None, "timeout_graceful_shutdown": 1, **config}
        server = _Server(uvicorn.Config(app, **settings))
        serving = asyncio.create_task(server.serve([listening]))
        address = listening.getsockname()
        try:
            await wait_until(lambda: server.started or serving.done())
            yield RunningApp(server, address, family)
        finally:
            server.should_exit = True
            await serving


async def stays_silent(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether a connection stays open for this long without data."""
    try:
        await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return True
    return False
