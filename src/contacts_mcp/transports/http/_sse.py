"""The older SSE transport: events over GET, messages over POST. It is deprecated, and clients still use it."""

from collections import Counter
from http import HTTPStatus
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.runner import serve_dual_era_loop
from mcp.server.sse import SseServerTransport
from mcp.shared.message import SessionMessage
from starlette.types import Receive, Scope, Send

from contacts_mcp.server import CALLER_SCOPE_KEY
from contacts_mcp.transports._stand_in import StandIn, Write
from contacts_mcp.transports.http._refusals import Refusal

EVENTS, MESSAGES = "/sse", "/messages/"


class Sse:
    """Two ASGI apps over a server whose lifespan somebody else holds open.

    A message is acknowledged before it is answered, on a stream that its caller may read slowly: whoever leaves
    `most_unread` answers waiting there is not given more.
    """

    def __init__(self, server: Server[Any], most_bytes: int, most_unread: int) -> None:
        self._server = server
        self._most_unread = most_unread
        self._unread: Counter[str] = Counter()
        self._transport = SseServerTransport(MESSAGES, max_request_body_size=most_bytes)

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One session, for as long as its stream is open; both protocol eras."""
        async with self._transport.connect_sse(scope, receive, send) as (read, write):
            await serve_dual_era_loop(
                self._server,
                read,
                _Noted(write, self._unread, scope[CALLER_SCOPE_KEY].principal),
                lifespan_state=None,
                init_options=self._server.create_initialization_options(),
            )

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One message for an open session."""
        if self._unread[scope[CALLER_SCOPE_KEY].principal] >= self._most_unread:
            line = f"rate_limited: {self._most_unread} answers wait to be read on your streams; read them first"
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, line, {"Retry-After": "1"})
        await self._transport.handle_post_message(scope, receive, send)


class _Noted(StandIn[Write]):
    """A stream to write to that notes how many messages wait for the caller to read."""

    def __init__(self, stream: Write, unread: Counter[str], principal: str) -> None:
        super().__init__(stream)
        self._unread = unread
        self._principal = principal

    async def send(self, item: SessionMessage, /) -> None:
        self._unread[self._principal] += 1
        try:
            await self._stream.send(item)
        finally:
            self._unread[self._principal] -= 1
            if not self._unread[self._principal]:
                del self._unread[self._principal]
