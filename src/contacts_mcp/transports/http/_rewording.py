"""What the SDK's transports turn down, in sentences that say what to do next, with the request's id."""

import json
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.text import sanitize
from contacts_mcp.transports.http._refusals import Refusal

_KEPT = (b"allow", b"mcp-session-id")
_MOST_SHOWN = 300
_LINES = {
    HTTPStatus.NOT_FOUND: "unknown_session: this server knows no such session of yours; initialize again",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed: this is not how the address is used; send messages by POST",
    HTTPStatus.NOT_ACCEPTABLE: "not_acceptable: the request has to accept application/json and text/event-stream; "
    "send both in Accept",
    HTTPStatus.SERVICE_UNAVAILABLE: "busy: too many sessions are open; try again later",
}


class Reworded:
    """Rewords the refusals of `app`, but for errors of the protocol, which name the message that they are about."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        body = bytearray()

        async def held(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                start = message
            elif start is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _answer(start, bytes(body), scope, receive, send)

        await self._app(scope, receive, held)


async def _answer(start: Message, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    told = _read(body)
    if told is not None and told.get("id") is not None:
        await send(start)
        await send({"type": "http.response.body", "body": body})
        return
    status = HTTPStatus(start["status"])
    error = told["error"] if told else {}
    said = sanitize(str(error.get("message") or body.decode(errors="replace")), _MOST_SHOWN).strip()
    line = _LINES.get(status) or f"bad_request: {said or status.phrase}; correct the request and send it again"
    headers = {str(name, "ascii"): str(value, "latin-1") for name, value in start["headers"] if name.lower() in _KEPT}
    await Refusal(status, line, headers, code=error.get("code"))(scope, receive, send)


def _read(body: bytes) -> dict[str, Any] | None:
    """A JSON-RPC error, if it is one."""
    try:
        told = json.loads(body)
    except ValueError:
        return None
    return told if isinstance(told, dict) and isinstance(told.get("error"), dict) else None
