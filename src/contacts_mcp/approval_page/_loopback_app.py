"""The pages of this computer: reached by an address that is valid once, and from then on by a cookie."""

import re
import secrets
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.types import Receive, Scope, Send

from contacts_mcp.approval_page._app import (
    Deciding,
    Form,
    approval_pages,
    not_found,
    page_response,
    protected,
    redirect,
)
from contacts_mcp.approval_page._sessions import Sessions
from contacts_mcp.approval_page._views import PageFault, Views
from contacts_mcp.guard import Approval, Consent, Seal
from contacts_mcp.middleware import RequestIdMiddleware
from contacts_mcp.server import LOCAL_CALLER, ApprovalDesk, Caller

_VIEWS = Views(
    "on this computer",
    "If the browser cannot reach this page when you decide, the program that asked has ended. Nothing is decided then;"
    " when the assistant asks again, a new page opens.",
)
_TOKEN_BYTES = 32
_NO_ID = re.compile(b"(?!)")
"""Request IDs of browsers are not taken over."""
_DECIDED_BY = "this computer"


class LoopbackApp:
    """The ASGI app on a port of this computer.

    Its paths begin with a random part: cookies are sent to every port of a host, but only below their path.
    """

    def __init__(self, desk: ApprovalDesk, port: int, clock: Callable[[], float], bootstrap_seconds: float) -> None:
        self._host = f"127.0.0.1:{port}".encode()
        self._clock = clock
        self._bootstrap_seconds = bootstrap_seconds
        self._bootstraps: dict[str, tuple[str, float]] = {}
        self._base = f"/{secrets.token_urlsafe(_TOKEN_BYTES)}"
        self._sessions = Sessions(Seal(bootstrap_seconds), clock)
        deciding = Deciding(Consent.PAGE, lambda _: _DECIDED_BY)
        pages = approval_pages(desk, self._sessions, _NoLogin(), _VIEWS, deciding)
        routes = [Route("/open/{token}", self._enter, methods=["GET"]), Mount("/", pages)]
        router = Router([Mount(self._base, routes=routes)], redirect_slashes=False, default=not_found)
        self._app = RequestIdMiddleware(protected(router, _VIEWS), _NO_ID)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose one Host header is this very address."""
        if scope["type"] != "http":
            return
        if [value for name, value in scope["headers"] if name == b"host"] != [self._host]:
            page = _VIEWS.message("Wrong address", "These pages have another address.")
            await page_response(page, HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def make_bootstrap(self, approval: Approval) -> str:
        """Return the path by which a browser reaches an approval, once."""
        now = self._clock()
        self._bootstraps = {token: entry for token, entry in self._bootstraps.items() if entry[1] > now}
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._bootstraps[token] = approval.id, now + self._bootstrap_seconds
        return f"{self._base}/open/{token}"

    async def _enter(self, request: Request) -> Response:
        """Exchange a bootstrap address for a cookie."""
        approval_id, expires = self._bootstraps.pop(request.path_params["token"], ("", 0.0))
        if self._clock() >= expires:
            text = (
                "An address opens a question once, within two minutes. Go on in the window that it opened, or let the"
                " assistant ask again. If no window has shown the question, another program has opened it: decide"
                " nothing, and the question expires."
            )
            raise PageFault(HTTPStatus.GONE, "This address was used before, or is too old", text)
        response = redirect(f"{self._base}/{approval_id}")
        # The session's cookie is valid for the whole base.
        self._sessions.open(request, LOCAL_CALLER, response)
        return response


class _NoLogin:
    """Refuses a login: only a bootstrap address opens a session here."""

    async def log_in(self, request: Request, form: Form) -> Caller | Response:  # noqa: ARG002 - see Login
        text = (
            "Questions can be seen only in the browser window that was opened for them. If you closed it, let the"
            " assistant ask again."
        )
        raise PageFault(HTTPStatus.FORBIDDEN, "This window may not see questions", text)
