"""What is read as a JSON-RPC message, and how each malformed one is answered."""

import json
from typing import Any

import pytest
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from contacts_mcp.transports._messages import MalformedMessage, parse_message, too_large

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602


def request(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "ping", **members}).encode()


def with_literal(literal: bytes, member: str = "x") -> bytes:
    return request(**{member: "HERE"}).replace(b'"HERE"', literal)


def nested(depth: int) -> bytes:
    return with_literal(b'{"x":' + b"[" * depth + b"]" * depth + b"}", "params")


def refused(text: bytes) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(text)
    return caught.value


def test_each_kind_of_message_is_read() -> None:
    assert parse_message(request(params={"a": 1})) == JSONRPCRequest(
        jsonrpc="2.0", id=7, method="ping", params={"a": 1}
    )
    assert isinstance(parse_message(b'{"jsonrpc":"2.0","method":"x"}'), JSONRPCNotification)
    assert isinstance(parse_message(b'{"jsonrpc":"2.0","id":"a","result":{}}'), JSONRPCResponse)
    assert isinstance(parse_message(b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}'), JSONRPCError)


@pytest.mark.parametrize(
    "text",
    [
        request(params=None),
        request(params={"x": "a," * 250_000}),
        request(params={"x": '\\",' * 250_000}),
        request(params={"x": [0] * 100_000}),
        nested(190),
        b'  {"jsonrpc": "2.0", "id": 7, "id": 7, "method": "ping"} \r',
        request(id="9" * 5_000),
        with_literal(b"9" * 4_000, "id"),
        request(params={"x": "\x00\U0001f600"}),
    ],
    ids=lambda text: repr(text[:60]),
)
def test_unusual_request_is_read(text: bytes) -> None:
    assert isinstance(parse_message(text), JSONRPCRequest)


@pytest.mark.parametrize(
    ("text", "code", "id_"),
    [
        (request(params=[]), INVALID_PARAMS, 7),
        (request(params="x"), INVALID_PARAMS, 7),
        (request(params=False), INVALID_PARAMS, 7),
        (request(method=1), INVALID_REQUEST, 7),
        (request(method=None), INVALID_REQUEST, 7),
        (request(jsonrpc="1.0"), INVALID_REQUEST, 7),
        (request(jsonrpc=2.0), INVALID_REQUEST, 7),
        (b'{"id":7,"method":"ping"}', INVALID_REQUEST, 7),
        (b'{"jsonrpc":"2.0","id":7}', INVALID_REQUEST, 7),
        (request(id=1.5), INVALID_REQUEST, 1.5),
        (request(id=None), INVALID_REQUEST, None),
        (request(id={}), INVALID_REQUEST, None),
        (request(id=[1]), INVALID_REQUEST, None),
        (request(id=True), INVALID_REQUEST, None),
        (with_literal(b"1e999", "id"), INVALID_REQUEST, None),
        (b"[" + request() + b"]", INVALID_REQUEST, None),
        (b"[]", INVALID_REQUEST, None),
        (b"{}", INVALID_REQUEST, None),
        (b'"text"', INVALID_REQUEST, None),
        (b"null", INVALID_REQUEST, None),
        (with_literal(rb'"\ud83d"'), PARSE_ERROR, 7),
        (with_literal(b"NaN"), PARSE_ERROR, 7),
        (with_literal(b'"\xff"'), PARSE_ERROR, 7),
        (with_literal(rb'"\ud83d"', "id"), PARSE_ERROR, None),
        (with_literal(b"9" * 5_000, "id"), PARSE_ERROR, None),
        (with_literal(b'"\x00"'), PARSE_ERROR, 7),
        (request()[:-1], PARSE_ERROR, 7),
        (request() + b" x", PARSE_ERROR, 7),
        (b"\xef\xbb\xbf" + request(), PARSE_ERROR, 7),
        (request().decode().encode("utf-16"), PARSE_ERROR, None),
        (b"'x'", PARSE_ERROR, None),
        (b"Content-Length: 2", PARSE_ERROR, None),
        (nested(250), PARSE_ERROR, 7),
        (nested(100_000), INVALID_REQUEST, 7),
        (b"[" * 100_000, INVALID_REQUEST, None),
        (request(params={"x": [0] * 250_000}), INVALID_REQUEST, 7),
        (b'{"method":"x","params":{"x":[%b1]},"jsonrpc":"2.0","id":7}' % (b"1," * 250_000), INVALID_REQUEST, 7),
        (b'{"method":"x","params":{"id":8,"x":[%b1]},"id":0 }' % (b"1," * 250_000), INVALID_REQUEST, 0),
        (b'{"method":"x","params":{"x":[%b1],"id":8}}' % (b"1," * 250_000), INVALID_REQUEST, None),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else None,
)
def test_malformed_request_is_refused_with_its_id(text: bytes, code: int, id_: object) -> None:
    error = refused(text)

    assert (error.code, error.id, error.is_answered) == (code, id_, True)
    assert json.loads(json.dumps(error.to_json(), allow_nan=False))["id"] == id_


@pytest.mark.parametrize(
    "text",
    [
        b'{"jsonrpc":"2.0","method":"x","params":[]}',
        b'{"method":"x"}',
        b'{"jsonrpc":"2.0","method":1}',
        rb'{"jsonrpc":"2.0","method":"x","params":{"a":"\ud83d"}}',
        b'{"jsonrpc":"2.0","id":1,"result":[]}',
        b'{"jsonrpc":"2.0","id":1.5,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"error":"x"}',
    ],
    ids=repr,
)
def test_malformed_notification_or_response_is_not_answered(text: bytes) -> None:
    assert not refused(text).is_answered


def test_too_large_message_keeps_its_id_from_either_end() -> None:
    assert too_large("1 MiB", b'{"jsonrpc":"2.0","id":"a\\"b","params":{', b"").id == 'a"b'
    assert too_large("1 MiB", b'{"params":{', b'"}, "jsonrpc": "2.0", "id": 7}\r').id == 7
    assert too_large("1 MiB", b'{"params":{', b'{"id":7}}').id is None
