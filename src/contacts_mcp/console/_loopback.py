"""The console on a port of this computer: reached by an address that is valid once, and then by a cookie.

Cookies do not know ports: a browser sends them to every port of a host, and every port can set them. So the paths begin
with a random part, below which only this console's cookie is sent, and the cookie's name has another one, so that no
other program can put a cookie of its own in its place.
"""

import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.approval_page import PageFault, Sessions, Views, page_response, redirect
from contacts_mcp.console._documents import COMPUTER
from contacts_mcp.console._site import ConsoleSite
from contacts_mcp.guard import Seal
from contacts_mcp.server import LOCAL_CALLER, Caller
from contacts_mcp.transports.http import CONSOLE_PATH

BOOTSTRAP_SECONDS = 120.0
"""How long the address can be opened."""
_SESSION_SECONDS = 7 * 24 * 3600.0
"""Longer than the server runs without a page that is open."""
_RANDOM_BYTES, _NAME_BYTES = 32, 8
_VIEWS = Views("on this computer")


class LoopbackConsole:
    """The console of the person at this computer, for a server that works on `backend`."""

    def __init__(self, backend: str = "", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._base = f"/{secrets.token_urlsafe(_RANDOM_BYTES)}"
        self._token: str | None = None
        self._token_expires = 0.0
        self._used_at = clock()
        cookie = f"contacts-console-{secrets.token_hex(_NAME_BYTES)}"
        times = {"seconds": _SESSION_SECONDS, "max_seconds": _SESSION_SECONDS}
        self._sessions = Sessions(Seal(BOOTSTRAP_SECONDS), clock, cookie=cookie, **times)
        self.site = ConsoleSite(
            sessions=self._sessions,
            login=_NoLogin(),
            views=_VIEWS,
            routes=[Route("/open/{token}", self._enter, methods=["GET"])],
            place=COMPUTER,
            backend=backend,
            on_use=self._note_use,
        )

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last request of a page."""
        return self._clock() - self._used_at

    def make_bootstrap(self) -> str:
        """Return the path by which a browser gets in, once. An older one is no longer valid."""
        self._token = secrets.token_urlsafe(_RANDOM_BYTES)
        self._token_expires = self._clock() + BOOTSTRAP_SECONDS
        return f"{self._base}{CONSOLE_PATH}/open/{self._token}"

    def below_base(self, app: ASGIApp) -> ASGIApp:
        """Serve an app only below the random path; there is nothing at any other one."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
            elif scope["path"].startswith(f"{self._base}/"):
                await app({**scope, "root_path": self._base}, receive, send)
            else:
                page = _VIEWS.message("Not found", "There is no page at this address.")
                await page_response(page, HTTPStatus.NOT_FOUND)(scope, receive, send)

        return serve

    def _note_use(self) -> None:
        self._used_at = self._clock()

    async def _enter(self, request: Request) -> Response:
        """Exchange the bootstrap address for a cookie."""
        given = request.path_params["token"].encode(errors="replace")
        is_valid = self._token is not None and secrets.compare_digest(given, self._token.encode())
        if not is_valid or self._clock() >= self._token_expires:
            text = (
                "An address opens the console once, within two minutes. Go on in the window that it opened, or run"
                " `contacts-mcp open` again. If no window has shown the console, another program has opened it: end"
                " the command."
            )
            raise PageFault(HTTPStatus.GONE, "This address was used before, or is too old", text)
        self._token = None
        self._note_use()
        response = redirect(f"{self._base}{CONSOLE_PATH}/")
        self._sessions.open(request, LOCAL_CALLER, response)
        return response


class _NoLogin:
    """Refuses a login: only the bootstrap address opens a session here."""

    async def log_in(self, request: Request, form: object) -> Caller | Response:  # noqa: ARG002 - see Login
        text = "The console can be seen only in the browser window that `contacts-mcp open` has opened. Run it again."
        raise PageFault(HTTPStatus.FORBIDDEN, "This window may not see the console", text)
