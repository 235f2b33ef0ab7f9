"""Lets the MCP messages of the console's page in: by the session's cookie, and only from that page.

The cookie alone proves nothing about the sender, because a browser sends it with requests of other pages as well. So a
request also has to come from a page of this origin, by what the browser says (Origin and Sec-Fetch-Site, which no page
can set) and by a header that no other origin can send without asking first, which is never allowed.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.approval_page import Session, Sessions, scheme_of
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import CALLER_SCOPE_KEY, CONSOLE_SCOPE_KEY, Caller

CSRF_HEADER = "x-contacts-console"
_CSRF_VALUE = "1"
_METHODS = ("POST", "GET", "DELETE")
_CREDENTIALS = (b"cookie", b"authorization", b"x-api-key")
"""Headers that do not reach the protocol: the session says who the caller is."""


class ConsoleGate:
    """Authenticates requests of the page and marks them as the console's.

    `protocol` serves them as the session's caller. `refresh` returns the caller with the rights that they have now, and
    raises Refusal if they have none. Raises Refusal: 401 without a session, 403 for another sender, 405.
    """

    def __init__(self, protocol: ASGIApp, sessions: Sessions, refresh: Callable[[Caller], Awaitable[Caller]]) -> None:
        self._protocol = protocol
        self._sessions = sessions
        self._refresh = refresh

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        session = require_session(scope, self._sessions)
        renewed = Response()
        del renewed.headers["content-length"]
        self._sessions.renew(connection, session, renewed)

        async def send_renewed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *renewed.raw_headers]}
            await send(message)

        headers = [pair for pair in scope["headers"] if pair[0] not in _CREDENTIALS]
        marks = {CALLER_SCOPE_KEY: await self._refresh(session.caller), CONSOLE_SCOPE_KEY: True}
        await self._protocol({**scope, "headers": headers, **marks}, receive, send_renewed)


def require_session(scope: Scope, sessions: Sessions) -> Session:
    """Return the session of a request that the console's page has sent. Raises Refusal."""
    if scope["method"] not in _METHODS:
        message = f"this path does not support the method; use {', '.join(_METHODS)}"
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, {"Allow": ", ".join(_METHODS)})
    connection = HTTPConnection(scope)
    if not _is_of_page(connection, scope["method"]):
        message = "only the console's own page may send this; other programs use /mcp with a key or a token"
        raise Refusal(HTTPStatus.FORBIDDEN, "forbidden", message)
    session = sessions.find(connection)
    if session is None:
        message = "the console's session has ended; load the page again"
        raise Refusal(HTTPStatus.UNAUTHORIZED, "session_ended", message)
    return session


def _is_of_page(connection: HTTPConnection, method: str) -> bool:
    headers = connection.headers
    own = f"{scheme_of(connection)}://{headers.get('host', '')}"
    origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
    if headers.getlist(CSRF_HEADER) != [_CSRF_VALUE] or sites not in ([], ["same-origin"]):
        return False
    # Browsers send no Origin with a GET of their own origin, and older ones no Sec-Fetch-Site: one of the two is there.
    return origins == [own] or (method == "GET" and not origins and bool(sites))
