"""Render refused requests, also those that the SDK refuses, as JSON-RPC errors, which MCP clients show."""

import json
from http import HTTPStatus
from typing import Any

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.middleware import BODY_SCOPE_KEY, REQUEST_ID_SCOPE_KEY, Refusal
from contacts_mcp.text import sanitize
from contacts_mcp.transports._messages import MalformedMessage, parse_message

_KEPT_HEADERS = (b"allow", b"mcp-session-id")
_MAX_SHOWN_CHARACTERS = 300
_SDK_ERRORS = {
    HTTPStatus.NOT_FOUND: ("unknown_session", "the session has ended or belongs to another caller; initialize again"),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        "method_not_allowed",
        "this path does not support the method; send messages by POST",
    ),
    HTTPStatus.NOT_ACCEPTABLE: (
        "not_acceptable",
        "the request has to accept application/json and text/event-stream; send both in Accept",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: ("busy", "too many sessions are open; try again later"),
}


def json_rpc_error(refusal: Refusal, scope: Scope, code: int | None = None) -> ASGIApp:
    """Return a refusal as a JSON-RPC error with the request's id; `code` is derived from the status by default."""
    kind = INVALID_REQUEST if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR else INTERNAL_ERROR
    error = {"code": code or kind, "message": str(refusal), "data": {"request_id": scope.get(REQUEST_ID_SCOPE_KEY)}}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, refusal.status, headers=refusal.headers)


class MalformedMessageMiddleware:
    """Answer a malformed message with status 400 and a JSON-RPC error that has the id of its request.

    The SDK answers without the id, or over SSE without a JSON-RPC error. Responses have no answer in JSON-RPC, but a
    POST request has one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["method"] == "POST":
            try:
                parse_message(scope[BODY_SCOPE_KEY])
            except MalformedMessage as malformed:
                app = JSONResponse(malformed.to_json(), HTTPStatus.BAD_REQUEST)
        await app(scope, receive, send)


class SdkErrorMiddleware:
    """Replace the SDK's refusals by errors that say what to do next.

    Errors of the protocol pass unchanged: they have the id of a JSON-RPC message.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        body = bytearray()

        async def hold_errors(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                start = message
            elif start is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_error(start, bytes(body), scope, receive, send)

        await self._app(scope, receive, hold_errors)


async def _send_error(start: Message, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    answer = _parse_error(body)
    if answer is not None and answer.get("id") is not None:
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return
    status = HTTPStatus(start["status"])
    error = answer["error"] if answer else {}
    text = sanitize(str(error.get("message") or body.decode(errors="replace")), _MAX_SHOWN_CHARACTERS).strip()
    fallback = ("bad_request", f"{text or status.phrase}; correct the request and send it again")
    headers = {name.decode(): value.decode() for name, value in start["headers"] if name.lower() in _KEPT_HEADERS}
    refusal = Refusal(status, *_SDK_ERRORS.get(status, fallback), headers)
    await json_rpc_error(refusal, scope, error.get("code"))(scope, receive, send)


def _parse_error(body: bytes) -> dict[str, Any] | None:
    """Return the body if it is a JSON-RPC error."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and isinstance(answer.get("error"), dict) else None
