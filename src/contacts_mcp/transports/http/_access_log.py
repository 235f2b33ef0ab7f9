"""One line for every request over HTTP: which page, for whom, how it was answered, how long it took."""

import logging
import time
from collections.abc import Collection
from http import HTTPMethod, HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contacts_mcp.server import CALLER, REQUEST_ID, Fields

ACCESS = logging.getLogger("contacts_mcp.access")


class AccessLog:
    """Logs each request when its answer has ended, at INFO; never a path that there is not, a query, header or body.

    `pages` are the paths that there are. Those of them that are `probed` all the time are logged at DEBUG while all is
    well. `status` is null where the client left before it was answered.
    """

    def __init__(self, app: ASGIApp, *, pages: Collection[str], probed: Collection[str] = ()) -> None:
        self._app = app
        self._pages = frozenset(pages)
        self._probed = frozenset(probed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not ACCESS.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        route = scope["path"] if scope["path"] in self._pages else "other"  # routing may change the scope
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
            is_dull = route in self._probed and status == HTTPStatus.OK
            ACCESS.log(logging.DEBUG if is_dull else logging.INFO, _line(scope, route, status, began))


def _line(scope: Scope, route: str, status: int | None, began: float) -> Fields:
    caller = scope.get(CALLER)
    return Fields(
        request=scope.get(REQUEST_ID),
        caller=caller.principal if caller else None,
        method=scope["method"] if scope["method"] in HTTPMethod.__members__ else "other",
        route=route,
        status=status,
        ms=round((time.monotonic() - began) * 1000),
    )
