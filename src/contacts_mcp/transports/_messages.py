"""Read JSON-RPC messages. A malformed one is reported with what its sender needs: its id, and what is wrong with it."""

import json
import re
from typing import Any

from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from pydantic import ValidationError
from pydantic_core import from_json

MessageId = str | int | float
"""The id of a request. One with a fraction is not accepted, but its sender waits for an answer with it."""

_MAX_VALUES = 200_000
"""Reading a message with more values would take hundreds of megabytes and hold up all others."""
_EDGE_BYTES = 4_096
"""How much of the start and of the end of a large message is searched for its id."""
_MAX_PLAIN_NUMBER = 2**53
"""Numbers below it, and texts in ASCII, can be sent back without a check."""

_UNREADABLE = "the message is not valid JSON in UTF-8 with at most 200 levels; correct it and send it again"
_NOT_AN_OBJECT = "a message has to be a JSON object"
_BATCH = "batches are not supported; send each message by itself"

_SCALAR = rb'(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)'
_MEMBER = rb'"\w+"\s*:\s*' + _SCALAR + rb"\s*"
_ID = rb'"id"\s*:\s*(?P<id>' + _SCALAR + rb")\s*"
_MEMBERS_BEFORE_ID = re.compile(rb"\s*\{\s*(?:" + _MEMBER + rb",\s*)*?" + _ID + rb"[,}]")
_MEMBERS_FROM_ID = re.compile(rb"[,{]\s*" + _ID + rb"(?:,\s*" + _MEMBER + rb")*\}\s*$")


class MalformedMessage(Exception):
    """A message that is not served. Its text never quotes the message.

    Attributes:
        code: the error code of JSON-RPC.
        message: what is wrong, and what to do next.
        id: the id of the request, None if it could not be read.
        is_answered: whether its sender gets an answer; the sender of a notification or a response gets none.
    """

    def __init__(self, code: int, message: str, id_: MessageId | None = None, *, is_answered: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id_
        self.is_answered = is_answered

    def to_json(self) -> dict[str, Any]:
        """Return the error as a JSON-RPC message."""
        return {"jsonrpc": "2.0", "id": self.id, "error": {"code": self.code, "message": self.message}}


def parse_message(text: bytes) -> JSONRPCMessage:
    """Return the message that a line or a request body holds. Raises MalformedMessage."""
    if _has_too_many_values(text):
        raise too_large(f"{_MAX_VALUES:,} values", text, text)
    try:
        content = from_json(text, allow_inf_nan=False)
    except ValueError:
        raise _unreadable(text) from None
    if not isinstance(content, dict):
        raise MalformedMessage(INVALID_REQUEST, _BATCH if isinstance(content, list) else _NOT_AN_OBJECT)
    try:
        return _to_message(content)
    except ValidationError:  # of a notification or a response
        raise MalformedMessage(INVALID_REQUEST, "the message is not JSON-RPC 2.0", is_answered=False) from None


def too_large(limit: str, head: bytes, tail: bytes) -> MalformedMessage:
    """Return the error for a message above a limit; `head` and `tail` are its start and its end."""
    members = _MEMBERS_BEFORE_ID.match(head[:_EDGE_BYTES]) or _MEMBERS_FROM_ID.search(tail[-_EDGE_BYTES:])
    return MalformedMessage(INVALID_REQUEST, f"the message has more than {limit}; send less at once", _id_in(members))


def _to_message(content: dict[str, Any]) -> JSONRPCMessage:
    """Raises MalformedMessage for a request, ValidationError for another message."""
    if "method" not in content:
        if "result" in content:
            return JSONRPCResponse.model_validate(content)
        if "error" in content:
            return JSONRPCError.model_validate(content)
    elif "id" not in content:
        return JSONRPCNotification.model_validate(content)
    return _to_request(content)


def _to_request(content: dict[str, Any]) -> JSONRPCRequest:
    id_, method, params = _sendable(content.get("id")), content.get("method"), content.get("params")
    if id_ is None or isinstance(id_, float):
        raise MalformedMessage(INVALID_REQUEST, "the id of a request has to be a string or an integer", id_)
    if content.get("jsonrpc") != "2.0":
        raise MalformedMessage(INVALID_REQUEST, 'jsonrpc has to be "2.0"', id_)
    if not isinstance(method, str):
        raise MalformedMessage(INVALID_REQUEST, "method has to be a string", id_)
    if params is not None and not isinstance(params, dict):
        raise MalformedMessage(INVALID_PARAMS, "params has to be an object", id_)
    return JSONRPCRequest(jsonrpc="2.0", id=id_, method=method, params=params)


def _has_too_many_values(text: bytes) -> bool:
    """Whether the commas and opening brackets outside of strings exceed the limit."""
    if _count_openings(text) <= _MAX_VALUES:
        return False
    # Without escaped quotes, every second part between quotes is outside of strings.
    parts = text.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"', 4 * _MAX_VALUES)
    return _count_openings(b"".join(parts[::2])) > _MAX_VALUES


def _count_openings(text: bytes) -> int:
    return sum(map(text.count, (b",", b"[", b"{")))


def _unreadable(text: bytes) -> MalformedMessage:
    """Return the error for a message that is not strict JSON, with its id if a lenient parser can read it."""
    try:
        content = json.loads(text.decode("utf-8-sig", "replace"))
    except RecursionError:
        return too_large("200 levels", text, text)
    except ValueError:
        return MalformedMessage(PARSE_ERROR, _UNREADABLE, _id_in(_MEMBERS_BEFORE_ID.match(text[:_EDGE_BYTES])))
    if not isinstance(content, dict):
        return MalformedMessage(PARSE_ERROR, _UNREADABLE)
    is_notification = "method" in content and "id" not in content
    return MalformedMessage(PARSE_ERROR, _UNREADABLE, _sendable(content.get("id")), is_answered=not is_notification)


def _id_in(members: re.Match[bytes] | None) -> MessageId | None:
    """Return the id that an expression found."""
    try:
        return _sendable(from_json(members["id"])) if members else None
    except ValueError:
        return None


def _sendable(value: object) -> MessageId | None:
    """Return an id if an answer can carry it: not an object, not infinite, no half of a character."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if value.isascii() if isinstance(value, str) else abs(value) < _MAX_PLAIN_NUMBER:
        return value
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value
