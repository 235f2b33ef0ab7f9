"""Legacy sessions, of which each caller may hold so many: clients that just leave would fill the memory otherwise."""

from collections import OrderedDict
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.server import CALLER_SCOPE_KEY

MOST_SESSIONS = 200
"""Open sessions of one caller."""
_MOST_CALLERS = 10_000
_HEADER = b"mcp-session-id"


class SessionLimit:
    """Ends the session that a caller has not used for longest, where they open one too many.

    `app` serves the sessions; it names a new one in the answer to the request that opens it.
    """

    def __init__(self, app: ASGIApp, most: int = MOST_SESSIONS) -> None:
        self._app = app
        self._most = most
        self._of: OrderedDict[str, OrderedDict[bytes, None]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened: list[bytes] = []

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
                opened.extend(value for name, value in message["headers"] if name.lower() == _HEADER)
            await send(message)

        used = next((value for name, value in scope["headers"] if name == _HEADER), None)
        if used is None:
            await self._app(scope, receive, watched)
            for session in opened:
                await self._keep(scope, session)
            return
        self._touch(scope, used)
        await self._app(scope, receive, send)

    def _touch(self, scope: Scope, session: bytes) -> None:
        sessions = self._of.get(scope[CALLER_SCOPE_KEY].principal)
        if sessions is None or session not in sessions:
            return
        if scope["method"] == "DELETE":
            del sessions[session]
        else:
            sessions.move_to_end(session)

    async def _keep(self, scope: Scope, session: bytes) -> None:
        principal = scope[CALLER_SCOPE_KEY].principal
        sessions = self._of.setdefault(principal, OrderedDict())
        self._of.move_to_end(principal)
        sessions[session] = None
        while len(sessions) > self._most:
            await self._end(scope, sessions.popitem(last=False)[0])
        if len(self._of) > _MOST_CALLERS:
            self._of.popitem(last=False)

    async def _end(self, scope: Scope, session: bytes) -> None:
        """End a session as its client would have."""

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def nowhere(_message: Message) -> None:
            pass

        headers = [(name, value) for name, value in scope["headers"] if name == b"host"]
        ending = {**scope, "method": "DELETE", "headers": [*headers, (_HEADER, session)]}
        await self._app(ending, nothing, nowhere)
