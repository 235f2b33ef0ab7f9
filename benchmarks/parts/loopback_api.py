"""A stand-in for the Contacts API on this machine: the page's answers, as fast as asyncio gives them.

Prints its port, serves connections that stay open, and ends with its standard input. The first argument is a delay
in milliseconds before each answer.
"""

import asyncio
import json
import re
import sys
from functools import partial

from page import CONTACT, CONTACT_PAGE, GROUP, GROUP_LIST, MEMBER_LIST

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


def _response(status: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


_ANSWERS = [(re.compile(f"{pattern}(\\?.*)?".encode()), _response("200 OK", body)) for pattern, body in _ROUTES]
_NOT_FOUND = _response("404 Not Found", {"detail": "Not Found"})
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def _answer(request_line: bytes) -> bytes:
    route = request_line.rpartition(b" ")[0]
    return next((answer for pattern, answer in _ANSWERS if pattern.fullmatch(route)), _NOT_FOUND)


class _Connection(asyncio.Protocol):
    """One connection; requests on it are answered one after the other."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while request_line := self._next_request():
            self._respond(_answer(request_line))

    def _next_request(self) -> bytes | None:
        """Take one whole request off what was received; its first line, or None where more is to come."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = int(length[1]) if length else 0
        if not end or len(rest) < body:
            return None
        self._received = rest[body:]
        return head.partition(b"\r\n")[0]

    def _respond(self, answer: bytes) -> None:
        if not isinstance(self._transport, asyncio.WriteTransport):
            raise TypeError("a connection that cannot be written to")
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(_Connection, delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000))
