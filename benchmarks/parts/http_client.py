"""An MCP client over HTTP, in both eras of the protocol."""

import json
from itertools import count
from typing import Any

from connection import Answer, Connection
from host import CLIENT, ENVELOPE, Era, Refused
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
from page import CONTACT_ID

_FIRST_ID = 1_000_000
"""All ids have as many digits, and so all requests of a client as many bytes."""
_CALL = {"name": "get_contact", "arguments": {"contact_id": CONTACT_ID}}
_ANSWERED, _FAILED = b'"structuredContent"', b'"isError":true'


class Client:
    """Calls `get_contact`, over and over; connect it first."""

    def __init__(self, connection: Connection, era: Era) -> None:
        self._connection = connection
        self._era = era
        self._headers = {"MCP-Protocol-Version": LATEST_MODERN_VERSION}
        self._ids = count(_FIRST_ID)
        self._call = b""

    @classmethod
    async def connected(cls, port: int, era: Era) -> "Client":
        """A client on a connection of its own."""
        client = cls(await Connection.open(port), era)
        await client.connect()
        return client

    async def connect(self) -> None:
        """Open a session, in the era that has them."""
        params: dict[str, Any] = _CALL
        if self._era == "legacy":
            await self._shake_hands()
        else:
            self._headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "get_contact"}
            params = {**_CALL, "_meta": ENVELOPE}
        self._call = self._post(_request("tools/call", params, _FIRST_ID)).replace(b"%", b"%%")
        self._call = self._call.replace(b"%d" % _FIRST_ID, b"%d")

    async def call(self) -> None:
        """Make one call. Raises Refused where the answer is no contact."""
        answer = await self._connection.exchange(self._call % next(self._ids))
        _require(answer, 200)
        if _ANSWERED not in answer.body or _FAILED in answer.body:
            raise Refused(answer.body.decode())

    async def end(self) -> None:
        """End the session."""
        _require(await self._connection.exchange(self._message(b"DELETE", b"")), 200)

    def leave(self) -> None:
        """Close the connection, whatever becomes of the session."""
        self._connection.close()

    async def _shake_hands(self) -> None:
        self._headers = {}
        hello = {"protocolVersion": LATEST_HANDSHAKE_VERSION, "capabilities": {}, "clientInfo": CLIENT}
        answer = await self._connection.exchange(self._post(_request("initialize", hello, _FIRST_ID)))
        _require(answer, 200)
        session = answer.header(b"mcp-session-id")
        if session is None:
            raise Refused("the server opened no session")
        self._headers = {"MCP-Protocol-Version": LATEST_HANDSHAKE_VERSION, "Mcp-Session-Id": session.decode()}
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        _require(await self._connection.exchange(self._post(done)), 202)

    def _post(self, message: dict[str, Any]) -> bytes:
        return self._message(b"POST", json.dumps(message, separators=(",", ":")).encode())

    def _message(self, method: bytes, body: bytes) -> bytes:
        headers = {
            "Host": self._connection.authority,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self._headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return method + b" /mcp HTTP/1.1\r\n" + head.encode() + b"\r\n" + body


def _request(method: str, params: dict[str, Any], number: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def _require(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise Refused(f"{answer.status} instead of {status}: {answer.body.decode(errors='replace')[:500]}")
