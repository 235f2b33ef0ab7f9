"""The older SSE transport: events over GET, messages over POST. It is deprecated, and clients still use it."""

from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.runner import serve_dual_era_loop
from mcp.server.sse import SseServerTransport
from starlette.types import Receive, Scope, Send

EVENTS, MESSAGES = "/sse", "/messages/"


class Sse:
    """Two ASGI apps over a server whose lifespan somebody else holds open."""

    def __init__(self, server: Server[Any], most_bytes: int) -> None:
        self._server = server
        self._transport = SseServerTransport(MESSAGES, max_request_body_size=most_bytes)

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One session, for as long as its stream is open; both protocol eras."""
        async with self._transport.connect_sse(scope, receive, send) as (read, write):
            await serve_dual_era_loop(
                self._server,
                read,
                write,
                lifespan_state=None,
                init_options=self._server.create_initialization_options(),
            )

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One message for an open session."""
        await self._transport.handle_post_message(scope, receive, send)
