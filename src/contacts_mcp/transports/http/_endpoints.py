"""The SDK's transports, with limits on sessions and unread answers, and cancellation of abandoned calls."""

import math
import time
from collections import Counter, OrderedDict
from http import HTTPStatus
from typing import Any

import anyio
from cachetools import LRUCache
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.shared.message import SessionMessage
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.middleware import Refusal, counted, route_path
from contacts_mcp.server import ACTIVE_CALLS_SCOPE_KEY, CALLER_SCOPE_KEY
from contacts_mcp.transports._eras import serve_connection
from contacts_mcp.transports._streams import StreamProxy, Write

EVENTS_PATH, MESSAGES_PATH = "/sse", "/messages/"
MAX_SESSIONS = 200
"""Open legacy sessions of one caller."""
EXPIRES_SCOPE_KEY = "contacts_mcp.expires"
"""Key of the time at which the caller's token expires, in seconds since 1970, in the ASGI scope."""
_MAX_CALLERS = 10_000
_SESSION_HEADER = b"mcp-session-id"
_RESUME_HEADER = b"last-event-id"
_LISTEN_HEADER = (b"mcp-method", b"subscriptions/listen")

_Sessions = OrderedDict[bytes, None]


class SseEndpoints:
    """The deprecated SSE transport as two ASGI apps: events over GET, messages over POST.

    The server's lifespan must be running. A message is acknowledged before it is answered, and the answer waits on a
    stream that its caller may read slowly. A caller with `max_unread` answers waiting may send no further message.
    """

    def __init__(self, server: Server[Any], max_body_bytes: int, max_unread: int) -> None:
        self._server = server
        self._max_unread = max_unread
        self._unread: Counter[str] = Counter()
        self._transport = SseServerTransport(MESSAGES_PATH, max_request_body_size=max_body_bytes)

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one session, of either protocol era, for as long as its stream is open."""
        async with self._transport.connect_sse(scope, receive, send) as (read, write):
            counted_write = _CountingStream(write, self._unread, scope[CALLER_SCOPE_KEY].principal)
            await serve_connection(self._server, read, counted_write, lifespan_state=None)

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one message to an open session."""
        if self._unread[scope[CALLER_SCOPE_KEY].principal] >= self._max_unread:
            message = f"{self._max_unread} answers wait to be read on your streams; read them first"
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", message, {"Retry-After": "1"})
        await self._transport.handle_post_message(scope, receive, send)


class _CountingStream(StreamProxy[Write]):
    """Counts the messages that wait for the caller to read them."""

    def __init__(self, stream: Write, unread: Counter[str], principal: str) -> None:
        super().__init__(stream)
        self._unread = unread
        self._principal = principal

    async def send(self, item: SessionMessage, /) -> None:
        with counted(self._unread, self._principal):
            await self._stream.send(item)


class SessionLimitMiddleware:
    """End a caller's least recently used legacy session when they open one too many.

    Clients that leave without ending their sessions would fill the memory otherwise. `app` serves the sessions, and
    names a new one in the response to the request that opens it.
    """

    def __init__(self, app: ASGIApp, max_sessions: int = MAX_SESSIONS) -> None:
        self._app = app
        self._max_sessions = max_sessions
        self._sessions: LRUCache[str, _Sessions] = LRUCache(_MAX_CALLERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened: list[bytes] = []

        async def note_session(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
                opened.extend(value for name, value in message["headers"] if name.lower() == _SESSION_HEADER)
            await send(message)

        used = next((value for name, value in scope["headers"] if name == _SESSION_HEADER), None)
        if used is not None:
            self._touch(scope, used)
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, note_session)
        for session in opened:
            await self._add(scope, session)

    def _touch(self, scope: Scope, session: bytes) -> None:
        sessions = self._sessions.get(scope[CALLER_SCOPE_KEY].principal)
        if sessions is None or session not in sessions:
            return
        if scope["method"] == "DELETE":
            del sessions[session]
        else:
            sessions.move_to_end(session)

    async def _add(self, scope: Scope, session: bytes) -> None:
        sessions = self._sessions.setdefault(scope[CALLER_SCOPE_KEY].principal, _Sessions())
        sessions[session] = None
        while len(sessions) > self._max_sessions:
            await self._end(scope, sessions.popitem(last=False)[0])

    async def _end(self, scope: Scope, session: bytes) -> None:
        """End a session as its client would, with a DELETE request."""

        async def receive_empty() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def ignore(_message: Message) -> None:
            pass

        host = [(name, value) for name, value in scope["headers"] if name == b"host"]
        request = {**scope, "method": "DELETE", "headers": [*host, (_SESSION_HEADER, session)]}
        await self._app(request, receive_empty, ignore)


class DisconnectMiddleware:
    """Cancel the calls of a request whose caller disconnects, and end streams when the caller's token expires.

    A legacy session outlives its connections, so the SDK's transport lets such calls run on, for answers that no
    client can fetch any more.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET":
            _require_new_stream(scope)
        if scope["method"] == "GET" or _LISTEN_HEADER in scope["headers"]:
            await self._serve_stream(scope, receive, send)
            return
        calls: set[Any] = scope.setdefault(ACTIVE_CALLS_SCOPE_KEY, set())

        async def cancel_on_disconnect() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                for call in list(calls):
                    call.cancel()
            return message

        await self._app(scope, cancel_on_disconnect, send)

    async def _serve_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        last: Message | None = None

        async def note_last(message: Message) -> None:
            nonlocal last
            last = message
            await send(message)

        with anyio.move_on_after(scope.get(EXPIRES_SCOPE_KEY, math.inf) - time.time()):
            await self._app(scope, receive, note_last)
        if last and (last["type"] == "http.response.start" or last.get("more_body")):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _require_new_stream(scope: Scope) -> None:
    """Refuse to resume a stream: no past events are kept, and the SDK would send no answer at all."""
    if route_path(scope) != EVENTS_PATH and any(name == _RESUME_HEADER and value for name, value in scope["headers"]):
        message = "no past events are kept; open the stream without Last-Event-ID, and repeat what got no answer"
        raise Refusal(HTTPStatus.BAD_REQUEST, "cannot_resume", message)
