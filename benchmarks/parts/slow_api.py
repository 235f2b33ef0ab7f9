"""A Contacts API in memory, as its page documents it and without extensions; each answer takes a while.

Prints its port and ends with its standard input. The argument is the delay in milliseconds.
"""

import asyncio
import json
import re
import sys
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_TIME = "2025-01-15T09:30:00Z"
_CONTACT = re.compile(r"/v1/contacts/([0-9a-f-]{36})")


class Store:
    """The contacts, newest last."""

    def __init__(self) -> None:
        self._contacts: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, target: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and body."""
        url = urlsplit(target)
        if url.path == "/v1/contacts":
            return self._create(body) if method == "POST" else self._list(parse_qs(url.query))
        found = _CONTACT.fullmatch(url.path)
        contact = self._contacts.get(found[1]) if found else None
        if contact is None:
            return 404, {"detail": "Not Found"}
        if method == "PATCH":
            contact |= body
        return 200, contact

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        empty = dict.fromkeys(("company_name", "phone_number", "email", "notes"))
        contact = {"id": str(uuid4()), **empty, "tags": [], **body, "created_at": _TIME, "updated_at": _TIME}
        self._contacts[contact["id"]] = contact
        return 201, contact

    def _list(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        page, per_page = (int(query[name][0]) for name in ("page", "per_page"))
        newest = list(reversed(self._contacts.values()))
        rows = newest[(page - 1) * per_page : page * per_page]
        return 200, {"contacts": rows, "total": len(newest), "page": page, "per_page": per_page}


class _Connection(asyncio.Protocol):
    """One connection; requests on it are answered one after the other, each after the delay."""

    def __init__(self, store: Store, delay: float) -> None:
        self._store = store
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if not end or len(rest) < size:
            return
        self._received = rest[size:]
        method, target, _ = head.partition(b"\r\n")[0].decode().split(" ")
        status, body = self._store.answer(method, target, json.loads(rest[:size] or b"{}"))
        content = json.dumps(body).encode()
        lines = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        asyncio.get_running_loop().call_later(self._delay, self._transport.write, lines.encode() + content)


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(_Connection, Store(), delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000))
