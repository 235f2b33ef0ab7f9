"""The console as an ASGI app: its page after a login, the views that it frames, and its MCP endpoint.

- `/` is the page; without a session it is the login.
- `/view/NAME.html` is a view for the page's frame.
- `/mcp` takes the page's MCP messages, `/logout` ends the session, `/alive` tells that a page is open.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.approval_page import Login, PageFault, Sessions, Views, not_found, protected, read_form, redirect
from contacts_mcp.console._documents import NETWORK, VIEWS, Document, console_document, view_document
from contacts_mcp.console._gate import ConsoleGate, require_session
from contacts_mcp.middleware import route_path
from contacts_mcp.server import Caller

MCP_PATH = "/mcp"


async def unchanged(caller: Caller) -> Caller:
    """Return a caller whose rights last as long as the session."""
    return caller


@dataclass(frozen=True, kw_only=True)
class ConsoleSite:
    """What makes a console: who may use it, and how they get in.

    Attributes:
        refresh: see ConsoleGate.
        routes: further pages, of the login.
        place: NETWORK or COMPUTER.
        backend: what the server works on, for people.
        on_use: called with every request that has a session.
    """

    sessions: Sessions
    login: Login
    views: Views
    refresh: Callable[[Caller], Awaitable[Caller]] = unchanged
    routes: Sequence[BaseRoute] = ()
    place: str = NETWORK
    backend: str = ""
    on_use: Callable[[], None] = field(default=lambda: None)

    def app(self, protocol: ASGIApp) -> ASGIApp:
        """Return the app; `protocol` serves MCP messages whose scope has the caller.

        Raises Refusal for messages that it does not let in.
        """
        gate = ConsoleGate(protocol, self.sessions, self._refresh)
        routes = [
            *self.routes,
            Route("/", self._show, methods=["GET", "POST"]),
            Route("/view/{name}.html", self._show_view, methods=["GET"]),
            Route("/logout", self._log_out, methods=["POST"]),
            Route("/alive", self._note_use, methods=["POST"]),
        ]
        pages = protected(Router(routes, redirect_slashes=False, default=not_found), self.views)

        async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
            is_message = scope["type"] == "http" and route_path(scope) == MCP_PATH
            await (gate if is_message else pages)(scope, receive, send)

        return by_path

    async def _refresh(self, caller: Caller) -> Caller:
        self.on_use()
        return await self.refresh(caller)

    async def _show(self, request: Request) -> Response:
        if self.sessions.find(request) is not None and request.method == "GET":
            self.on_use()
            return _respond(console_document(self.place, self.backend))
        answer = await self.login.log_in(request, read_form(request))
        if isinstance(answer, Response):
            return answer
        response = redirect(request.url.path)
        self.sessions.open(request, answer, response)
        return response

    async def _show_view(self, request: Request) -> Response:
        if self.sessions.find(request) is None:
            raise PageFault(HTTPStatus.FORBIDDEN, "Not logged in", "Load the console again.")
        name = request.path_params["name"]
        if name not in VIEWS:
            raise PageFault(HTTPStatus.NOT_FOUND, "Not found", "There is no view of this name.")
        return _respond(view_document(name))

    async def _log_out(self, request: Request) -> Response:
        require_session(request.scope, self.sessions)
        response = Response(status_code=HTTPStatus.NO_CONTENT)
        self.sessions.close(request, response)
        return response

    async def _note_use(self, request: Request) -> Response:
        require_session(request.scope, self.sessions)
        self.on_use()
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _respond(document: Document) -> Response:
    return HTMLResponse(document.html, headers=document.headers)
