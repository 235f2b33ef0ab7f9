"""One line for every request over HTTP: which page, for whom, how it was answered, how long it took."""

import logging
import math
import time
from collections.abc import Collection
from http import HTTPMethod, HTTPStatus

from opentelemetry.metrics import get_meter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp import __version__
from contacts_mcp.log_fields import LogFields
from contacts_mcp.server import CALLER_SCOPE_KEY, REQUEST_ID_SCOPE_KEY
from contacts_mcp.transports.http._paths import path_of

_TELLING = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.TOO_MANY_REQUESTS,
)
ACCESS = logging.getLogger("contacts_mcp.access")


_refusals = get_meter("contacts_mcp", __version__).create_counter(
    "contacts_mcp.http.refusals", "{request}", "Requests over HTTP that were turned down or failed, by status."
)


class AccessLog:
    """Logs each request when its answer has ended, at INFO; never a path that there is not, a query, header or body.

    Who was turned down, and what failed, is counted and a WARNING, of which each status has one a second. `pages` are
    the paths that there are; those that are `probed` all the time are logged at DEBUG while all is well. `status` is
    null where the client left before it was answered.
    """

    def __init__(self, app: ASGIApp, *, pages: Collection[str], probed: Collection[str] = ()) -> None:
        self._app = app
        self._pages = frozenset(pages)
        self._probed = frozenset(probed)
        self._warned: dict[int, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = path_of(scope) if path_of(scope) in self._pages else "other"  # routing may change the scope
        began = time.monotonic()
        status: int | None = None

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            level = self._level(route, status)
            if ACCESS.isEnabledFor(level):
                ACCESS.log(level, _line(scope, route, status, began))

    def _level(self, route: str, status: int | None) -> int:
        if route in self._probed and status == HTTPStatus.OK:
            return logging.DEBUG
        if status not in _TELLING and (status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR:
            return logging.INFO
        _refusals.add(1, {"http.route": route, "http.response.status_code": status or 0})
        return logging.WARNING if self._is_first(status or 0) else logging.INFO

    def _is_first(self, status: int) -> bool:
        """Whether the last warning of this status is a second old: a flood must not fill the disk."""
        now = time.monotonic()
        before, self._warned[status] = self._warned.get(status, -math.inf), now
        if now - before < 1:
            self._warned[status] = before
            return False
        return True


def _line(scope: Scope, route: str, status: int | None, began: float) -> LogFields:
    caller = scope.get(CALLER_SCOPE_KEY)
    return LogFields(
        request=scope.get(REQUEST_ID_SCOPE_KEY),
        caller=caller.principal if caller else None,
        method=scope["method"] if scope["method"] in HTTPMethod.__members__ else "other",
        route=route,
        status=status,
        ms=round((time.monotonic() - began) * 1000),
    )
