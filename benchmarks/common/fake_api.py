"""A fake Contacts API: `python -m common.fake_api DELAY_MS [--store]`.

It prints its port, keeps connections open, and exits when its standard input is closed. It sends each answer after
the delay. Answers are the samples of the API's documentation. With `--store` it keeps contacts in memory instead, and
has no extensions.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from common.api_samples import CONTACT, CONTACT_PAGE, GROUP, GROUP_LIST, MEMBER_LIST

_ID = "[0-9a-f-]{36}"
_ROUTES: list[tuple[str, object]] = [
    (rf"GET /v1/contacts/{_ID}", CONTACT),
    (r"GET /v1/contacts", CONTACT_PAGE),
    (rf"POST /v1/contacts/{_ID}/gdpr-delete", {}),
    (rf"(POST /v1/contacts|PATCH /v1/contacts/{_ID})", CONTACT),
    (r"GET /v1/contacts/groups", GROUP_LIST),
    (rf"(POST /v1/contacts/groups|(GET|PATCH) /v1/contacts/groups/{_ID})", GROUP),
    (rf"GET /v1/contacts/groups/{_ID}/members", MEMBER_LIST),
    (rf"POST /v1/contacts/groups/{_ID}/members", {"added": 3}),
    (rf"DELETE /v1/contacts/(groups/)?{_ID}(/members/{_ID})?", {}),
]
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CONTACT_PATH = re.compile(rf"/v1/contacts/({_ID})")
_TIME = "2025-01-15T09:30:00Z"

Respond = Callable[[bytes, bytes], bytes]
"""Takes the request line and the body of a request, and returns the bytes of the response."""


def _encode(status: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


_SAMPLES = [(re.compile(f"{pattern}(\\?.*)?".encode()), _encode("200 OK", body)) for pattern, body in _ROUTES]
_NOT_FOUND = _encode("404 Not Found", {"detail": "Not Found"})


def respond_with_sample(request_line: bytes, _body: bytes) -> bytes:
    """Return the response that the documentation shows for the route."""
    route = request_line.rpartition(b" ")[0]
    return next((sample for pattern, sample in _SAMPLES if pattern.fullmatch(route)), _NOT_FOUND)


class ContactStore:
    """Contacts in memory: create, list, get and update them."""

    def __init__(self) -> None:
        self._contacts: dict[str, dict[str, Any]] = {}

    def respond(self, request_line: bytes, body: bytes) -> bytes:
        """Carry out a request."""
        method, target, _ = request_line.decode().split(" ")
        url = urlsplit(target)
        fields = json.loads(body or b"{}")
        if url.path == "/v1/contacts":
            if method == "POST":
                return _encode("201 Created", self._create(fields))
            return _encode("200 OK", self._list(parse_qs(url.query)))
        match = _CONTACT_PATH.fullmatch(url.path)
        contact = self._contacts.get(match[1]) if match else None
        if contact is None:
            return _NOT_FOUND
        if method == "PATCH":
            contact |= fields
        return _encode("200 OK", contact)

    def _create(self, fields: dict[str, Any]) -> dict[str, Any]:
        empty = dict.fromkeys(("company_name", "phone_number", "email", "notes"))
        contact = {"id": str(uuid4()), **empty, "tags": [], **fields, "created_at": _TIME, "updated_at": _TIME}
        self._contacts[contact["id"]] = contact
        return contact

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        page, per_page = (int(query[name][0]) for name in ("page", "per_page"))
        newest_first = list(reversed(self._contacts.values()))
        rows = newest_first[(page - 1) * per_page : page * per_page]
        return {"contacts": rows, "total": len(newest_first), "page": page, "per_page": per_page}


class _Connection(asyncio.Protocol):
    """One connection. Its requests are answered one after the other."""

    def __init__(self, respond: Respond, delay_seconds: float) -> None:
        self._respond = respond
        self._delay_seconds = delay_seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while request := self._take_request():
            self._send(self._respond(*request))

    def _take_request(self) -> tuple[bytes, bytes] | None:
        """Take one complete request off the received bytes: its request line and its body."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = _CONTENT_LENGTH.search(head)
        size = int(length[1]) if length else 0
        if not end or len(rest) < size:
            return None
        self._received = rest[size:]
        return head.partition(b"\r\n")[0], rest[:size]

    def _send(self, response: bytes) -> None:
        if self._delay_seconds:
            asyncio.get_running_loop().call_later(self._delay_seconds, self._transport.write, response)
        else:
            self._transport.write(response)


async def _serve(respond: Respond, delay_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(_Connection, respond, delay_seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    responder = ContactStore().respond if "--store" in sys.argv else respond_with_sample
    asyncio.run(_serve(responder, float(sys.argv[1]) / 1000))
