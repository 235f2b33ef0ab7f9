"""One log line for every HTTP request: path, caller, status and duration."""

import logging
import math
import time
from collections.abc import Collection
from http import HTTPMethod, HTTPStatus

from opentelemetry.metrics import get_meter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp import __version__
from contacts_mcp.log_fields import LogFields
from contacts_mcp.middleware import REQUEST_ID_SCOPE_KEY, route_path
from contacts_mcp.server import CALLER_SCOPE_KEY

ACCESS = logging.getLogger("contacts_mcp.access")

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.TOO_MANY_REQUESTS)
_WARNING_INTERVAL_SECONDS = 1
_refusals = get_meter("contacts_mcp", __version__).create_counter(
    "contacts_mcp.http.refusals", "{request}", "HTTP requests that were refused or failed, by status."
)


class AccessLogMiddleware:
    """Log each request at INFO when its response has ended, without query, headers, body or unknown paths.

    Refused and failed requests are counted, and logged at WARNING at most once a second for each status. `paths` are
    the known paths, and `folders` those below which every path counts as the folder; successful requests for
    `probe_paths` are logged at DEBUG. `status` is null if the client left before a response began.
    """

    def __init__(
        self, app: ASGIApp, *, paths: Collection[str], folders: Collection[str] = (), probe_paths: Collection[str] = ()
    ) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._folders = tuple(folders)
        self._probe_paths = frozenset(probe_paths)
        self._warned_at: dict[int, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = route_path(scope)  # before routing, which may change the scope
        route = path if path in self._paths else self._folder_of(path)
        began = time.monotonic()
        status: int | None = None

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            level = self._level(route, status)
            if ACCESS.isEnabledFor(level):
                ACCESS.log(level, _line(scope, route, status, began))

    def _folder_of(self, path: str) -> str:
        return next((folder for folder in self._folders if path.startswith(f"{folder}/")), "other")

    def _level(self, route: str, status: int | None) -> int:
        if route in self._probe_paths and status == HTTPStatus.OK:
            return logging.DEBUG
        if status not in _REFUSED and (status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR:
            return logging.INFO
        _refusals.add(1, {"http.route": route, "http.response.status_code": status or 0})
        return logging.WARNING if self._may_warn(status or 0) else logging.INFO

    def _may_warn(self, status: int) -> bool:
        """Whether a warning about this status is due: a flood of refused requests must not fill the disk."""
        now = time.monotonic()
        if now - self._warned_at.get(status, -math.inf) < _WARNING_INTERVAL_SECONDS:
            return False
        self._warned_at[status] = now
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
