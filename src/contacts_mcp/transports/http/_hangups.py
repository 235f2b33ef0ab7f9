"""Calls and streams whose caller is gone, or whose time is over."""

import math
import time
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.server import ACTIVE_CALLS_SCOPE_KEY

EXPIRES = "contacts_mcp.expires"
"""Where in the ASGI scope it says until when its caller is let in, in seconds since 1970."""
_LISTENS = (b"mcp-method", b"subscriptions/listen")


class Hangups:
    """Ends the calls of a request whose caller disconnects before the answer, and streams when a token expires.

    A legacy session outlives its connections, so its transport lets such calls run on, for answers that nobody can
    fetch any more.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET" or _LISTENS in scope["headers"]:
            await self._stream(scope, receive, send)
            return
        calls: set[Any] = scope.setdefault(ACTIVE_CALLS_SCOPE_KEY, set())

        async def watched() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                for call in list(calls):
                    call.cancel()
            return message

        await self._app(scope, watched, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[Message] = []

        async def noted(message: Message) -> None:
            sent[:] = [message]
            await send(message)

        left = scope.get(EXPIRES, math.inf) - time.time()
        with anyio.move_on_after(left):
            await self._app(scope, receive, noted)
        if sent and (sent[0]["type"] == "http.response.start" or sent[0].get("more_body")):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
