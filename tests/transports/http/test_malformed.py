"""Malformed messages over HTTP: each is answered with a JSON-RPC error that has the id of its request."""

from typing import Any

import pytest

from contacts_mcp.server import ActiveCalls
from contacts_mcp.transports.http import http_app
from contacts_mcp.transports.http.access import LoopbackAccess
from support.hosts import server_over
from transports.http.clients import ask, headers_of

NAME = "Ola Nordmann"


@pytest.fixture(scope="module")
def app() -> Any:
    async def is_ready() -> None:
        pass

    return http_app(server_over(), LoopbackAccess(), checks={"directory": is_ready}, calls=ActiveCalls())


@pytest.mark.parametrize("path", ["/mcp", "/messages/"])
@pytest.mark.parametrize(
    ("body", "id_", "code"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"Ola Nordmann","params":[]}', 1, -32602),
        (rb'{"jsonrpc":"2.0","id":2,"method":"x","params":{"Ola Nordmann":"\ud83d"}}', 2, -32700),
        (b'{"jsonrpc":"2.0","id":3,"method":"x","params":{"x":%b}}' % (b"[" * 250 + b"]" * 250), 3, -32700),
        (b'[{"jsonrpc":"2.0","id":4,"method":"Ola Nordmann"}]', None, -32600),
        (b'{"jsonrpc":"2.0","id":5.5,"method":"Ola Nordmann"}', 5.5, -32600),
        (b'{"id":6,"method":"Ola Nordmann"}', 6, -32600),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":7,"method":"Ola Nordmann"}', 7, -32700),
        (b'{"jsonrpc":"2.0","id":8,"method":"x","params":{"x":[%b1]}}' % (b"1," * 250_000), 8, -32600),
        (b'{"jsonrpc":"2.0","method":"Ola Nordmann","params":[]}', None, -32600),
        (b"", None, -32700),
    ],
    ids=lambda value: repr(value[:50]) if isinstance(value, bytes) else None,
)
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_malformed_message_is_answered_with_its_id(
    app: Any, path: str, era: str, body: bytes, id_: object, code: int
) -> None:
    headers = headers_of("tools/list") if era == "modern" else {"Accept": "application/json, text/event-stream"}
    answer = await ask(app, path=path, headers={**headers, "Content-Type": "application/json"}, content=body)

    assert answer.status_code == 400
    assert (answer.json()["id"], answer.json()["error"]["code"]) == (id_, code)
    assert NAME not in answer.text
